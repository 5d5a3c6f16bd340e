#include "workloads/dataset.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "workloads/input_error.h"
#include "workloads/input_file.h"
#include "workloads/npy.h"

namespace lpa::workloads {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw InputError(path.string() + ": " + what);
}

const json& field(const json& root, const char* name, const std::filesystem::path& path) {
  const auto found = root.find(name);
  if (found == root.end()) fail(path, fmt::format("field '{}' is missing", name));
  return *found;
}

std::string string_field(const json& root, const char* name, const std::filesystem::path& path) {
  const json& value = field(root, name, path);
  if (!value.is_string()) fail(path, fmt::format("field '{}' is {} (expected a string)", name, value.type_name()));
  return value.get<std::string>();
}

template <class T>
std::vector<T> list_field(const json& root, const char* name, const std::filesystem::path& path) {
  constexpr bool numbers = std::is_same_v<T, float>;
  const json& value = field(root, name, path);
  const bool valid = value.is_array() && !value.empty() && std::ranges::all_of(value, [](const json& entry) {
                       return numbers ? entry.is_number() : entry.is_string();
                     });
  if (!valid)
    fail(path, fmt::format("field '{}' is not valid (expected a list of {})", name, numbers ? "numbers" : "strings"));
  return value.get<std::vector<T>>();
}

void read_description(const std::filesystem::path& path, Dataset& dataset) {
  const json root = json::parse(read_whole_file(path), nullptr, false);
  if (!root.is_object()) fail(path, "not a JSON object");
  dataset.name = string_field(root, "name", path);
  dataset.origin = string_field(root, "origin", path);
  dataset.split = string_field(root, "split", path);
  dataset.classes = list_field<std::string>(root, "classes", path);
  dataset.mean = list_field<float>(root, "mean", path);
  dataset.std = list_field<float>(root, "std", path);
  if (const std::string layout = string_field(root, "layout", path); layout != "NHWC uint8")
    fail(path, fmt::format("field 'layout' is '{}' (supported: 'NHWC uint8')", layout));
  for (const float mean : dataset.mean)
    if (!std::isfinite(mean)) fail(path, fmt::format("field 'mean' has the value {} (expected finite numbers)", mean));
  for (const float deviation : dataset.std)
    if (!(deviation > 0) || !std::isfinite(deviation))
      fail(path, fmt::format("field 'std' has the value {} (expected positive numbers)", deviation));
}

}  // namespace

Tensor Dataset::image(int i) const {
  const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const auto depth = static_cast<std::size_t>(channels);
  const std::uint8_t* source = pixels.data() + static_cast<std::size_t>(i) * plane * depth;
  Tensor tensor{{1, channels, height, width}, std::vector<float>(plane * depth)};
  for (std::size_t c = 0; c < depth; ++c)
    for (std::size_t p = 0; p < plane; ++p)
      tensor.data[c * plane + p] = (static_cast<float>(source[p * depth + c]) / 255.0f - mean[c]) / std[c];
  return tensor;
}

Dataset read_dataset(const std::filesystem::path& folder, int limit) {
  Dataset dataset;
  read_description(folder / "dataset.json", dataset);

  const std::filesystem::path images_file = folder / "images.npy", labels_file = folder / "labels.npy";
  ByteArray images = read_npy_u8(images_file, limit);
  ByteArray labels = read_npy_u8(labels_file, limit);
  constexpr std::int64_t max_size = 1 << 24;
  if (images.shape.size() != 4 ||
      std::ranges::any_of(images.shape, [](std::int64_t size) { return size < 1 || size > max_size; }))
    fail(images_file, fmt::format("shape {} (expected N x H x W x C)", to_string(images.shape)));
  if (labels.shape != Shape{images.shape[0]})
    fail(labels_file, fmt::format("shape {} (expected {}, one label an image)", to_string(labels.shape),
                                  to_string(Shape{images.shape[0]})));
  if (limit > 0 && images.shape[0] < limit)
    fail(images_file, fmt::format("{} images (expected at least {})", images.shape[0], limit));
  dataset.count = static_cast<int>(images.shape[0]);
  dataset.height = static_cast<int>(images.shape[1]);
  dataset.width = static_cast<int>(images.shape[2]);
  dataset.channels = static_cast<int>(images.shape[3]);

  for (const auto& [name, values] : {std::pair{"mean", &dataset.mean}, std::pair{"std", &dataset.std}})
    if (values->size() != static_cast<std::size_t>(dataset.channels))
      fail(folder / "dataset.json", fmt::format("field '{}' has {} values (expected {}, one a channel)", name,
                                                values->size(), dataset.channels));
  for (std::size_t i = 0; i < labels.data.size(); ++i)
    if (labels.data[i] >= dataset.classes.size())
      fail(labels_file, fmt::format("label {} of image {} (expected less than {}, the number of classes)",
                                    labels.data[i], i, dataset.classes.size()));
  dataset.pixels = std::move(images.data);
  dataset.labels = std::move(labels.data);
  return dataset;
}

void check_shapes(const Dataset& dataset, const Shape& network_input, const std::string& network_file) {
  const Shape images{1, dataset.channels, dataset.height, dataset.width};
  if (images == network_input) return;
  throw InputError(fmt::format("{}: takes an input of {}, the images of data set '{}' are {}", network_file,
                               to_string(network_input), dataset.name, to_string(images)));
}

}  // namespace lpa::workloads

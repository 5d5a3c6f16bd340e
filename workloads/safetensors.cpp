#include "workloads/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

static_assert(std::endian::native == std::endian::little, "tensors are read and written as they lie in memory");

namespace lpa::workloads {
namespace {

using nlohmann::json;

constexpr std::uint64_t length_bytes = 8, max_header = 100'000'000;
constexpr const char* dtypes[] = {"U8", "I16", "I32", "F32"};  // In the order of StoredTensor::data.

struct Range {
  std::uint64_t begin = 0, end = 0;
};

/// Reads the JSON entry of one tensor.
class Entry {
 public:
  Entry(const std::filesystem::path& path, const std::string& name, const json& entry)
      : path_(path), name_(name), entry_(entry) {
    if (!entry.is_object()) fail("is not a JSON object");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: tensor '{}' {}", path_.string(), name_, what));
  }

  std::string dtype() const {
    const json& value = field("dtype");
    if (!value.is_string()) fail("has a 'dtype' that is not a string");
    return value.get<std::string>();
  }

  Shape shape() const {
    Shape shape;
    for (const std::uint64_t size : counts("shape")) {
      if (size > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) fail("has a size that is too large");
      shape.push_back(static_cast<std::int64_t>(size));
    }
    return shape;
  }

  Range range() const {
    const std::vector<std::uint64_t> offsets = counts("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1]) fail("has 'data_offsets' that are not [begin, end]");
    return {offsets[0], offsets[1]};
  }

 private:
  const json& field(const char* field_name) const {
    const auto found = entry_.find(field_name);
    if (found == entry_.end()) fail(fmt::format("has no '{}'", field_name));
    return *found;
  }
  std::vector<std::uint64_t> counts(const char* field_name) const {
    const json& value = field(field_name);
    if (!value.is_array() || !std::ranges::all_of(value, [](const json& item) { return item.is_number_unsigned(); }))
      fail(fmt::format("has a '{}' that is not a list of counts", field_name));
    return value.get<std::vector<std::uint64_t>>();
  }

  const std::filesystem::path& path_;
  const std::string& name_;
  const json& entry_;
};

/// Allocates the tensor's data and reads it; the file stands anywhere.
template <std::size_t type = 0>
void read_data(const Entry& entry, const std::string& dtype, Range range, std::uint64_t data_start, InputFile& file,
               StoredTensor& tensor) {
  if constexpr (type == std::variant_size_v<decltype(tensor.data)>) {
    entry.fail(fmt::format("has dtype '{}' (supported: U8, I16, I32, F32)", dtype));
  } else if (dtype != dtypes[type]) {
    read_data<type + 1>(entry, dtype, range, data_start, file, tensor);
  } else {
    auto& values = tensor.data.emplace<type>();
    std::uint64_t bytes = sizeof(values[0]);
    const bool empty = std::ranges::find(tensor.shape, 0) != tensor.shape.end();
    for (const std::int64_t size : tensor.shape) {
      const std::uint64_t factor = empty ? 0 : static_cast<std::uint64_t>(size);
      if (factor != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / factor) entry.fail("is too large");
      bytes *= factor;
    }
    if (range.end - range.begin != bytes)
      entry.fail(fmt::format("of shape {} and dtype {} has {} bytes of data (expected {})", to_string(tensor.shape),
                             dtype, range.end - range.begin, bytes));
    values.resize(bytes / sizeof(values[0]));
    file.stream.seekg(static_cast<std::streamoff>(data_start + range.begin));
    file.read(values.data(), bytes);
  }
}

}  // namespace

SafeTensors read_safetensors(const std::filesystem::path& path) {
  InputFile file(path);
  const auto fail = [&](const std::string& what) { throw InputError(path.string() + ": " + what); };
  if (file.size < length_bytes)
    fail(fmt::format("not a safetensors file: {} bytes (expected at least {})", file.size, length_bytes));
  std::uint64_t length = 0;
  file.read(&length, length_bytes);
  if (length > max_header || length > file.size - length_bytes)
    fail(fmt::format("header of {} bytes announced, {} follow (at most {} supported)", length, file.size - length_bytes,
                     max_header));
  std::string text(length, '\0');
  file.read(text.data(), length);
  const json header = json::parse(text, nullptr, false);
  if (!header.is_object()) fail("the header is not a JSON object");

  SafeTensors content;
  const std::uint64_t data_start = length_bytes + length, data_bytes = file.size - data_start;
  std::vector<std::pair<Range, std::string>> ranges;
  for (const auto& [name, description] : header.items()) {
    if (name == "__metadata__") {
      if (!description.is_object()) fail("'__metadata__' is not a JSON object");
      for (const auto& [key, value] : description.items()) {
        if (!value.is_string()) fail(fmt::format("'__metadata__' holds '{}', which is not a string", key));
        content.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    const Entry entry(path, name, description);
    const Range range = entry.range();
    if (range.end > data_bytes)
      entry.fail(fmt::format("ends at byte {} of the data, of which the file has {}", range.end, data_bytes));
    StoredTensor tensor;
    tensor.shape = entry.shape();
    read_data(entry, entry.dtype(), range, data_start, file, tensor);
    ranges.emplace_back(range, name);
    content.tensors.emplace(name, std::move(tensor));
  }
  std::ranges::sort(ranges, {}, [](const auto& item) { return std::pair(item.first.begin, item.first.end); });
  std::uint64_t next = 0;
  for (const auto& [range, name] : ranges) {
    if (range.begin != next)
      fail(fmt::format("tensor '{}' begins at byte {} of the data (expected {}: no gaps, no overlap)", name,
                       range.begin, next));
    next = range.end;
  }
  if (next != data_bytes) fail(fmt::format("{} bytes of data, of which the tensors use {}", data_bytes, next));
  return content;
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& content) {
  json header = json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::string data;
  for (const auto& entry : content.tensors) {
    const auto& name = entry.first;  // clang 14 cannot capture a structured binding.
    const auto& tensor = entry.second;
    const std::size_t begin = data.size();
    std::visit(
        [&](const auto& values) {
          if (static_cast<std::int64_t>(values.size()) != element_count(tensor.shape))
            throw std::invalid_argument(
                fmt::format("tensor '{}' of shape {} has {} elements", name, to_string(tensor.shape), values.size()));
          data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
        },
        tensor.data);
    header[name] = {
        {"dtype", dtypes[tensor.data.index()]}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  std::string bytes(length_bytes, '\0');
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // The format aligns the data by spaces after the header.
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, length_bytes);
  write_file_atomically(path, bytes + text + data);
}

}  // namespace lpa::workloads

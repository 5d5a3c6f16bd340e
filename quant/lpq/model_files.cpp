// quant.json and weights.safetensors.
#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "quant/formats/format_error.h"
#include "quant/formats/number_system.h"
#include "quant/lpq/digest.h"
#include "quant/lpq/quantize.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/search_json.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"
#include "workloads/safetensors.h"

namespace lpa::lpq {
namespace {

using formats::TensorFormat;
using nlohmann::json;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGraph;
using workloads::LayerKind;
using workloads::StoredTensor;

constexpr int schema_version = 3;
constexpr const char* json_name = "quant.json";
constexpr const char* weights_name = "weights.safetensors";

const char* kind_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::conv:
      return "conv";
    case LayerKind::add:
      return "add";
    case LayerKind::max_pool:
      return "max_pool";
    case LayerKind::average_pool:
      return "average_pool";
    case LayerKind::matmul:
      return "matmul";
    case LayerKind::softmax:
      return "softmax";
    case LayerKind::layer_norm:
      return "layer_norm";
    case LayerKind::copy:
      return "copy";
  }
  return "";
}

std::vector<int> weight_shape(const Layer& layer) {
  const workloads::LayerGeometry& g = layer.geometry;
  return {g.out_c, g.kernel_h, g.kernel_w, g.in_c / g.groups};
}

/// Names of a layer's tensors: the index keeps them apart whatever the layers are called.
std::string tensor_name(std::size_t index, const std::string& layer, const char* what) {
  return fmt::format("{}.{}.{}", index, layer, what);
}

/// Tells a weights file that does not belong to its quant.json (an interrupted or mixed-up copy).
std::string digest(const workloads::SafeTensors& content) {
  Digest digest;
  for (const auto& [name, tensor] : content.tensors) {
    digest.add(name);
    std::visit([&digest](const auto& data) { digest.add_elements(data); }, tensor.data);
  }
  return digest.text();
}

/// Reads a JSON object's fields; errors name the file and the field.
class Fields {
 public:
  Fields(const json& object, std::string where, std::string file)
      : object_(object), where_(std::move(where)), file_(std::move(file)) {
    if (!object.is_object()) throw InputError(fmt::format("{}: {} must be an object", file_, where_));
  }

  [[noreturn]] void fail(const char* field, const std::string& wrong) const {
    throw InputError(fmt::format("{}: {}: {}", file_, path(field), wrong));
  }

  bool has(const char* field) const { return object_.contains(field); }

  Fields object(const char* field) const { return {at(field), path(field), file_}; }

  const json& array(const char* field) const {
    if (!at(field).is_array()) fail(field, "must be an array");
    return at(field);
  }

  std::string text(const char* field) const {
    if (!at(field).is_string()) fail(field, "must be a string");
    return at(field).get<std::string>();
  }

  void expect(const char* field, const std::string& right) const {
    if (text(field) != right) fail(field, fmt::format("is \"{}\" but must be \"{}\"", text(field), right));
  }

  template <typename Integer>
  Integer integer(const char* field, Integer low, Integer high) const {
    const json& value = at(field);
    const auto wrong = [&] { fail(field, fmt::format("is {} but must be {}..{}", value.dump(), low, high)); };
    if (!value.is_number_integer()) wrong();
    if (value.is_number_unsigned()) {
      const auto number = value.get<std::uint64_t>();
      if (std::cmp_less(number, low) || std::cmp_greater(number, high)) wrong();
    } else if (std::cmp_less(value.get<std::int64_t>(), low) || std::cmp_greater(value.get<std::int64_t>(), high)) {
      wrong();
    }
    return value.get<Integer>();
  }

  /// The object's field "format".
  TensorFormat format() const {
    try {
      const TensorFormat format = formats::parse_tensor_format(text("format"));
      require_format(check_machine_format(format));
      return format;
    } catch (const formats::FormatError& error) {
      fail("format", error.what());
    }
  }

  /// The same for an operand of the graph.
  TensorFormat format(const LayerGraph& graph, int operand) const {
    const TensorFormat result = format();
    require_format(check_operand_format(graph, operand, result));
    return result;
  }

  void expect_same(const char* field, const TensorFormat& format, const TensorFormat& right, const char* why) const {
    if (format == right) return;
    object(field).fail("format", fmt::format("is {} but must be {}, {}", to_string(format), to_string(right), why));
  }

 private:
  void require_format(const std::string& wrong) const {
    if (!wrong.empty()) fail("format", wrong);
  }

  std::string path(const char* field) const { return where_.empty() ? field : where_ + "." + field; }

  const json& at(const char* field) const {
    const auto found = object_.find(field);
    if (found == object_.end()) fail(field, "is missing");
    return *found;
  }

  const json& object_;
  std::string where_, file_;
};

/// The tensor that quant.json names, of the given type and number of elements.
template <typename Element>
const std::vector<Element>& tensor_data(const workloads::SafeTensors& content, const std::string& file,
                                        const std::string& name, std::size_t count, const char* type) {
  const auto found = content.tensors.find(name);
  if (found == content.tensors.end()) throw InputError(fmt::format("{}: tensor \"{}\" is missing", file, name));
  const auto* data = std::get_if<std::vector<Element>>(&found->second.data);
  if (data == nullptr) throw InputError(fmt::format("{}: tensor \"{}\" must have the type {}", file, name, type));
  if (data->size() != count) {
    throw InputError(
        fmt::format("{}: tensor \"{}\" has {} elements but must have {}", file, name, data->size(), count));
  }
  return *data;
}

struct WeightsFile {
  std::string name;
  workloads::SafeTensors content;
};

/// Packed words of a format, as check_words() wants them.
std::vector<formats::Word> read_words(const WeightsFile& file, const std::string& name, std::size_t count,
                                      const TensorFormat& format) {
  const auto bits = static_cast<std::size_t>(format.n);
  const auto& bytes = tensor_data<std::uint8_t>(file.content, file.name, name, (count * bits + 7) / 8, "U8");
  std::vector<formats::Word> words = unpack_words(bytes, format.n, count);
  if (pack_words(words, format.n) != bytes) {
    throw InputError(fmt::format("{}: tensor \"{}\": the bits behind the last word must be 0", file.name, name));
  }
  if (const std::string wrong = check_words(words, format); !wrong.empty()) {
    throw InputError(fmt::format("{}: tensor \"{}\": {}", file.name, name, wrong));
  }
  return words;
}

void read_weights(const Fields& fields, std::size_t index, const Layer& layer, const WeightsFile& file,
                  QuantizedLayer& quantized) {
  const Fields weight = fields.object("weight");
  quantized.weight = weight.format();
  if (const json right = weight_shape(layer); weight.array("shape") != right) {
    weight.fail("shape", fmt::format("is {} but must be {}", weight.array("shape").dump(), right.dump()));
  }
  quantized.weight_shape = weight_shape(layer);
  quantized.weights = read_words(file, weight.text("tensor"), layer.weights.size(), quantized.weight);
  if (!weight.has("channel_sf")) {
    const std::string unused = tensor_name(index, layer.name, "channel_sf");
    if (file.content.tensors.contains(unused)) weight.fail("channel_sf", "is missing");
    return;
  }
  quantized.channel_sf_q8 = tensor_data<std::int16_t>(file.content, file.name, weight.text("channel_sf"),
                                                      static_cast<std::size_t>(layer.geometry.out_c), "I16");
}

void read_bias(const Fields& fields, const Layer& layer, const WeightsFile& file, QuantizedLayer& quantized) {
  constexpr std::int32_t mantissa_limit = 1 << 25;
  const Fields bias = fields.object("bias");
  const auto channels = static_cast<std::size_t>(layer.geometry.out_c);
  const std::string name = bias.text("mantissa");
  const auto& mantissas = tensor_data<std::int32_t>(file.content, file.name, name, channels, "I32");
  const auto& exponents = tensor_data<std::int16_t>(file.content, file.name, bias.text("exponent"), channels, "I16");
  for (std::size_t n = 0; n < channels; ++n) {
    if (mantissas[n] <= -mantissa_limit || mantissas[n] >= mantissa_limit) {
      throw InputError(fmt::format("{}: tensor \"{}\": element {} is {} but must be less than 2^25 in magnitude",
                                   file.name, name, n, mantissas[n]));
    }
    quantized.bias.push_back({mantissas[n], exponents[n]});
  }
}

QuantizedLayer read_layer(const Fields& fields, const LayerGraph& graph, const QuantizedModel& model,
                          const WeightsFile& file) {
  const Layer& layer = graph.layers[model.layers.size()];
  QuantizedLayer quantized;
  fields.expect("name", layer.name);
  fields.expect("op", layer.op);
  fields.expect("kind", kind_name(layer.kind));
  quantized.name = layer.name;
  quantized.op = layer.op;
  quantized.kind = layer.kind;
  quantized.encoded = fields.object("encoded").format();
  quantized.output = fields.object("output").format(graph, static_cast<int>(model.layers.size()));
  if (!layer.reencodes()) {
    fields.expect_same("encoded", quantized.encoded, quantized.output, "the output's: nothing is done behind it");
  }
  if (keeps_format(layer)) {
    fields.expect_same("output", quantized.output, model.operand_format(layer.input), "its input's");
  }
  if (layer.kind == LayerKind::conv) {
    read_weights(fields, model.layers.size(), layer, file, quantized);
    read_bias(fields, layer, file, quantized);
  }
  if (layer.uses_array()) quantized.psum_lsb = fields.integer("psum_lsb", -1000, 1000);
  derive(layer, model, quantized);
  return quantized;
}

QuantizedConstant read_constant(const Fields& fields, const LayerGraph& graph, std::size_t index,
                                const WeightsFile& file) {
  const workloads::ConstantMap& constant = graph.constants[index];
  fields.expect("name", constant.name);
  const TensorFormat format = fields.format(graph, workloads::constant_operand(static_cast<int>(index)));
  return {format, read_words(file, fields.text("tensor"), constant.data.size(), format), constant.name};
}

/// The array `field` of as many objects as the graph has.
const json& list(const Fields& fields, const char* field, std::size_t count, const LayerGraph& graph) {
  const json& items = fields.array(field);
  if (items.size() != count) {
    fields.fail(field, fmt::format("has {} {} but {} has {}", items.size(), field, graph.network, count));
  }
  return items;
}

/// All formats are numbers of one machine.
void require_one_system(const QuantizedModel& model, const Fields& fields) {
  formats::CommonSystems systems;
  const auto require = [&](const std::string& field, const TensorFormat& format) {
    if (const std::string wrong = systems.add(format); !wrong.empty()) fields.fail(field.c_str(), wrong);
  };
  require("input.format", model.input);
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    require(fmt::format("constants[{}].format", i), model.constants[i].format);
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const QuantizedLayer& layer = model.layers[i];
    const std::string name = fmt::format("layers[{}]", i);
    require(name + ".encoded.format", layer.encoded);
    require(name + ".output.format", layer.output);
    if (layer.kind == LayerKind::conv) require(name + ".weight.format", layer.weight);
  }
}

/// Puts tensors into a file and returns their names.
class TensorStore {
 public:
  template <class Element>
  std::string add(std::string name, std::vector<Element> data) {
    const auto count = static_cast<std::int64_t>(data.size());
    content_.tensors[name] = StoredTensor{{count}, std::move(data)};
    return name;
  }
  const workloads::SafeTensors& content() const { return content_; }

 private:
  workloads::SafeTensors content_;
};

json layer_entry(std::size_t index, const QuantizedLayer& quantized, TensorStore& tensors) {
  json entry = {{"name", quantized.name},
                {"op", quantized.op},
                {"kind", kind_name(quantized.kind)},
                {"encoded", {{"format", to_string(quantized.encoded)}}},
                {"output", {{"format", to_string(quantized.output)}}}};
  if (quantized.kind == LayerKind::conv) {
    const auto store = [&](const char* what, auto data) {
      return tensors.add(tensor_name(index, quantized.name, what), std::move(data));
    };
    std::vector<std::int32_t> mantissas;
    std::vector<std::int16_t> exponents;
    for (const formats::BiasTerm& bias : quantized.bias) {
      mantissas.push_back(bias.mantissa);
      exponents.push_back(bias.exponent);
    }
    entry["weight"] = {{"format", to_string(quantized.weight)},
                       {"shape", quantized.weight_shape},
                       {"tensor", store("weight", pack_words(quantized.weights, quantized.weight.n))}};
    if (!quantized.channel_sf_q8.empty()) {
      entry["weight"]["channel_sf"] = store("channel_sf", quantized.channel_sf_q8);
    }
    entry["bias"] = {{"mantissa", store("bias.mantissa", std::move(mantissas))},
                     {"exponent", store("bias.exponent", std::move(exponents))}};
  }
  if (quantized.kind == LayerKind::conv || quantized.kind == LayerKind::matmul) entry["psum_lsb"] = quantized.psum_lsb;
  return entry;
}

}  // namespace

void write(const QuantizedModel& model, const std::filesystem::path& folder) {
  TensorStore tensors;
  json constants = json::array(), layers = json::array();
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    const QuantizedConstant& constant = model.constants[i];
    std::string tensor = tensors.add(fmt::format("constant.{}", i), pack_words(constant.words, constant.format.n));
    constants.push_back(
        {{"name", constant.name}, {"format", to_string(constant.format)}, {"tensor", std::move(tensor)}});
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) layers.push_back(layer_entry(i, model.layers[i], tensors));
  nlohmann::ordered_json content = {{"schema_version", schema_version},
                                    {"network", model.network},
                                    {"method", model.method},
                                    {"seed", model.seed},
                                    {"calibration_images", model.calibration_images},
                                    {"weights_digest", digest(tensors.content())},
                                    {"input", {{"format", to_string(model.input)}}},
                                    {"constants", std::move(constants)},
                                    {"layers", std::move(layers)}};
  if (model.search) content["search"] = to_json(*model.search);
  workloads::write_safetensors(folder / weights_name, tensors.content());
  workloads::write_file_atomically(folder / json_name, content.dump(1) + "\n");
}

QuantizedModel read_quantized_model(const std::filesystem::path& folder, const LayerGraph& graph) {
  const std::string file = (folder / json_name).string();
  json document;
  try {
    document = json::parse(workloads::read_whole_file(folder / json_name));
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: not JSON: {}", file, error.what()));
  }
  const Fields fields(document, "", file);
  if (const int version = fields.integer("schema_version", 0, std::numeric_limits<int>::max());
      version != schema_version) {
    fields.fail("schema_version",
                fmt::format("is {} but must be {}; quantize the network again", version, schema_version));
  }
  fields.expect("network", graph.network);
  QuantizedModel model;
  model.network = graph.network;
  model.method = fields.text("method");
  model.seed = fields.integer<std::uint64_t>("seed", 0, std::numeric_limits<std::uint64_t>::max());
  model.calibration_images = fields.integer("calibration_images", 0, std::numeric_limits<int>::max());
  if (document.contains("search")) {
    try {
      model.search = record_from(document["search"]);
    } catch (const json::exception& error) {
      fields.fail("search", error.what());
    } catch (const std::domain_error& error) {
      fields.fail("search", error.what());
    }
  }
  model.input = fields.object("input").format(graph, workloads::network_input);

  const WeightsFile weights{(folder / weights_name).string(), workloads::read_safetensors(folder / weights_name)};
  fields.expect("weights_digest", digest(weights.content));  // else the two files were not written together
  const json& constants = list(fields, "constants", graph.constants.size(), graph);
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const Fields entry(constants[i], fmt::format("constants[{}]", i), file);
    model.constants.push_back(read_constant(entry, graph, i, weights));
  }
  const json& layers = list(fields, "layers", graph.layers.size(), graph);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    model.layers.push_back(read_layer(Fields(layers[i], fmt::format("layers[{}]", i), file), graph, model, weights));
  }
  require_one_system(model, fields);
  return model;
}

}  // namespace lpa::lpq

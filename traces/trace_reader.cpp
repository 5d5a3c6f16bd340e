#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "traces/csv.h"
#include "traces/json_fields.h"
#include "traces/trace.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::traces {
namespace {

using workloads::Activation;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;
using workloads::MatrixPlaces;

constexpr int schema_version = 1;
constexpr std::uint64_t largest_file = std::uint64_t{256} << 20;

/// The index of a name in an array of names; throws InputError if it is none of them.
template <class Kind>
Kind choice(const Fields& fields, std::string_view field, const char* (*name)(Kind), Kind last) {
  const std::string text = fields.text(field);
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    names.emplace_back(name(static_cast<Kind>(i)));
    if (names.back() == text) return static_cast<Kind>(i);
  }
  fields.place(field).fail(fmt::format("{} is none of {}", in_quotes(text), fmt::join(names, ", ")));
}

std::vector<std::string> layer_fields(LayerKind kind) {
  std::vector<std::string> fields{"name", "op", "kind", "input", "activation", "geometry", "formats", "work"};
  const auto add = [&](std::initializer_list<std::string> more) { fields.insert(fields.end(), more); };
  switch (kind) {
    case LayerKind::conv:
      add({"addend", "psum_lsb"});
      break;
    case LayerKind::matmul:
      add({"addend", "stationary", "products", "psum_lsb"});
      break;
    case LayerKind::add:
      add({"addend"});
      break;
    case LayerKind::average_pool:
      add({"count_include_pad"});
      break;
    case LayerKind::layer_norm:
      add({"epsilon"});
      break;
    case LayerKind::copy:
      add({"addend", "boxes"});
      break;
    default:
      break;
  }
  return fields;
}

class Reader {
 public:
  Reader(const std::filesystem::path& file, const Json& document) : file_(file), document_(document) {}

  Trace run() {
    const Fields fields(document_, {file_, document_.line, ""},
                        {"schema_version", "network", "source", "parameters", "macs", "weights", "tensors", "input",
                         "constants", "layers"});
    if (const std::int64_t version = fields.whole("schema_version"); version != schema_version)
      fields.place("schema_version")
          .fail(fmt::format("is {} but this program reads version {}", version, schema_version));
    trace_.graph.network = fields.text("network");
    trace_.source = fields.text("source");
    trace_.parameters = fields.whole("parameters");
    if (fields.has("tensors")) trace_.tensors = fields.text("tensors");
    read_input(fields.object("input", {"shape", "format"}));
    if (fields.has("constants")) {
      for (std::size_t i = 0; i < fields.array("constants").size(); ++i)
        read_constant(
            {fields.array("constants")[i], fields.place("constants", i), {"name", "shape", "format", "stands_for"}});
    }
    const std::vector<Json>& layers = fields.array("layers");
    for (std::size_t i = 0; i < layers.size(); ++i) read_layer(layers[i], fields.place("layers", i));
    check();
    for (std::size_t i = 0; i < layers.size(); ++i) expect_work(layers[i], fields.place("layers", i), i);
    fields.expect("macs", total_work(trace_).macs);
    fields.expect("weights", total_work(trace_).weights);
    return std::move(trace_);
  }

 private:
  void check() const {
    try {
      check_trace(trace_);
    } catch (const TraceFault& fault) {
      Place{file_, document_.line_at(fault.path()), fault.path()}.fail(fault.what());
    }
  }

  void read_input(const Fields& fields) {
    const auto shape = fields.extents("shape", 3);
    trace_.graph.in_h = shape[0], trace_.graph.in_w = shape[1], trace_.graph.in_c = shape[2];
    trace_.input = fields.format("format");
  }

  void read_constant(const Fields& fields) {
    const auto shape = fields.extents("shape", 3);
    remember(fields.text("name"), workloads::constant_operand(static_cast<int>(trace_.constants.size())));
    trace_.graph.constants.push_back({fields.text("name"), shape[0], shape[1], shape[2], {}});
    TraceConstant constant{.format = fields.format("format")};
    if (fields.has("stands_for"))
      constant.role = choice(fields, "stands_for", role_name, ConstantRole::rectified_layer);
    trace_.constants.push_back(constant);
  }

  void remember(const std::string& name, int operand) { operands_.emplace(name, operand); }

  int operand(const Fields& fields, std::string_view field) const {
    if (!fields.has(field)) return workloads::no_operand;
    const std::string name = fields.text(field);
    if (name == "input") return workloads::network_input;
    const auto found = operands_.find(name);
    if (found == operands_.end())
      fields.place(field).fail(
          fmt::format("{} is not \"input\", a constant or a layer before this one", in_quotes(name)));
    return found->second;
  }

  void read_layer(const Json& json, const Place& place) {
    const Json* kind_field = json.find("kind");
    Layer layer;
    // The kind says which fields there are; one that is missing or wrong is reported first.
    std::vector<std::string> known = layer_fields(LayerKind::conv);
    if (json.kind == Json::Kind::object && kind_field != nullptr)
      layer.kind = choice(Fields(json, place, json.keys), "kind", kind_name, LayerKind::copy);
    known = layer_fields(layer.kind);
    const Fields fields(json, place, known);
    fields.at("kind");
    layer.name = fields.text("name");
    layer.op = fields.text("op");
    layer.input = operand(fields, "input");
    layer.addend = operand(fields, "addend");
    layer.stationary = operand(fields, "stationary");
    if (fields.has("activation")) layer.activation = read_activation(fields);
    read_geometry(fields, layer);
    if (layer.kind == LayerKind::matmul) read_products(fields, layer.products);
    if (layer.kind == LayerKind::copy) read_boxes(fields, layer);
    if (layer.kind == LayerKind::average_pool) layer.count_include_pad = fields.truth("count_include_pad");
    if (layer.kind == LayerKind::layer_norm) layer.epsilon = fields.real("epsilon");
    trace_.layers.push_back(read_formats(fields, layer));
    remember(layer.name, static_cast<int>(trace_.graph.layers.size()));
    trace_.graph.layers.push_back(std::move(layer));
  }

  static Activation read_activation(const Fields& layer) {
    const Fields fields = layer.object("activation", {"kind", "low", "high"});
    Activation activation;
    activation.kind = choice(fields, "kind", activation_name, Activation::Kind::gelu);
    if (activation.kind != Activation::Kind::clip) {
      for (const char* bound : {"low", "high"})
        if (fields.has(bound)) fields.place(bound).fail("only a clip has bounds");
      return activation;
    }
    constexpr double infinity = std::numeric_limits<double>::infinity();
    activation.low = fields.has("low") ? fields.real("low") : -infinity;
    activation.high = fields.has("high") ? fields.real("high") : infinity;
    return activation;
  }

  static void read_geometry(const Fields& layer, Layer& result) {
    const bool conv = result.kind == LayerKind::conv;
    const bool window = conv || result.kind == LayerKind::max_pool || result.kind == LayerKind::average_pool;
    std::vector<std::string> known{"in", "out"};
    if (window) known.insert(known.end(), {"kernel", "stride", "pad", "dilation"});
    if (conv) known.emplace_back("groups");
    const Fields fields = layer.object("geometry", known);
    LayerGeometry& g = result.geometry;
    const auto set = [&](const char* field, std::initializer_list<int*> targets) {
      const auto values = fields.extents(field, targets.size());
      std::size_t next = 0;
      for (int* target : targets) *target = values[next++];
    };
    set("in", {&g.in_h, &g.in_w, &g.in_c});
    set("out", {&g.out_h, &g.out_w, &g.out_c});
    if (!window) return;
    set("kernel", {&g.kernel_h, &g.kernel_w});
    set("stride", {&g.stride_h, &g.stride_w});
    set("pad", {&g.pad_top, &g.pad_left, &g.pad_bottom, &g.pad_right});
    set("dilation", {&g.dilation_h, &g.dilation_w});
    if (conv) g.groups = fields.extent("groups");
  }

  static MatrixPlaces read_places(const Fields& products, const char* field) {
    const Fields fields = products.object(field, {"offset", "outer", "inner", "row", "column"});
    return {fields.whole("offset"), fields.whole("outer"), fields.whole("inner"), fields.whole("row"),
            fields.whole("column")};
  }

  static void read_products(const Fields& layer, workloads::MatrixProducts& p) {
    const Fields fields = layer.object(
        "products", {"outer", "inner", "m", "n", "k", "scale", "scale_q8", "input", "stationary", "output"});
    p.outer = fields.extent("outer");
    p.inner = fields.extent("inner");
    p.m = fields.extent("m");
    p.n = fields.extent("n");
    p.k = fields.extent("k");
    p.scale = fields.real("scale");
    p.input = read_places(fields, "input");
    p.stationary = read_places(fields, "stationary");
    p.output = read_places(fields, "output");
  }

  static void read_boxes(const Fields& layer, Layer& result) {
    const std::vector<Json>& boxes = layer.array("boxes");
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      const Fields fields(boxes[i], layer.place("boxes", i),
                          {"source", "count", "from", "from_stride", "to", "to_stride"});
      workloads::CopyBox box;
      box.source = fields.extent("source");
      const auto count = fields.wholes("count", 3);
      const auto from = fields.wholes("from_stride", 2), to = fields.wholes("to_stride", 2);
      std::ranges::copy(count, box.count.begin());
      std::ranges::copy(from, box.from_stride.begin());
      std::ranges::copy(to, box.to_stride.begin());
      box.from = fields.whole("from");
      box.to = fields.whole("to");
      result.boxes.push_back(box);
    }
  }

  static TraceLayer read_formats(const Fields& layer, const Layer& shape) {
    const bool array = shape.uses_array();
    const Fields fields = layer.object("formats", array ? std::vector<std::string>{"weight", "encoded", "output"}
                                                        : std::vector<std::string>{"output"});
    TraceLayer result;
    result.output = result.encoded = fields.format("output");
    if (!array) return result;
    result.weight = fields.format("weight");
    result.encoded = fields.format("encoded");
    result.psum_lsb = layer.extent("psum_lsb");
    return result;
  }

  /// What follows from the other fields is there, and right.
  void expect_work(const Json& json, const Place& place, std::size_t index) const {
    const Layer& layer = trace_.graph.layers[index];
    const Fields fields(json, place, json.keys);
    const LayerWork right = work_of(layer);
    const Fields work = fields.object(
        "work", layer.uses_array() ? std::vector<std::string>{"count", "m", "n", "k", "macs", "weights", "ppu"}
                                   : std::vector<std::string>{"ppu"});
    work.expect("ppu", right.ppu);
    if (!layer.uses_array()) return;
    work.expect("count", right.count);
    work.expect("m", right.m);
    work.expect("n", right.n);
    work.expect("k", right.k);
    work.expect("macs", right.macs);
    work.expect("weights", right.weights);
    if (layer.kind == LayerKind::matmul)
      Fields(fields.at("products"), fields.place("products"), fields.at("products").keys)
          .expect("scale_q8", product_scale_q8(layer.products));
  }

  const std::filesystem::path& file_;
  const Json& document_;
  Trace trace_;
  std::map<std::string, int> operands_;
};

}  // namespace

Trace parse_trace(const std::filesystem::path& file, std::string_view text) {
  const Json document = parse_json(file, text);
  return Reader(file, document).run();
}

Trace read_trace(const std::filesystem::path& path) {
  if (const auto size = workloads::InputFile(path).size; size > largest_file)
    throw InputError(fmt::format("{}: {} bytes; a trace of at most {} expected", path.string(), size, largest_file));
  return parse_trace(path, workloads::read_whole_file(path));
}

}  // namespace lpa::traces

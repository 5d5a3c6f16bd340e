// What the machine requires of a trace.
#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "quant/formats/number_system.h"
#include "traces/csv.h"
#include "traces/layer_table.h"
#include "traces/trace.h"

namespace lpa::traces {
namespace {

using workloads::Activation;
using workloads::CopyBox;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;
using workloads::MatrixPlaces;
using workloads::no_operand;

constexpr int largest_lsb = 1000;
constexpr int largest_log2_scale = 64;

struct Map {
  int h, w, c;
  std::int64_t elements() const { return std::int64_t{h} * w * c; }
  std::string text() const { return fmt::format("{} x {} x {}", h, w, c); }
  bool operator==(const Map&) const = default;
};

Map input_of(const LayerGeometry& g) {
  return {g.in_h, g.in_w, g.in_c};
}
Map output_of(const LayerGeometry& g) {
  return {g.out_h, g.out_w, g.out_c};
}

/// One dimension of places within a map.
struct Steps {
  std::string_view name;
  std::int64_t count, stride;
};

class Checker {
 public:
  explicit Checker(const Trace& trace) : trace_(trace) {}

  void run() {
    check_map("input.shape", {trace_.graph.in_h, trace_.graph.in_w, trace_.graph.in_c});
    check_format("input.format", trace_.input);
    if (trace_.parameters < 0) fail("parameters", "must not be negative");
    check_file_name("network", trace_.graph.network);
    if (!trace_.tensors.empty()) check_file_name("tensors", trace_.tensors);
    names_ = {"input"};
    if (trace_.graph.constants.size() != trace_.constants.size()) fail("constants", "formats are missing");
    for (std::size_t i = 0; i < trace_.constants.size(); ++i) {
      const workloads::ConstantMap& constant = trace_.graph.constants[i];
      const std::string path = fmt::format("constants[{}]", i);
      check_name(path + ".name", constant.name);
      check_map(path + ".shape", {constant.h, constant.w, constant.c});
      check_format(path + ".format", trace_.constants[i].format);
    }
    if (trace_.graph.layers.empty()) fail("layers", "must hold at least one layer");
    if (trace_.graph.layers.size() != trace_.layers.size()) fail("layers", "formats are missing");
    for (index_ = 0; index_ < trace_.layers.size(); ++index_) check_layer();
  }

 private:
  [[noreturn]] static void fail(const std::string& path, const std::string& what) { throw TraceFault(path, what); }
  std::string path(std::string_view field) const { return fmt::format("layers[{}].{}", index_, field); }
  [[noreturn]] void fail_layer(std::string_view field, const std::string& what) const { fail(path(field), what); }

  const Layer& layer() const { return trace_.graph.layers[index_]; }
  const TraceLayer& layer_formats() const { return trace_.layers[index_]; }

  static void check_file_name(const std::string& path, const std::string& name) {
    const auto bad = [](char c) { return (c >= 0 && c < ' ') || c == '/' || c == '\x7f'; };
    if (name.empty() || name == "." || name == ".." || std::ranges::any_of(name, bad))
      fail(path, fmt::format("{} must be a file's name without folder", in_quotes(name)));
  }

  void check_name(const std::string& path, const std::string& name) {
    if (name.empty()) fail(path, "must not be empty");
    if (std::ranges::any_of(name, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }))
      fail(path, "must not hold control characters");
    if (!names_.insert(name).second)
      fail(path, fmt::format("{} is the name of something before it, too", in_quotes(name)));
  }

  static void check_extents(const std::string& path, std::initializer_list<int> values, int low) {
    for (const int value : values)
      if (value < low) fail(path, fmt::format("is {} but must be {}..{}", value, low, largest_map));
  }

  static void check_map(const std::string& path, const Map& map) {
    check_extents(path, {map.h, map.w, map.c}, 1);
    const auto elements = product({map.h, map.w, map.c});
    if (!elements || *elements > largest_map)
      fail(path, fmt::format("a map of {} has more than {} elements", map.text(), largest_map));
  }

  void check_format(const std::string& path, const formats::TensorFormat& format) {
    if (format.n != 2 && format.n != 4 && format.n != 8)
      fail(path, fmt::format("n is {} but must be 2, 4 or 8", format.n));
    if (const std::string wrong = formats::check(format); !wrong.empty()) fail(path, wrong);
    if (const std::string wrong = systems_.add(format); !wrong.empty()) fail(path, wrong);
  }

  void require_same(std::string_view field, const formats::TensorFormat& format, const formats::TensorFormat& right,
                    std::string_view why) const {
    if (format == right) return;
    fail_layer(field, fmt::format("is {} but must be {}, {}", to_string(format), to_string(right), why));
  }

  void require_bytes(std::string_view field, int operand, std::string_view why) const {
    const int bits = trace_.operand_format(operand).n;
    if (bits == 8) return;
    fail_layer(field, fmt::format("{} has words of {} bits but {} must have 8 bits",
                                  in_quotes(trace_.operand_name(operand)), bits, why));
  }

  Map map_of(int operand) const {
    const workloads::LayerGraph& graph = trace_.graph;
    if (operand == workloads::network_input) return {graph.in_h, graph.in_w, graph.in_c};
    if (!workloads::is_constant(operand)) return output_of(graph.layers[static_cast<std::size_t>(operand)].geometry);
    const workloads::ConstantMap& constant = graph.constants[workloads::constant_index(operand)];
    return {constant.h, constant.w, constant.c};
  }

  void check_operand(std::string_view field, int operand, bool required) const {
    if (operand == no_operand) {
      if (required) fail_layer(field, fmt::format("is missing, but a {} layer has one", kind_name(layer().kind)));
      return;
    }
    if (workloads::is_constant(operand) ? workloads::constant_index(operand) < trace_.constants.size()
                                        : operand < static_cast<int>(index_))
      return;
    fail_layer(field, "must be a layer before this one, a constant or \"input\"");
  }

  void check_layer() {
    const LayerKind kind = layer().kind;
    check_name(path("name"), layer().name);
    check_operand("input", layer().input, true);
    check_operand("addend", layer().addend, kind == LayerKind::add);
    check_operand("stationary", layer().stationary, kind == LayerKind::matmul);
    const bool may_add = layer().uses_array() || kind == LayerKind::add || kind == LayerKind::copy;
    if (layer().addend != no_operand && !may_add)
      fail_layer("addend", fmt::format("a {} layer has none", kind_name(kind)));
    if (layer().stationary != no_operand && kind != LayerKind::matmul)
      fail_layer("stationary", fmt::format("a {} layer has none", kind_name(kind)));
    check_geometry();
    if (kind == LayerKind::matmul) check_products();
    if (kind == LayerKind::copy) check_boxes();
    if (kind == LayerKind::layer_norm && !(layer().epsilon >= 0 && std::isfinite(layer().epsilon)))
      fail_layer("epsilon", "must not be negative");
    check_activation();
    check_formats();
    check_work();
  }

  void check_geometry() const {
    const LayerGeometry& g = layer().geometry;
    check_map(path("geometry.in"), input_of(g));
    check_map(path("geometry.out"), output_of(g));
    check_input_map();
    switch (layer().kind) {
      case LayerKind::conv:
      case LayerKind::max_pool:
      case LayerKind::average_pool:
        check_window();
        break;
      case LayerKind::add:
      case LayerKind::softmax:
      case LayerKind::layer_norm:
        if (output_of(g) != input_of(g))
          fail_layer("geometry.out",
                     fmt::format("is {} but must be {}, the input's", output_of(g).text(), input_of(g).text()));
        break;
      default:
        break;
    }
    // A copy's second source is another map as a rule; everyone else adds element by element.
    if (layer().addend == no_operand || layer().kind == LayerKind::copy) return;
    const Map addend = map_of(layer().addend);
    if (addend.c != g.out_c || addend.elements() != output_of(g).elements())
      fail_layer("addend",
                 fmt::format("{} has a map of {} but the layer's is {}", in_quotes(trace_.operand_name(layer().addend)),
                             addend.text(), output_of(g).text()));
  }

  /// Rows and columns of a map may be seen as other ones, of as many positions.
  void check_input_map() const {
    const Map given = input_of(layer().geometry), stored = map_of(layer().input);
    const bool by_element = layer().kind == LayerKind::matmul || layer().kind == LayerKind::copy;
    if (given.elements() != stored.elements() || (!by_element && given.c != stored.c))
      fail_layer("geometry.in", fmt::format("is {} but {} has a map of {}", given.text(),
                                            in_quotes(trace_.operand_name(layer().input)), stored.text()));
  }

  void check_window() const {
    const LayerGeometry& g = layer().geometry;
    check_extents(path("geometry.kernel"), {g.kernel_h, g.kernel_w}, 1);
    check_extents(path("geometry.stride"), {g.stride_h, g.stride_w}, 1);
    check_extents(path("geometry.pad"), {g.pad_top, g.pad_left, g.pad_bottom, g.pad_right}, 0);
    check_extents(path("geometry.dilation"), {g.dilation_h, g.dilation_w}, 1);
    check_axis({g.in_h, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top, g.pad_bottom, g.out_h}, "height");
    check_axis({g.in_w, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left, g.pad_right, g.out_w}, "width");
    if (layer().kind == LayerKind::conv) {
      if (g.groups < 1 || g.in_c % g.groups != 0 || g.out_c % g.groups != 0)
        fail_layer("geometry.groups",
                   fmt::format("is {} but must divide {} and {} channels", g.groups, g.in_c, g.out_c));
    } else if (g.out_c != g.in_c) {
      fail_layer("geometry.out", fmt::format("has {} channels but must have {}, the input's", g.out_c, g.in_c));
    }
  }

  struct Axis {
    std::int64_t in, kernel, stride, dilation, before, after, out;
  };

  void check_axis(const Axis& axis, std::string_view name) const {
    const std::int64_t window = axis.dilation * (axis.kernel - 1) + 1;
    const std::int64_t padded = axis.in + axis.before + axis.after;
    if (window > padded)
      fail_layer("geometry.kernel",
                 fmt::format("its {} of {} is beyond the input's {}, padding included", name, window, padded));
    if (layer().kind != LayerKind::conv && std::max(axis.before, axis.after) >= window)
      fail_layer("geometry.pad", fmt::format("must be smaller than the window's {} of {}", name, window));
    const std::int64_t out = (padded - window) / axis.stride + 1;
    if (axis.out != out) fail_layer("geometry.out", fmt::format("its {} is {} but must be {}", name, axis.out, out));
  }

  /// Throws if places leave a map of that many elements.
  void check_reach(const std::string& field, std::int64_t offset, std::span<const Steps> steps, const Map& map) const {
    if (offset < 0) fail_layer(field, "has a negative offset");
    std::int64_t last = offset;
    for (const Steps& step : steps) {
      if (step.stride < 0 || step.stride > largest_map)
        fail_layer(field, fmt::format("{} stride is {} but must be 0..{}", step.name, step.stride, largest_map));
      const std::int64_t reach = (step.count - 1) * step.stride;
      if (last >= map.elements() || reach >= map.elements() - last)
        fail_layer(field, fmt::format("reaches beyond the {} elements of the map", map.elements()));
      last += reach;
    }
    if (last >= map.elements())
      fail_layer(field, fmt::format("reaches beyond the {} elements of the map", map.elements()));
  }

  void check_products() const {
    const workloads::MatrixProducts& p = layer().products;
    check_extents(path("products"), {p.outer, p.inner, p.m, p.n, p.k}, 1);
    if (!(p.scale > 0 && std::abs(std::log2(p.scale)) <= largest_log2_scale))
      fail_layer("products.scale", fmt::format("must be 2^-{0} to 2^{0}", largest_log2_scale));
    const auto check_places = [&](const char* name, const MatrixPlaces& places, int rows, int columns, const Map& map) {
      const std::array<Steps, 4> steps{{{"outer", p.outer, places.outer_stride},
                                        {"inner", p.inner, places.inner_stride},
                                        {"row", rows, places.row_stride},
                                        {"column", columns, places.column_stride}}};
      check_reach(fmt::format("products.{}", name), places.offset, steps, map);
    };
    check_places("input", p.input, p.m, p.k, map_of(layer().input));
    check_places("stationary", p.stationary, p.k, p.n, map_of(layer().stationary));
    check_places("output", p.output, p.m, p.n, output_of(layer().geometry));
    if (p.input.column_stride != 1) fail_layer("products.input", "column stride must be 1");
    if (p.output.column_stride != 1) fail_layer("products.output", "column stride must be 1");
    if (p.stationary.column_stride != 1 && p.stationary.row_stride != 1)
      fail_layer("products.stationary", "row or column stride must be 1");
    check_cover();
  }

  /// The products' places fill the output map, each element once.
  void check_cover() const {
    const workloads::MatrixProducts& p = layer().products;
    const std::int64_t elements = output_of(layer().geometry).elements();
    if (product({p.outer, p.inner, p.m, p.n}) != std::optional(elements))
      fail_layer("products", fmt::format("do not fill the {} elements of the layer's map", elements));
    std::array<Steps, 4> steps{{{"", p.outer, p.output.outer_stride},
                                {"", p.inner, p.output.inner_stride},
                                {"", p.m, p.output.row_stride},
                                {"", p.n, p.output.column_stride}}};
    std::ranges::sort(steps, {}, &Steps::stride);
    std::int64_t filled = 1;
    for (const Steps& step : steps) {
      if (step.count == 1) continue;
      if (step.stride != filled) fail_layer("products.output", "places overlap or leave out elements");
      filled *= step.count;
    }
  }

  void check_boxes() const {
    const Map target = output_of(layer().geometry);
    if (target.elements() > largest_copy)
      fail_layer("geometry.out", fmt::format("a copy of more than {} elements", largest_copy));
    std::vector<bool> filled(static_cast<std::size_t>(target.elements()));
    for (std::size_t i = 0; i < layer().boxes.size(); ++i) {
      const CopyBox& box = layer().boxes[i];
      const std::string field = fmt::format("boxes[{}]", i);
      if (box.source != 0 && (box.source != 1 || layer().addend == no_operand))
        fail_layer(field, fmt::format("source is {} but must be 0, or 1 beside an addend", box.source));
      for (const std::int64_t count : box.count)
        if (count < 1 || count > largest_map)
          fail_layer(field, fmt::format("count is {} but must be 1..{}", count, largest_map));
      const auto steps = [&](const std::array<std::int64_t, 2>& strides) {
        return std::array<Steps, 3>{
            {{"first", box.count[0], strides[0]}, {"second", box.count[1], strides[1]}, {"last", box.count[2], 1}}};
      };
      const Map source = map_of(box.source == 0 ? layer().input : layer().addend);
      check_reach(field + ".from", box.from, steps(box.from_stride), source);
      check_reach(field + ".to", box.to, steps(box.to_stride), target);
      fill(field, box, filled);
    }
  }

  void fill(const std::string& field, const CopyBox& box, std::vector<bool>& filled) const {
    for (std::int64_t i = 0; i < box.count[0]; ++i) {
      for (std::int64_t j = 0; j < box.count[1]; ++j) {
        const std::int64_t first = box.to + i * box.to_stride[0] + j * box.to_stride[1];
        for (std::int64_t c = 0; c < box.count[2]; ++c) {
          const auto element = static_cast<std::size_t>(first + c);
          if (filled[element])
            fail_layer(field, fmt::format("fills element {} of the map, which is filled already", element));
          filled[element] = true;
        }
      }
    }
  }

  void check_activation() const {
    const Activation& a = layer().activation;
    if (a.kind == Activation::Kind::clip && !(a.low < a.high))
      fail_layer("activation", fmt::format("clips to {}..{}, which is empty", a.low, a.high));
    const bool plain = a.kind == Activation::Kind::none || a.kind == Activation::Kind::relu;
    if (layer().addend != no_operand && layer().kind != LayerKind::copy && !plain)
      fail_layer("activation", fmt::format("is {} but must be none or relu beside an addend", activation_name(a.kind)));
  }

  void check_formats() {
    const TraceLayer& f = layer_formats();
    check_format(path("formats.output"), f.output);
    if (layer().uses_array()) {
      check_format(path("formats.weight"), f.weight);
      check_format(path("formats.encoded"), f.encoded);
      if (std::abs(f.psum_lsb) > largest_lsb)
        fail_layer("psum_lsb", fmt::format("is {} but must be -{}..{}", f.psum_lsb, largest_lsb, largest_lsb));
    }
    if (!layer().uses_array() || !layer().reencodes())
      require_same("formats.encoded", f.encoded, f.output, "the output's: nothing comes between");
    const bool moves = layer().kind == LayerKind::copy && layer().addend == no_operand &&
                       layer().activation.kind == Activation::Kind::none;
    if (layer().kind == LayerKind::max_pool || moves)
      require_same("formats.output", f.output, trace_.operand_format(layer().input),
                   "its input's: words stay as they are");
    if (layer().kind == LayerKind::matmul) {
      require_same("formats.weight", f.weight, trace_.operand_format(layer().stationary), "its stationary operand's");
      require_bytes("input", layer().input, "a matmul's operand");
      require_bytes("stationary", layer().stationary, "a matmul's operand");
      if (layer().addend != no_operand) require_bytes("addend", layer().addend, "a matmul's addend");
    }
    if (layer().kind == LayerKind::copy) {
      require_bytes("input", layer().input, "a copy's source");
      if (layer().addend != no_operand) require_bytes("addend", layer().addend, "a copy's source");
    }
  }

  /// Counts stay below their limits, so that nobody who multiplies them needs to care.
  void check_work() {
    const LayerGeometry& g = layer().geometry;
    if (layer().uses_array()) {
      const workloads::MatrixProducts& p = layer().products;
      const auto weights = layer().kind == LayerKind::matmul
                               ? product({p.outer, p.inner, p.n, p.k})
                               : product({g.out_c, g.kernel_h, g.kernel_w, g.in_c / g.groups});
      if (!weights || *weights > largest_map) fail_layer("geometry", fmt::format("more than {} weights", largest_map));
      const auto macs = product({*weights, layer().m()});
      if (!macs || *macs > INT64_MAX - macs_) fail_layer("geometry", "the trace's MACs are beyond 64 bits");
      macs_ += *macs;
    }
    const auto ppu = product({output_of(g).elements(), g.kernel_h, g.kernel_w, 3});
    if (!ppu || *ppu > INT64_MAX - ppu_) fail_layer("geometry", "the trace's post-processing is beyond 64 bits");
    ppu_ += *ppu;
  }

  const Trace& trace_;
  formats::CommonSystems systems_;
  std::set<std::string> names_;
  std::size_t index_ = 0;
  std::int64_t macs_ = 0, ppu_ = 0;
};

}  // namespace

void check_trace(const Trace& trace) {
  Checker(trace).run();
}

}  // namespace lpa::traces

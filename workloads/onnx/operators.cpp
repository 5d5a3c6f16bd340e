#include "workloads/onnx/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"
#include "workloads/onnx/arithmetic.h"
#include "workloads/onnx/fold.h"
#include "workloads/onnx/shapes.h"
#include "workloads/onnx/windows.h"

namespace lpa::workloads::detail {

const char* const supported_operators =
    "Conv, Gemm, MatMul, Add, Sub, Mul, Div, Relu, Clip, Softmax, LayerNormalization, MaxPool, AveragePool, "
    "GlobalAveragePool, ReduceMean, BatchNormalization after Conv or Gemm, Pad, Slice, Split, Gather, Concat, "
    "Transpose, "
    "Expand, Tile, Flatten, Reshape, Squeeze, Unsqueeze, Identity, Cast, Dropout; GELU by Erf and layer normalisation "
    "written out";

namespace {

std::vector<float> zeros(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), 0.0f);
}

/// [K, N] to [N, K], by blocks that stay in the cache.
std::vector<float> transposed(const std::vector<float>& source, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t block = 32;
  std::vector<float> result(source.size());
  for (std::int64_t row = 0; row < rows; row += block)
    for (std::int64_t column = 0; column < columns; column += block)
      for (std::int64_t c = column; c < std::min(column + block, columns); ++c)
        for (std::int64_t r = row; r < std::min(row + block, rows); ++r)
          result[static_cast<std::size_t>(c * rows + r)] = source[static_cast<std::size_t>(r * columns + c)];
  return result;
}

/// Imports one node.
class Importer {
 public:
  Importer(NetworkBuilder& builder, NodeReader& node, std::size_t output)
      : builder_(builder), node_(node), index_(output), output_(node.output_name(output)) {}

  int run() {
    const std::string& op = node_.op();
    if (index_ > 0 && op != "Split")
      node_.fail(fmt::format("output {} ('{}') is used (supported: the first one)", index_, output_));
    if (op == "Conv") return conv();
    if (op == "Gemm") return gemm();
    if (op == "MatMul") return matmul();
    if (op == "Add" || op == "Sub") return import_sum(builder_, node_, output_);
    if (op == "Mul" || op == "Div") return import_scaling(builder_, node_, output_);
    if (op == "Relu") return append_like_input(Relu{});
    if (op == "Clip") return clip();
    if (op == "Softmax") return softmax();
    if (op == "LayerNormalization") return layer_normalization();
    if (op == "MaxPool" || op == "AveragePool") return pool();
    if (op == "GlobalAveragePool") return global_average_pool();
    if (op == "ReduceMean") return reduce_mean();
    if (op == "BatchNormalization") return import_batch_normalization(builder_, node_, output_);
    if (op == "Pad") return pad();
    if (selects(op)) return move();
    if (op == "Flatten" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze")
      return builder_.reshape(node_, output_, node_.value(0), reshaped_by(node_, shape(node_.value(0))));
    if (op == "Identity") return node_.value(0);
    if (op == "Cast") return cast();
    if (op == "Dropout") return dropout();
    throw InputError(fmt::format("{}: node '{}': operator '{}' is not supported (supported: {})", builder_.file(),
                                 node_.name(), op, supported_operators));
  }

 private:
  const Shape& shape(int value) const { return builder_.shape(value); }

  int append(Operator attributes, std::vector<int> inputs, Shape output_shape) {
    return builder_.append(node_, output_, std::move(attributes), std::move(inputs), std::move(output_shape));
  }

  /// A node of one input, whose shape the output has.
  int append_like_input(Operator attributes) {
    const int input = node_.value(0);
    return append(std::move(attributes), {input}, shape(input));
  }

  int conv() {
    const int input = node_.value(0);
    const Constant& weights = node_.constant(1);
    const Shape& w = weights.shape;
    if (w.size() != 4 || element_count(w) == 0)
      node_.fail(fmt::format("weights have shape {} (supported: out_c x in_c/group x kh x kw)", to_string(w)));
    const std::vector<std::int64_t> kernel{w[2], w[3]};
    if (node_.integers("kernel_shape", kernel) != kernel)
      node_.fail(fmt::format("'kernel_shape' is {} but the weights have shape {}",
                             to_string(node_.integers("kernel_shape", kernel)), to_string(w)));
    Window window = read_window(node_, builder_.shape(input), kernel, false);
    const std::int64_t groups = node_.integer("group", 1), in_c = builder_.shape(input)[1];
    if (groups < 1 || in_c % groups != 0 || in_c / groups != w[1] || w[0] % groups != 0)
      node_.fail(fmt::format("an input of {} channels in {} groups does not fit weights of shape {}", in_c, groups,
                             to_string(w)));
    Conv conv;
    conv.kernel = std::move(window.kernel);
    conv.strides = std::move(window.strides);
    conv.pads = std::move(window.pads);
    conv.dilations = std::move(window.dilations);
    conv.groups = static_cast<int>(groups);
    conv.bias = {{w[0]}, node_.has(2) ? list(node_, 2, w[0]) : zeros(w[0])};
    const Shape result{1, w[0], window.output[0], window.output[1]};
    conv.weights = {w, node_.take_floats(1)};
    return append(std::move(conv), {input}, result);
  }

  /// Weights [N, K] of a product with input 1, which is [K, N] or, transposed, [N, K]; and a bias of 0.
  Gemm product(bool is_transposed, float alpha) {
    const Shape s = node_.constant(1).shape;
    if (s.size() != 2 || element_count(s) == 0)
      node_.fail(fmt::format("weights have shape {} (supported: two axes)", to_string(s)));
    const std::int64_t n = is_transposed ? s[0] : s[1], k = is_transposed ? s[1] : s[0];
    Gemm gemm;
    gemm.weights.shape = {n, k};
    gemm.weights.data = is_transposed ? node_.take_floats(1) : transposed(node_.take_floats(1), k, n);
    gemm.bias = {{n}, zeros(n)};
    if (alpha != 1.0f)
      for (float& weight : gemm.weights.data) weight *= alpha;
    return gemm;
  }

  int gemm() {
    const int input = node_.value(0);
    if (node_.integer("transA", 0) != 0) node_.fail("'transA' is not 0 (supported: 0)");
    Gemm gemm = product(node_.integer("transB", 0) != 0, node_.real("alpha", 1.0f));
    const std::int64_t n = gemm.weights.shape[0], k = gemm.weights.shape[1];
    if (shape(input).size() != 2 || shape(input)[1] != k)
      node_.fail(fmt::format("input has shape {} (expected two axes, the second of {} to fit the weights)",
                             to_string(shape(input)), k));
    if (node_.has(2)) {
      gemm.bias.data = per_channel(node_, 2, n, 2, 1);
      if (gemm.bias.data.empty())
        node_.fail(fmt::format("input 2 ('{}') has shape {} (supported: a value per channel, 1x{}, or a single one)",
                               node_.input_name(2), to_string(node_.constant(2).shape), n));
      for (float& bias : gemm.bias.data) bias *= node_.real("beta", 1.0f);
    }
    return append(std::move(gemm), {input}, {shape(input)[0], n});
  }

  int matmul() {
    if (node_.is_constant(0))
      node_.fail("the left operand is a constant (supported: a computed value by constant weights or by another)");
    const int input = node_.value(0);
    if (!node_.is_constant(1)) return matmul_computed(input, node_.value(1));
    Gemm gemm = product(false, 1.0f);
    Shape result = shape(input);
    if (result.size() < 2 || result.back() != gemm.weights.shape[1])
      node_.fail(fmt::format("input has shape {} (expected ... x {} to fit the weights)", to_string(result),
                             gemm.weights.shape[1]));
    result.back() = gemm.weights.shape[0];
    return append(std::move(gemm), {input}, std::move(result));
  }

  int matmul_computed(int left, int right) {
    const Shape a = shape(left), b = shape(right);
    if (a.size() < 2 || b.size() < 2 || a.back() != b[b.size() - 2])
      node_.fail(fmt::format("multiplies {} by {} (expected ... x M x K by ... x K x N)", to_string(a), to_string(b)));
    Shape result = broadcast_shape({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2}, node_);
    const auto spread = [&](int value, const Shape& own, const char* suffix) {
      Shape wanted = result;
      wanted.insert(wanted.end(), own.end() - 2, own.end());
      if (checked_count(wanted, node_.failure("an operand")) > max_moved)
        node_.fail(fmt::format("an operand of {} is too large", to_string(wanted)));
      return own == wanted ? value
                           : builder_.move(node_, output_ + suffix, {wanted, expanded(own, wanted).source}, {value});
    };
    const int l = spread(left, a, "_left"), r = spread(right, b, "_right");
    result.insert(result.end(), {a[a.size() - 2], b.back()});
    return append(MatMul{}, {l, r}, std::move(result));
  }

  int clip() {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const Clip clip{node_.has(1) ? static_cast<float>(node_.number(1)) : -infinity,
                    node_.has(2) ? static_cast<float>(node_.number(2)) : infinity};
    if (!(clip.low <= clip.high)) node_.fail(fmt::format("has the bounds {} and {}", clip.low, clip.high));
    if (clip.low == -infinity && clip.high == infinity) return node_.value(0);
    // Exporters write the largest float where there is no bound.
    if (clip.low == 0 && clip.high >= std::numeric_limits<float>::max()) return append_like_input(Relu{});
    return append_like_input(clip);
  }

  /// Fails unless the axis that an attribute names is the last one.
  void check_last_axis() const {
    const std::size_t rank = shape(node_.value(0)).size();
    if (normalised_axis(node_.integer("axis", -1), rank, node_) + 1 != rank)
      node_.fail(fmt::format("'axis' is {} of {} axes (supported: the last one)", node_.integer("axis", -1), rank));
  }

  int softmax() {
    check_last_axis();
    return append_like_input(Softmax{});
  }

  int layer_normalization() {
    check_last_axis();
    const std::int64_t size = shape(node_.value(0)).back();
    LayerNorm norm;
    norm.scale = {{size}, list(node_, 1, size)};
    norm.shift = {{size}, node_.has(2) ? list(node_, 2, size) : zeros(size)};
    norm.epsilon = node_.real("epsilon", 1e-5f);
    if (!(norm.epsilon >= 0)) node_.fail(fmt::format("'epsilon' is {} (expected at least 0)", norm.epsilon));
    return append_like_input(std::move(norm));
  }

  int pool() {
    const int input = node_.value(0);
    const std::vector<std::int64_t> kernel = node_.integers("kernel_shape", {});
    if (kernel.empty()) node_.fail("attribute 'kernel_shape' is missing");
    Window window = read_window(node_, builder_.shape(input), kernel, true);
    Pool pool;
    pool.kind = node_.op() == "MaxPool" ? Pool::Kind::max : Pool::Kind::average;
    pool.kernel = std::move(window.kernel);
    pool.strides = std::move(window.strides);
    pool.pads = std::move(window.pads);
    pool.dilations = std::move(window.dilations);
    pool.ceil_mode = node_.integer("ceil_mode", 0) != 0;
    if (pool.kind == Pool::Kind::average) {
      pool.count_include_pad = node_.integer("count_include_pad", 0) != 0;
      if (pool.dilations != std::vector<int>{1, 1}) node_.fail("'dilations' of an average (supported: 1)");
      if (pool.count_include_pad && window.overhangs)
        node_.fail("'count_include_pad' with a last window that 'ceil_mode' lets reach beyond the padding");
    }
    return append(std::move(pool), {input}, {1, builder_.shape(input)[1], window.output[0], window.output[1]});
  }

  int global_average_pool() {
    const std::size_t rank = shape(node_.value(0)).size();
    if (rank < 3)
      node_.fail(fmt::format("input has shape {} (supported: 1 x C x ...)", to_string(shape(node_.value(0)))));
    std::vector<bool> pooled(rank, true);
    pooled[0] = pooled[1] = false;
    return mean(pooled, true);
  }

  int reduce_mean() {
    const std::size_t rank = shape(node_.value(0)).size();
    std::vector<bool> pooled(rank, false);
    for (const std::int64_t axis : node_.integers("axes", {})) pooled[normalised_axis(axis, rank, node_)] = true;
    const auto count = std::ranges::count(pooled, true);
    if (count == 0 || pooled[0] || (count == 1 && pooled.back()))
      node_.fail(
          "is not the mean over height and width of a feature map or over tokens (supported: any axes but the first, "
          "the last not alone), and not part of a layer normalisation whose inner values nothing else uses");
    return mean(pooled, node_.integer("keepdims", 1) != 0);
  }

  /// The mean over some axes: a global average pooling of the map whose channels are all the others.
  int mean(const std::vector<bool>& pooled, bool keep_axes) {
    const int input = node_.value(0);
    const Shape s = shape(input);
    if (s[0] != 1) node_.fail(fmt::format("input has shape {} (supported: 1 x ...)", to_string(s)));
    std::vector<std::size_t> order, areas;
    Shape result, map{1, 1};
    for (std::size_t axis = 0; axis < s.size(); ++axis) {
      (pooled[axis] ? areas : order).push_back(axis);
      if (!pooled[axis]) map[1] *= s[axis];
      if (!pooled[axis] || keep_axes) result.push_back(pooled[axis] ? 1 : s[axis]);
    }
    order.insert(order.end(), areas.begin(), areas.end());
    for (const std::size_t axis : areas) map.push_back(s[axis]);
    while (map.size() < 4) map.push_back(1);
    while (map.size() > 4) map[map.size() - 2] *= map.back(), map.pop_back();
    const std::string name = output_ + "_map";
    const int moved =
        std::ranges::is_sorted(order) ? input : builder_.move(node_, name, transposed(s, order, node_), {input});
    const int pool = append(GlobalAveragePool{}, {builder_.reshape(node_, name, moved, map)}, {1, map[1], 1, 1});
    return builder_.reshape(node_, output_, pool, result);
  }

  int pad() {
    const int input = node_.value(0);
    Padding padding = read_padding(node_, shape(input));
    if (padding.shape == shape(input)) return input;
    const bool of_map =
        padding.shape.size() == 4 && padding.shape[0] == shape(input)[0] && padding.shape[1] == shape(input)[1];
    if (!of_map && padding.value == 0) return move();
    return append(Pad{std::move(padding.begins), std::move(padding.ends), padding.value}, {input},
                  std::move(padding.shape));
  }

  int move() {
    std::vector<int> values;
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < moved_inputs(node_); ++i) {
      values.push_back(node_.is_constant(i) ? constant_value(i) : node_.value(i));
      shapes.push_back(shape(values.back()));
    }
    return builder_.move(node_, output_, select(node_, shapes, index_), values);
  }

  /// Input i, a constant, as a value of the network.
  int constant_value(std::size_t i) {
    if (moved_inputs(node_) == 1) return node_.value(i);  // Which fails.
    const Shape s = node_.constant(i).shape;
    return builder_.append_constant(node_, node_.input_name(i), {s, node_.take_floats(i)});
  }

  int cast() {
    constexpr std::int64_t to_float = 1;
    if (node_.integer("to") != to_float) node_.fail("casts a computed value (supported: to FLOAT)");
    return node_.value(0);
  }

  /// Without effect at inference, or with a ratio of 0.
  int dropout() {
    if (node_.has(2) && node_.number(2) != 0 && !(node_.has(1) && node_.number(1) == 0))
      node_.fail("'training_mode' is true (supported: inference)");
    return node_.value(0);
  }

  NetworkBuilder& builder_;
  NodeReader& node_;
  std::size_t index_;
  const std::string& output_;
};

/// The value that goes into a pattern.
int pattern_input(const Pattern& pattern, const std::vector<NodeReader>& nodes) {
  for (const NodeReader& node : nodes)
    for (std::size_t i = 0; i < node.input_count(); ++i)
      if (node.input_name(i) == pattern.input) return node.value(i);
  nodes.back().fail(fmt::format("input '{}' is missing", pattern.input));
}

}  // namespace

int import_operator(NetworkBuilder& builder, NodeReader& node, std::size_t output) {
  return Importer(builder, node, output).run();
}

int import_pattern(NetworkBuilder& builder, const Pattern& pattern, const std::vector<NodeReader>& nodes) {
  const NodeReader& last = nodes.back();
  const int input = pattern_input(pattern, nodes);
  const Shape shape = builder.shape(input);
  check_pattern(pattern, nodes, shape.size());
  const bool gelu = pattern.kind == Pattern::Kind::gelu;
  Operator attributes = Gelu{};
  if (!gelu) {
    const std::int64_t size = shape.back();
    LayerNorm norm;
    norm.epsilon = epsilon_of(pattern, nodes, shape.size());
    if (!(norm.epsilon >= 0) || size > max_folded)
      last.fail(fmt::format("is a layer normalisation of {} elements with epsilon {} (supported: up to {}, at least 0)",
                            size, norm.epsilon, max_folded));
    norm.scale = {{size}, std::vector<float>(static_cast<std::size_t>(size), 1.0f)};
    norm.shift = {{size}, zeros(size)};
    attributes = std::move(norm);
  }
  const int value = builder.append(last, last.output_name(0), std::move(attributes), {input}, shape);
  builder.producer(value)->op = gelu ? "Gelu" : "LayerNormalization";
  return value;
}

}  // namespace lpa::workloads::detail

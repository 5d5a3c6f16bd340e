#include "workloads/onnx/operators.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"
#include "workloads/onnx/fold.h"
#include "workloads/onnx/windows.h"

namespace lpa::workloads::detail {

const char* const supported_operators =
    "Conv, Gemm, MatMul, Add, Relu, MaxPool, AveragePool, GlobalAveragePool, ReduceMean, BatchNormalization after "
    "Conv or Gemm, Pad, Slice, Flatten, Reshape, Squeeze, Unsqueeze, Identity, Dropout";

namespace {

/// Imports one node.
class Importer {
 public:
  Importer(Network& network, const NodeReader& node, const std::string& output, const SoleUse& sole_use)
      : network_(network), node_(node), output_(output), sole_use_(sole_use) {}

  int run() {
    const std::string& op = node_.op();
    if (op == "Conv") return conv();
    if (op == "Gemm") return gemm();
    if (op == "MatMul") return matmul();
    if (op == "Add") return add();
    if (op == "Relu") return append(Relu{}, {node_.value(0)}, shape(node_.value(0)));
    if (op == "MaxPool" || op == "AveragePool") return pool();
    if (op == "GlobalAveragePool") return global_average_pool();
    if (op == "ReduceMean") return reduce_mean();
    if (op == "BatchNormalization") return batch_normalization();
    if (op == "Pad") return pad();
    if (op == "Slice") return slice();
    if (op == "Flatten" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze")
      return append(Reshape{}, {node_.value(0)}, reshaped_by(node_, shape(node_.value(0))));
    if (op == "Identity") return node_.value(0);
    if (op == "Dropout") return dropout();
    throw InputError(fmt::format("{}: node '{}': operator '{}' is not supported (supported: {})", network_.file,
                                 node_.name(), op, supported_operators));
  }

 private:
  const Shape& shape(int value) const { return network_.values[static_cast<std::size_t>(value)].shape; }

  int append(Operator attributes, std::vector<int> inputs, Shape output_shape) {
    if (checked_count(output_shape, node_.failure("the output")) == 0)
      node_.fail(fmt::format("the output is empty: {}", to_string(output_shape)));
    const auto index = static_cast<int>(network_.values.size());
    network_.values.push_back({output_, std::move(output_shape)});
    network_.nodes.push_back({node_.name(), node_.op(), std::move(attributes), std::move(inputs), index});
    return index;
  }

  /// Input i as one float a channel: one element (repeated), or `channels` elements along the only axis longer than 1,
  /// which is `axis` of a tensor of rank `rank` after broadcasting.
  std::vector<float> per_channel(std::size_t i, std::int64_t channels, std::size_t rank, std::size_t axis) const {
    const std::vector<float>& values = node_.floats(i);
    const Shape& own = node_.constant(i).shape;
    if (values.size() == 1 && own.size() <= rank)
      return std::vector<float>(static_cast<std::size_t>(channels), values[0]);
    Shape expected(rank, 1);
    expected[axis] = channels;
    Shape padded(rank > own.size() ? rank - own.size() : 0, 1);
    padded.insert(padded.end(), own.begin(), own.end());
    if (padded != expected)
      node_.fail(fmt::format("input {} ('{}') has shape {} (supported: a value per channel, {}, or a single one)", i,
                             node_.input_name(i), to_string(own), to_string(expected)));
    return values;
  }

  /// Input i, which must be a list of `count` floats.
  const std::vector<float>& list(std::size_t i, std::int64_t count) const {
    const std::vector<float>& values = node_.floats(i);
    if (node_.constant(i).shape != Shape{count})
      node_.fail(fmt::format("input {} ('{}') has shape {} (expected {})", i, node_.input_name(i),
                             to_string(node_.constant(i).shape), count));
    return values;
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
    Window window = read_window(node_, shape(input), kernel, false);
    const std::int64_t groups = node_.integer("group", 1), in_c = shape(input)[1];
    if (groups < 1 || in_c % groups != 0 || in_c / groups != w[1] || w[0] % groups != 0)
      node_.fail(fmt::format("an input of {} channels in {} groups does not fit weights of shape {}", in_c, groups,
                             to_string(w)));
    Conv conv;
    conv.kernel = std::move(window.kernel);
    conv.strides = std::move(window.strides);
    conv.pads = std::move(window.pads);
    conv.dilations = std::move(window.dilations);
    conv.groups = static_cast<int>(groups);
    conv.weights = {w, node_.floats(1)};
    conv.bias = {{w[0]}, node_.has(2) ? list(2, w[0]) : std::vector<float>(static_cast<std::size_t>(w[0]), 0.0f)};
    return append(std::move(conv), {input}, {1, w[0], window.output[0], window.output[1]});
  }

  /// Weights and bias of a product with `right` [K, N] or, transposed, [N, K].
  Gemm product(const Constant& right, bool transposed, float alpha) const {
    const Shape& s = right.shape;
    if (s.size() != 2 || element_count(s) == 0)
      node_.fail(fmt::format("weights have shape {} (supported: two axes)", to_string(s)));
    const std::int64_t n = transposed ? s[0] : s[1], k = transposed ? s[1] : s[0];
    Gemm gemm;
    gemm.weights = {{n, k}, node_.floats(1)};
    gemm.bias = {{n}, std::vector<float>(static_cast<std::size_t>(n), 0.0f)};
    const std::vector<float>& source = right.floats();
    if (!transposed) {
      for (std::int64_t row = 0; row < n; ++row)
        for (std::int64_t column = 0; column < k; ++column)
          gemm.weights.data[static_cast<std::size_t>(row * k + column)] =
              source[static_cast<std::size_t>(column * n + row)];
    }
    if (alpha != 1.0f)
      for (float& weight : gemm.weights.data) weight *= alpha;
    return gemm;
  }

  int gemm() {
    const int input = node_.value(0);
    if (node_.integer("transA", 0) != 0) node_.fail("'transA' is not 0 (supported: 0)");
    Gemm gemm = product(node_.constant(1), node_.integer("transB", 0) != 0, node_.real("alpha", 1.0f));
    const std::int64_t n = gemm.weights.shape[0], k = gemm.weights.shape[1];
    if (shape(input) != Shape{1, k})
      node_.fail(fmt::format("input has shape {} (expected 1x{} to fit the weights)", to_string(shape(input)), k));
    if (node_.has(2)) {
      gemm.bias.data = per_channel(2, n, 2, 1);
      for (float& bias : gemm.bias.data) bias *= node_.real("beta", 1.0f);
    }
    return append(std::move(gemm), {input}, {1, n});
  }

  int matmul() {
    const int input = node_.value(0);
    if (!node_.is_constant(1))
      node_.fail("the right operand is not a constant (supported: products with constant weights)");
    Gemm gemm = product(node_.constant(1), false, 1.0f);
    Shape result = shape(input);
    if (result.size() < 2 || result[0] != 1 || result.back() != gemm.weights.shape[1])
      node_.fail(fmt::format("input has shape {} (expected 1 x ... x {} to fit the weights)", to_string(result),
                             gemm.weights.shape[1]));
    result.back() = gemm.weights.shape[0];
    return append(std::move(gemm), {input}, std::move(result));
  }

  /// The Conv or Gemm that computes the value and may be changed because only this node uses the value; or null.
  Node* foldable_producer(int value) {
    if (!sole_use_(value)) return nullptr;
    const auto producer = std::ranges::find(network_.nodes, value, &Node::output);
    if (producer == network_.nodes.end()) return nullptr;
    const bool linear =
        std::holds_alternative<Conv>(producer->attributes) || std::holds_alternative<Gemm>(producer->attributes);
    return linear ? &*producer : nullptr;
  }

  /// The value now stands for this node's result.
  int take_over(int value) {
    network_.values[static_cast<std::size_t>(value)].name = output_;
    return value;
  }

  int add() {
    if (node_.is_constant(0) || node_.is_constant(1)) {
      const std::size_t constant = node_.is_constant(0) ? 0 : 1;
      const int input = node_.value(1 - constant);
      Node* producer = foldable_producer(input);
      if (!producer) node_.fail("adds a constant (supported: only to the result of Conv, Gemm or MatMul, as its bias)");
      auto* conv = std::get_if<Conv>(&producer->attributes);
      Tensor& bias = conv ? conv->bias : std::get<Gemm>(producer->attributes).bias;
      const std::size_t rank = shape(input).size();
      const std::vector<float> addend = per_channel(constant, bias.shape[0], rank, conv ? 1 : rank - 1);
      for (std::size_t i = 0; i < addend.size(); ++i) bias.data[i] += addend[i];
      return take_over(input);
    }
    const int a = node_.value(0), b = node_.value(1);
    if (shape(a) != shape(b))
      node_.fail(fmt::format("adds {} and {} (supported: equal shapes)", to_string(shape(a)), to_string(shape(b))));
    return append(Add{}, {a, b}, shape(a));
  }

  int batch_normalization() {
    const int input = node_.value(0);
    Node* producer = foldable_producer(input);
    if (!producer)
      node_.fail(
          "does not follow a Conv or Gemm of which it is the only user (supported: batch normalisation folded "
          "into such a node)");
    if (node_.integer("training_mode", 0) != 0) node_.fail("'training_mode' is not 0 (supported: inference)");
    auto* conv = std::get_if<Conv>(&producer->attributes);
    auto* gemm = std::get_if<Gemm>(&producer->attributes);
    if (gemm && shape(input).size() != 2) node_.fail("follows a product of more than two axes");
    Tensor& weights = conv ? conv->weights : gemm->weights;
    Tensor& bias = conv ? conv->bias : gemm->bias;
    const std::int64_t channels = bias.shape[0];
    const std::vector<float>&scale = list(1, channels), &shift = list(2, channels), &mean = list(3, channels),
          &variance = list(4, channels);
    const double epsilon = node_.real("epsilon", 1e-5f);
    const std::size_t row = weights.data.size() / bias.data.size();
    for (std::size_t c = 0; c < bias.data.size(); ++c) {
      const double spread = variance[c] + epsilon;
      if (!(spread > 0))
        node_.fail(fmt::format("variance + epsilon of channel {} is {} (expected above 0)", c, spread));
      const double factor = scale[c] / std::sqrt(spread);
      for (std::size_t i = c * row; i < (c + 1) * row; ++i)
        weights.data[i] = static_cast<float>(weights.data[i] * factor);
      bias.data[c] = static_cast<float>((bias.data[c] - mean[c]) * factor + shift[c]);
    }
    return take_over(input);
  }

  int pool() {
    const int input = node_.value(0);
    const std::vector<std::int64_t> kernel = node_.integers("kernel_shape", {});
    if (kernel.empty()) node_.fail("attribute 'kernel_shape' is missing");
    Window window = read_window(node_, shape(input), kernel, true);
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
    return append(std::move(pool), {input}, {1, shape(input)[1], window.output[0], window.output[1]});
  }

  int global_average_pool() {
    const int input = node_.value(0);
    const Shape& s = shape(input);
    if (s.size() != 4 || s[0] != 1)
      node_.fail(fmt::format("input has shape {} (supported: 1 x C x H x W)", to_string(s)));
    return append(GlobalAveragePool{}, {input}, {1, s[1], 1, 1});
  }

  int reduce_mean() {
    const int input = node_.value(0);
    const std::size_t rank = shape(input).size();
    std::vector<std::size_t> axes;
    for (const std::int64_t axis : node_.integers("axes", {})) axes.push_back(normalised_axis(axis, rank, node_));
    std::ranges::sort(axes);
    if (rank != 4 || axes != std::vector<std::size_t>{2, 3})
      node_.fail("is not the mean over height and width of a feature map (supported: axes 2 and 3 of 1 x C x H x W)");
    const int pooled = global_average_pool();
    if (node_.integer("keepdims", 1) != 0) return pooled;
    return append(Reshape{}, {pooled}, {1, shape(pooled)[1]});
  }

  int pad() {
    const int input = node_.value(0);
    if (const std::string mode = node_.text("mode", "constant"); mode != "constant")
      node_.fail(fmt::format("'mode' is '{}' (supported: constant)", mode));
    const std::vector<std::int64_t>& amounts = node_.integers(1);
    Shape result = shape(input);
    if (amounts.size() != 2 * result.size())
      node_.fail(
          fmt::format("{} pads for a tensor of rank {} (expected twice the rank)", amounts.size(), result.size()));
    Pad pad;
    for (std::size_t i = 0; i < amounts.size(); ++i) {
      if (amounts[i] < 0 || amounts[i] > max_elements)
        node_.fail(fmt::format("a pad of {} (supported: 0 to {})", amounts[i], max_elements));
      (i < result.size() ? pad.begins : pad.ends).push_back(static_cast<int>(amounts[i]));
      result[i % result.size()] += amounts[i];
    }
    if (node_.has(2)) {
      if (node_.floats(2).size() != 1) node_.fail("the padding value is not a single number");
      pad.value = node_.floats(2)[0];
    }
    if (result == shape(input)) return input;
    return append(std::move(pad), {input}, std::move(result));
  }

  int slice() { node_.fail("not there yet"); }

  int dropout() {
    if (node_.has(2) && node_.constant(2).integers() != std::vector<std::int64_t>{0})
      node_.fail("'training_mode' is true (supported: inference)");
    return node_.value(0);
  }

  Network& network_;
  const NodeReader& node_;
  const std::string& output_;
  const SoleUse& sole_use_;
};

}  // namespace

int import_operator(Network& network, const NodeReader& node, const std::string& output, const SoleUse& sole_use) {
  return Importer(network, node, output, sole_use).run();
}

}  // namespace lpa::workloads::detail

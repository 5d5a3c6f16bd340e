#include "workloads/onnx/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "workloads/onnx/fold.h"
#include "workloads/onnx/shapes.h"

namespace lpa::workloads::detail {
namespace {

/// What a constant after a node can go into: the result is linear in both, channel by channel.
struct Parameters {
  Tensor* weights;   ///< The same number of elements a channel, channel by channel.
  Tensor* bias;      ///< One element a channel.
  std::size_t axis;  ///< That of the channels in the result.

  std::int64_t channels() const { return bias->shape[0]; }
};

/// Those of the Conv, Gemm or LayerNorm that computes the value, if only the node at hand uses it.
std::optional<Parameters> parameters(NetworkBuilder& builder, int value) {
  Node* node = builder.sole_use(value) ? builder.producer(value) : nullptr;
  if (!node) return std::nullopt;
  const std::size_t last = builder.rank(value) - 1;
  if (auto* conv = std::get_if<Conv>(&node->attributes)) return Parameters{&conv->weights, &conv->bias, 1};
  if (auto* gemm = std::get_if<Gemm>(&node->attributes)) return Parameters{&gemm->weights, &gemm->bias, last};
  if (auto* norm = std::get_if<LayerNorm>(&node->attributes)) return Parameters{&norm->scale, &norm->shift, last};
  return std::nullopt;
}

void scale_channel(const Parameters& target, std::size_t channel, double factor) {
  const std::size_t row = target.weights->data.size() / target.bias->data.size();
  for (std::size_t i = channel * row; i < (channel + 1) * row; ++i)
    target.weights->data[i] = static_cast<float>(target.weights->data[i] * factor);
}

/// The constant of an addition that gives the value, perhaps in another shape, if nobody but the node at hand sees it.
Tensor* addend_before(NetworkBuilder& builder, int value) {
  const Node* node = builder.sole_use(value) ? builder.producer(value) : nullptr;
  if (node && std::holds_alternative<Reshape>(node->attributes))
    node = builder.feeds_one_node(node->inputs[0]) ? builder.producer(node->inputs[0]) : nullptr;
  if (!node || !std::holds_alternative<Add>(node->attributes) || !builder.feeds_one_node(node->inputs[1]))
    return nullptr;
  Node* addend = builder.producer(node->inputs[1]);
  auto* constant = addend ? std::get_if<workloads::Constant>(&addend->attributes) : nullptr;
  return constant ? &constant->value : nullptr;
}

/// Input i, a constant, in the shape of the computed value that it is added to.
std::vector<float> in_full(const NetworkBuilder& builder, const NodeReader& node, std::size_t i, int value) {
  const Shape& shape = builder.shape(value);
  node.floats(i);
  if (element_count(shape) > max_folded)
    node.fail(fmt::format("adds a constant to {} (supported: up to {} elements)", to_string(shape), max_folded));
  return std::get<0>(broadcast_to(node.constant(i), shape).data);
}

/// Fails if the constant that input i is would broadcast the value to another shape.
void check_broadcast(const NetworkBuilder& builder, const NodeReader& node, std::size_t i, int value) {
  const Shape &own = node.constant(i).shape, &shape = builder.shape(value);
  if (broadcast_shape(own, shape, node) != shape)
    node.fail(
        fmt::format("input {} ('{}') of shape {} makes {} larger (supported: constants that fit into the other "
                    "operand's shape)",
                    i, node.input_name(i), to_string(own), to_string(shape)));
}

int add_constant(NetworkBuilder& builder, const NodeReader& node, std::size_t constant, const std::string& output) {
  const int value = node.value(1 - constant);
  const float sign = node.op() == "Sub" ? -1.0f : 1.0f;
  check_broadcast(builder, node, constant, value);
  if (const auto target = parameters(builder, value)) {
    const std::vector<float> addend =
        per_channel(node, constant, target->channels(), builder.rank(value), target->axis);
    for (std::size_t i = 0; i < addend.size(); ++i) target->bias->data[i] += sign * addend[i];
    if (!addend.empty()) {
      builder.rename(value, output);
      return value;
    }
  }
  std::vector<float> addend = in_full(builder, node, constant, value);
  for (float& element : addend) element *= sign;
  if (Tensor* before = addend_before(builder, value)) {
    std::ranges::transform(before->data, addend, before->data.begin(), std::plus<>());
    builder.rename(value, output);
    return value;
  }
  Shape shape = builder.shape(value);
  const int second = builder.append_constant(node, node.input_name(constant), {shape, std::move(addend)});
  return builder.append(node, output, Add{}, {value, second}, std::move(shape));
}

/// The factors of a Mul or Div by input i, of one or more elements.
std::vector<double> factors(const NodeReader& node, std::size_t i) {
  std::vector<double> result;
  for (const float number : node.floats(i)) {
    result.push_back(node.op() == "Div" ? 1.0 / number : number);
    if (!std::isfinite(result.back()))
      node.fail(fmt::format("input {} ('{}') makes the factor {}", i, node.input_name(i), result.back()));
  }
  if (result.size() == 1 && result[0] == 0) node.fail("multiplies by 0 (supported: other numbers)");
  return result;
}

/// Collects the parameters in which the addends of a sum are linear, if nobody but the sum sees any of them.
bool find_linear(NetworkBuilder& builder, Node* sum, std::vector<Tensor*>& parameters) {
  return std::ranges::all_of(sum->inputs, [&](int addend) {
    Node* node = builder.feeds_one_node(addend) ? builder.producer(addend) : nullptr;
    if (!node) return false;
    if (std::holds_alternative<Add>(node->attributes)) return find_linear(builder, node, parameters);
    if (auto* conv = std::get_if<Conv>(&node->attributes))
      parameters.insert(parameters.end(), {&conv->weights, &conv->bias});
    else if (auto* gemm = std::get_if<Gemm>(&node->attributes))
      parameters.insert(parameters.end(), {&gemm->weights, &gemm->bias});
    else if (auto* constant = std::get_if<workloads::Constant>(&node->attributes))
      parameters.push_back(&constant->value);
    else
      return false;
    return true;
  });
}

/// Multiplies the addends of a sum instead of the sum, if that is possible.
bool scale_addends(NetworkBuilder& builder, int sum, double factor) {
  Node* node = builder.sole_use(sum) ? builder.producer(sum) : nullptr;
  std::vector<Tensor*> parameters;
  if (!node || !std::holds_alternative<Add>(node->attributes) || !find_linear(builder, node, parameters)) return false;
  for (Tensor* tensor : parameters)
    for (float& element : tensor->data) element = static_cast<float>(element * factor);
  return true;
}

/// The value times one number.
int scale(NetworkBuilder& builder, const NodeReader& node, int value, double factor, const std::string& output) {
  Node* before = builder.sole_use(value) ? builder.producer(value) : nullptr;
  auto* merged = before ? std::get_if<Scale>(&before->attributes) : nullptr;
  const auto total = static_cast<float>(factor * (merged ? merged->factor : 1.0f));
  if (total == 0 || !std::isfinite(total)) node.fail(fmt::format("multiplies by {} in all", total));
  if (merged) {
    merged->factor = total;
  } else if (!scale_addends(builder, value, factor)) {
    return builder.append(node, output, Scale{total}, {value}, builder.shape(value));
  }
  builder.rename(value, output);
  return value;
}

}  // namespace

std::vector<float> per_channel(const NodeReader& node, std::size_t i, std::int64_t channels, std::size_t rank,
                               std::size_t axis) {
  const std::vector<float>& values = node.floats(i);
  const Shape& own = node.constant(i).shape;
  if (values.size() == 1 && own.size() <= rank)
    return std::vector<float>(static_cast<std::size_t>(channels), values[0]);
  Shape expected(rank, 1);
  expected[axis] = channels;
  Shape padded(rank > own.size() ? rank - own.size() : 0, 1);
  padded.insert(padded.end(), own.begin(), own.end());
  return padded == expected ? values : std::vector<float>{};
}

const std::vector<float>& list(const NodeReader& node, std::size_t i, std::int64_t count) {
  const std::vector<float>& values = node.floats(i);
  if (node.constant(i).shape != Shape{count})
    node.fail(fmt::format("input {} ('{}') has shape {} (expected {})", i, node.input_name(i),
                          to_string(node.constant(i).shape), count));
  return values;
}

int import_sum(NetworkBuilder& builder, const NodeReader& node, const std::string& output) {
  const bool sum = node.op() == "Add";
  if (node.is_constant(1)) return add_constant(builder, node, 1, output);
  if (sum && node.is_constant(0)) return add_constant(builder, node, 0, output);
  if (!sum) node.fail("subtracts a computed value (supported: a constant, or inside a layer normalisation)");
  const int a = node.value(0), b = node.value(1);
  if (builder.shape(a) != builder.shape(b))
    node.fail(fmt::format("adds {} and {} (supported: equal shapes)", to_string(builder.shape(a)),
                          to_string(builder.shape(b))));
  return builder.append(node, output, Add{}, {a, b}, builder.shape(a));
}

int import_scaling(NetworkBuilder& builder, const NodeReader& node, const std::string& output) {
  const bool divides = node.op() == "Div";
  const std::size_t constant = node.is_constant(1) ? 1 : 0;
  if (!node.is_constant(constant) || (divides && constant == 0))
    node.fail(divides ? "divides by a computed value (supported: by a constant, or inside a layer normalisation)"
                      : "multiplies two computed values (supported: by a constant, or inside a GELU)");
  const int value = node.value(1 - constant);
  check_broadcast(builder, node, constant, value);
  const std::vector<double> all = factors(node, constant);
  if (const auto target = parameters(builder, value)) {
    const auto channels = static_cast<std::size_t>(target->channels());
    if (!per_channel(node, constant, target->channels(), builder.rank(value), target->axis).empty()) {
      for (std::size_t c = 0; c < channels; ++c) {
        const double factor = all[all.size() == 1 ? 0 : c];
        scale_channel(*target, c, factor);
        target->bias->data[c] = static_cast<float>(target->bias->data[c] * factor);
      }
      builder.rename(value, output);
      return value;
    }
  }
  if (all.size() != 1)
    node.fail(
        fmt::format("input {} ('{}') has shape {} (supported: one number, or after a Conv, Gemm, MatMul or layer "
                    "normalisation that nothing else uses one per channel)",
                    constant, node.input_name(constant), to_string(node.constant(constant).shape)));
  return all[0] == 1 ? value : scale(builder, node, value, all[0], output);
}

int import_batch_normalization(NetworkBuilder& builder, const NodeReader& node, const std::string& output) {
  const int value = node.value(0);
  const auto target = parameters(builder, value);
  if (!target || std::holds_alternative<LayerNorm>(builder.producer(value)->attributes))
    node.fail(
        "does not follow a Conv or Gemm of which it is the only user (supported: batch normalisation folded "
        "into such a node)");
  if (node.integer("training_mode", 0) != 0) node.fail("'training_mode' is not 0 (supported: inference)");
  if (target->axis != 1) node.fail("follows a product of more than two axes");
  const std::int64_t channels = target->channels();
  const std::vector<float>&scale = list(node, 1, channels), &shift = list(node, 2, channels),
        &mean = list(node, 3, channels), &variance = list(node, 4, channels);
  const double epsilon = node.real("epsilon", 1e-5f);
  std::vector<float>& bias = target->bias->data;
  for (std::size_t c = 0; c < bias.size(); ++c) {
    const double spread = variance[c] + epsilon;
    if (!(spread > 0)) node.fail(fmt::format("variance + epsilon of channel {} is {} (expected above 0)", c, spread));
    const double factor = scale[c] / std::sqrt(spread);
    scale_channel(*target, c, factor);
    bias[c] = static_cast<float>((bias[c] - mean[c]) * factor + shift[c]);
  }
  builder.rename(value, output);
  return value;
}

}  // namespace lpa::workloads::detail

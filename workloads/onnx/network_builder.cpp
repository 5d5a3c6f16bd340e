#include "workloads/onnx/network_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::workloads::detail {
namespace {

bool is_identity(const std::vector<std::int32_t>& source, std::int64_t count) {
  if (static_cast<std::int64_t>(source.size()) != count) return false;
  for (std::size_t i = 0; i < source.size(); ++i)
    if (source[i] != static_cast<std::int32_t>(i)) return false;
  return true;
}

}  // namespace

Node* NetworkBuilder::producer(int value) {
  const int node = producers_[index(value)];
  return node < 0 ? nullptr : &network_.nodes[index(node)];
}

int NetworkBuilder::append_input(const std::string& name, Shape shape) {
  network_.input = static_cast<int>(network_.values.size());
  network_.values.push_back({name, std::move(shape)});
  producers_.push_back(-1);
  pending_.push_back(0);
  uses_.push_back(0);
  given_up_.push_back(false);
  return network_.input;
}

/// Elements of a table or constant that the node holds beside weights.
std::int64_t NetworkBuilder::held(const Node& node) {
  if (const auto* move = std::get_if<Move>(&node.attributes)) return static_cast<std::int64_t>(move->source.size());
  if (const auto* constant = std::get_if<workloads::Constant>(&node.attributes))
    return static_cast<std::int64_t>(constant->value.data.size());
  return 0;
}

int NetworkBuilder::append(const NodeReader& node, const std::string& name, Operator attributes,
                           std::vector<int> inputs, Shape shape) {
  if (checked_count(shape, node.failure("the output")) == 0)
    node.fail(fmt::format("the output is empty: {}", to_string(shape)));
  const auto value = static_cast<int>(network_.values.size());
  for (const int input : inputs) ++uses_[index(input)];
  network_.values.push_back({name, std::move(shape)});
  producers_.push_back(static_cast<int>(network_.nodes.size()));
  pending_.push_back(0);
  uses_.push_back(0);
  given_up_.push_back(false);
  network_.nodes.push_back({node.name(), node.op(), std::move(attributes), std::move(inputs), value});
  held_ += held(network_.nodes.back());
  if (held_ > max_held_)
    node.fail(
        fmt::format("the network's moves and added constants have more than {} elements in all (supported: up to "
                    "that many)",
                    max_held_));
  return value;
}

int NetworkBuilder::append_constant(const NodeReader& node, const std::string& name, Tensor tensor) {
  std::string unique = name;
  for (int copy = 1; !names_.insert(unique).second; ++copy) unique = fmt::format("{}_{}", name, copy);
  Shape shape = tensor.shape;
  const int value = append(node, unique, workloads::Constant{std::move(tensor)}, {}, std::move(shape));
  network_.nodes.back().name = unique;
  network_.nodes.back().op = "Constant";
  return value;
}

/// The value that Reshapes have made this one of.
int NetworkBuilder::unreshaped(int value) {
  while (const Node* node = producer(value)) {
    if (!std::holds_alternative<Reshape>(node->attributes)) break;
    value = node->inputs[0];
  }
  return value;
}

int NetworkBuilder::reshape(const NodeReader& node, const std::string& name, int value, Shape shape) {
  if (shape == this->shape(value)) return value;
  const int base = unreshaped(value);
  return shape == this->shape(base) ? base : append(node, name, Reshape{}, {base}, std::move(shape));
}

NetworkBuilder::Origin NetworkBuilder::origin(int value) {
  const int base = unreshaped(value);
  const Node* node = producer(base);
  if (node) {
    if (const auto* move = std::get_if<Move>(&node->attributes)) return {node->inputs, &move->source, {}};
    const auto* pad = std::get_if<Pad>(&node->attributes);
    if (pad && pad->value == 0 && element_count(shape(base)) <= max_moved) {
      const int input = node->inputs[0];
      const Selection selection = padded(shape(input), pad->begins, shape(base));
      Origin result;
      result.padded = composed(selection.source, {input}, result.values);
      return result;
    }
  }
  return {{base}, nullptr, {}};
}

/// The elements of `values` that `source` tells, told as elements of `inputs`: the values that theirs come from,
/// without those of which no element is left.
std::vector<std::int32_t> NetworkBuilder::composed(const std::vector<std::int32_t>& source,
                                                   const std::vector<int>& values, std::vector<int>& inputs) {
  struct Part {  // Of the elements that a value's come from.
    std::int64_t begin, start;
    std::size_t input;
  };
  struct Piece {  // A value.
    std::int64_t begin, end;
    Origin origin;
    std::vector<Part> parts;
  };
  std::vector<std::int64_t> starts;  // Of each input among the elements of all.
  std::vector<Piece> pieces;
  std::int64_t total = 0, given = 0;
  for (const int value : values) {
    pieces.push_back({given, given + element_count(shape(value)), origin(value), {}});
    given = pieces.back().end;
    std::int64_t begin = 0;
    for (const int base : pieces.back().origin.values) {
      const auto known = static_cast<std::size_t>(std::ranges::find(inputs, base) - inputs.begin());
      if (known == inputs.size()) {
        inputs.push_back(base);
        starts.push_back(total);
        total += element_count(shape(base));
      }
      pieces.back().parts.push_back({begin, starts[known], known});
      begin += element_count(shape(base));
    }
  }
  if (total > std::numeric_limits<std::int32_t>::max())
    throw InputError(fmt::format("{}: value '{}' and what is joined to it have too many elements", file(),
                                 network_.values[index(values[0])].name));

  std::vector<std::int32_t> result(source.size(), -1);
  std::vector<bool> used(inputs.size(), false);
  const Piece* piece = pieces.data();
  const Part* part = piece->parts.data();
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] < 0) continue;
    if (source[i] < piece->begin || source[i] >= piece->end) {
      piece = &*std::ranges::find_if(pieces, [&](const Piece& candidate) { return source[i] < candidate.end; });
      part = piece->parts.data();
    }
    std::int64_t place = source[i] - piece->begin;
    if (const std::vector<std::int32_t>* table = piece->origin.table()) {
      place = (*table)[static_cast<std::size_t>(place)];
      if (place < 0) continue;
      if (piece->parts.size() > 1) part = &*(std::ranges::upper_bound(piece->parts, place, {}, &Part::begin) - 1);
    }
    result[i] = static_cast<std::int32_t>(place - part->begin + part->start);
    used[part->input] = true;
  }
  drop_unused(result, inputs, used);
  return result;
}

/// Leaves out the inputs that are not used, but keeps one.
void NetworkBuilder::drop_unused(std::vector<std::int32_t>& source, std::vector<int>& inputs,
                                 const std::vector<bool>& used) const {
  if (std::ranges::count(used, true) == static_cast<std::ptrdiff_t>(used.size())) return;
  std::vector<std::int64_t> ends, shifts;
  std::vector<int> kept;
  std::int64_t end = 0, shift = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    end += element_count(shape(inputs[i]));
    ends.push_back(end);
    shifts.push_back(shift);
    if (used[i])
      kept.push_back(inputs[i]);
    else
      shift += element_count(shape(inputs[i]));
  }
  for (std::int32_t& place : source)
    if (place >= 0)
      place -= static_cast<std::int32_t>(shifts[index(std::ranges::upper_bound(ends, place) - ends.begin())]);
  if (kept.empty()) kept.push_back(inputs[0]);
  inputs = std::move(kept);
}

int NetworkBuilder::move(const NodeReader& node, const std::string& name, const Selection& selection,
                         const std::vector<int>& values) {
  std::vector<int> inputs;
  std::vector<std::int32_t> source = composed(selection.source, values, inputs);
  if (inputs.size() == 1 && is_identity(source, element_count(shape(inputs[0]))))
    return reshape(node, name, inputs[0], selection.shape);
  return append(node, name, Move{std::move(source)}, std::move(inputs), selection.shape);
}

void NetworkBuilder::expect(int value, int uses) {
  pending_[index(value)] += uses;
  give_up(value);
}

void NetworkBuilder::consume(int value, int uses) {
  pending_[index(value)] -= uses;
  give_up(value);
}

/// Frees what the node of a value holds if nobody needs the value, and so on with its inputs.
void NetworkBuilder::give_up(int value) {
  std::vector<int> candidates{value};
  while (!candidates.empty()) {
    const int candidate = candidates.back();
    candidates.pop_back();
    Node* node = producer(candidate);
    if (!node || given_up_[index(candidate)] || pending_[index(candidate)] > 0 || uses_[index(candidate)] > 0) continue;
    given_up_[index(candidate)] = true;
    held_ -= held(*node);
    node->attributes = Reshape{};
    for (const int input : std::exchange(node->inputs, {})) {
      --uses_[index(input)];
      candidates.push_back(input);
    }
  }
}

Network NetworkBuilder::finish(int output) {
  std::vector<bool> needed(network_.values.size(), false);
  needed[index(output)] = true;
  for (auto node = network_.nodes.rbegin(); node != network_.nodes.rend(); ++node)
    if (needed[index(node->output)])
      for (const int input : node->inputs) needed[index(input)] = true;
  if (!needed[index(network_.input)])
    throw InputError(
        fmt::format("{}: output '{}' is not computed from the input", file(), network_.values[index(output)].name));
  std::erase_if(network_.nodes, [&](const Node& node) { return !needed[index(node.output)]; });
  std::vector<int> moved(network_.values.size(), -1);
  std::vector<Value> kept;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    moved[i] = static_cast<int>(kept.size());
    kept.push_back(std::move(network_.values[i]));
  }
  network_.values = std::move(kept);
  network_.input = moved[index(network_.input)];
  network_.output = moved[index(output)];
  for (Node& node : network_.nodes) {
    node.output = moved[index(node.output)];
    for (int& input : node.inputs) input = moved[index(input)];
  }
  return std::move(network_);
}

}  // namespace lpa::workloads::detail

// Chains of operators that only move elements become one Move of the values that the elements come from.
#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/model_builder.h"
#include "tests/workloads/naive_operators.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"
#include "workloads/onnx/network_builder.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

std::string import_error(const ModelBuilder& model) {
  return message_of<InputError>([&] { model.import(); });
}

template <class Kind>
int count(const Network& network) {
  return static_cast<int>(std::ranges::count_if(
      network.nodes, [](const Node& node) { return std::holds_alternative<Kind>(node.attributes); }));
}

/// A value of the model and the tensor that it must be.
struct Expected {
  std::string name;
  Tensor tensor;
};

/// Appends a random operator that moves the elements of a value.
class RandomMove {
 public:
  RandomMove(ModelBuilder& model, Random& random) : model_(model), random_(random) {}

  Expected operator()(const Expected& value, const Expected& other) {
    switch (pick(random_, 0, 8)) {
      case 0:
        return transpose(value);
      case 1:
        return slice(value);
      case 2:
        return gather(value);
      case 3:
        return concat(value, other);
      case 4:
        return reshape(value);
      case 5:
        return pad(value);
      case 6:
        return expand(value);
      case 7:
        return tile(value);
      default:
        return split(value);
    }
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::size_t any_axis(const Tensor& tensor) {
    return index(pick(random_, 0, static_cast<int>(tensor.shape.size()) - 1));
  }
  std::int64_t upto(std::int64_t most) { return pick(random_, 0, static_cast<int>(most)); }

  Expected transpose(const Expected& value) {
    const Shape& from = value.tensor.shape;
    Integers order(from.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    std::ranges::shuffle(order, random_);
    Shape shape;
    for (const std::int64_t axis : order) shape.push_back(from[index(axis)]);
    const std::string name = model_.node("Transpose", {value.name});
    model_.ints("perm", order);
    return {name, naive_tensor(shape, [&](const Shape& place) {
              Shape source(place.size());
              for (std::size_t i = 0; i < place.size(); ++i) source[index(order[i])] = place[i];
              return element_at(value.tensor, source);
            })};
  }

  Expected slice(const Expected& value) {
    const std::size_t axis = any_axis(value.tensor);
    const std::int64_t size = value.tensor.shape[axis], first = upto(size - 1), last = upto(size - 1);
    const std::int64_t step = (last >= first ? 1 : -1) * pick(random_, 1, 3);
    Shape shape = value.tensor.shape;
    shape[axis] = (last - first) / step + 1;
    // Behind the last element comes either the next one or, backwards from the first, a number that stays below.
    const std::int64_t end = step > 0 ? last + 1 : last == 0 ? -size - 1 : last - 1;
    return {model_.node("Slice",
                        {value.name, model_.constant(Integers{first}), model_.constant(Integers{end}),
                         model_.constant(Integers{static_cast<std::int64_t>(axis)}), model_.constant(Integers{step})}),
            naive_tensor(shape, [&](Shape place) {
              place[axis] = first + place[axis] * step;
              return element_at(value.tensor, place);
            })};
  }

  Expected gather(const Expected& value) {
    const std::size_t axis = any_axis(value.tensor);
    const std::int64_t size = value.tensor.shape[axis];
    const bool drops_axis = value.tensor.shape.size() > 2 && pick(random_, 0, 1) == 1;
    Integers indices{upto(size - 1) - size};
    while (!drops_axis && pick(random_, 0, 2) > 0) indices.push_back(upto(size - 1));
    Shape shape = value.tensor.shape;
    shape[axis] = static_cast<std::int64_t>(indices.size());
    if (drops_axis) shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    const std::string name =
        model_.node("Gather", {value.name, drops_axis ? model_.scalar(indices[0]) : model_.constant(indices)});
    model_.integer("axis", static_cast<std::int64_t>(axis));
    return {name, naive_tensor(shape, [&](Shape place) {
              if (drops_axis) place.insert(place.begin() + static_cast<std::ptrdiff_t>(axis), 0);
              const std::int64_t at = indices[index(place[axis])];
              place[axis] = at < 0 ? at + size : at;
              return element_at(value.tensor, place);
            })};
  }

  /// With another value made to fit, a constant, and the value itself.
  Expected concat(const Expected& value, const Expected& other) {
    const std::size_t axis = any_axis(value.tensor);
    Shape wanted = value.tensor.shape;
    std::vector<Expected> parts{value};
    const std::int64_t rest = element_count(wanted) / wanted[axis];
    if (element_count(other.tensor.shape) % rest == 0) {
      wanted[axis] = element_count(other.tensor.shape) / rest;
      parts.push_back({model_.node("Reshape", {other.name, model_.constant(wanted)}), {wanted, other.tensor.data}});
    }
    wanted[axis] = pick(random_, 1, 2);
    const Tensor constant = random_tensor(wanted, random_);
    if (pick(random_, 0, 2) == 0) parts.push_back({model_.constant(constant), constant});
    if (pick(random_, 0, 2) == 0) parts.push_back(value);
    std::ranges::shuffle(parts, random_);
    std::vector<std::string> names;
    Shape shape = value.tensor.shape;
    shape[axis] = 0;
    for (const Expected& part : parts) {
      names.push_back(part.name);
      shape[axis] += part.tensor.shape[axis];
    }
    const std::string name = model_.node("Concat", names);
    model_.integer("axis", static_cast<std::int64_t>(axis));
    return {name, naive_tensor(shape, [&](Shape place) {
              std::size_t part = 0;
              while (place[axis] >= parts[part].tensor.shape[axis]) place[axis] -= parts[part++].tensor.shape[axis];
              return element_at(parts[part].tensor, place);
            })};
  }

  Expected reshape(const Expected& value) {
    Shape shape = value.tensor.shape;
    if (shape.size() > 2) {
      shape[1] *= shape[0];
      shape.erase(shape.begin());
    } else {
      const std::int64_t half = shape[0] % 2 == 0 ? 2 : 1;
      shape[0] /= half;
      shape.insert(shape.begin() + 1, half);
    }
    return {model_.node("Reshape", {value.name, model_.constant(shape)}), {shape, value.tensor.data}};
  }

  Expected pad(const Expected& value) {
    Integers amounts(2 * value.tensor.shape.size(), 0);
    Shape shape = value.tensor.shape;
    const std::size_t axis = any_axis(value.tensor), rank = shape.size();
    amounts[axis] = upto(2);
    amounts[rank + axis] = upto(2);
    shape[axis] += amounts[axis] + amounts[rank + axis];
    return {model_.node("Pad", {value.name, model_.constant(amounts)}), naive_tensor(shape, [&](Shape place) {
              place[axis] -= amounts[axis];
              const bool inside = place[axis] >= 0 && place[axis] < value.tensor.shape[axis];
              return inside ? element_at(value.tensor, place) : 0.0f;
            })};
  }

  Expected expand(const Expected& value) {
    Shape shape = value.tensor.shape;
    for (std::int64_t& size : shape)
      if (size == 1) size = pick(random_, 1, 3);
    return {model_.node("Expand", {value.name, model_.constant(shape)}), naive_tensor(shape, [&](Shape place) {
              for (std::size_t i = 0; i < place.size(); ++i) place[i] %= value.tensor.shape[i];
              return element_at(value.tensor, place);
            })};
  }

  Expected tile(const Expected& value) {
    Integers repeats(value.tensor.shape.size(), 1);
    const std::size_t axis = any_axis(value.tensor);
    repeats[axis] = pick(random_, 1, 2);
    Shape shape = value.tensor.shape;
    shape[axis] *= repeats[axis];
    return {model_.node("Tile", {value.name, model_.constant(repeats)}), naive_tensor(shape, [&](Shape place) {
              place[axis] %= value.tensor.shape[axis];
              return element_at(value.tensor, place);
            })};
  }

  Expected split(const Expected& value) {
    const std::size_t axis = any_axis(value.tensor);
    const std::int64_t size = value.tensor.shape[axis], first = pick(random_, 1, static_cast<int>(size));
    if (first == size) return value;
    const auto parts = model_.split_node("Split", {value.name, model_.constant(Integers{first, size - first})}, 2);
    model_.integer("axis", static_cast<std::int64_t>(axis));
    Shape shape = value.tensor.shape;
    shape[axis] = size - first;
    return {parts[1], naive_tensor(shape, [&](Shape place) {
              place[axis] += first;
              return element_at(value.tensor, place);
            })};
  }

  ModelBuilder& model_;
  Random& random_;
};

TEST(Moves, ChainsEqualTheirDefinitionAndAreOneMove) {
  int moves = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const Shape shape{1, pick(random, 1, 4), pick(random, 1, 5), pick(random, 1, 6)};
    ModelBuilder model(shape);
    const Tensor input = random_tensor(shape, random);
    Expected positive{model.node("Relu", {"input"}), naive_map(input, [](double x) { return std::max(x, 0.0); })};
    Expected value = positive, before = positive;
    RandomMove move(model, random);
    for (int steps = pick(random, 1, 7); steps > 0 && value.tensor.data.size() < 2000; --steps) {
      Expected next = move(value, before);
      before = std::exchange(value, std::move(next));
    }
    model.output(model.node("Softmax", {value.name}));
    const Network network = model.import();
    EXPECT_LT(difference(Executor(network).run(input), naive_softmax(value.tensor)), 1e-6);
    // A Pad that is the last of the chain and pads a map stays one.
    EXPECT_LE(count<Move>(network) + count<Pad>(network), 2);
    EXPECT_LE(count<Reshape>(network), 1);
    moves += count<Move>(network);
  }
  EXPECT_GT(moves, 300);
}

TEST(Moves, WhatLeavesTheOrderIsAReshapeOrNothing) {
  ModelBuilder model({1, 3, 1, 5});
  const std::string start = model.node("Relu", {"input"});
  const std::string swapped = model.node("Transpose", {start});
  model.ints("perm", {0, 2, 1, 3});
  const std::string back = model.node("Transpose", {swapped});
  model.ints("perm", {0, 2, 1, 3});
  const std::string whole = model.node("Slice", {back, model.constant(Integers{0}), model.constant(Integers{99})});
  model.output(model.node("Add", {whole, model.node("Reshape", {swapped, model.constant(Integers{1, 3, 1, 5})})}));
  const Network nothing = model.import();
  ASSERT_EQ(nothing.nodes.size(), 2u);
  EXPECT_EQ(nothing.nodes[1].inputs, (std::vector<int>{1, 1}));

  ModelBuilder one({1, 3, 1, 5});
  one.output(one.node("Transpose", {one.node("Relu", {"input"})}));
  one.ints("perm", {0, 2, 1, 3});
  EXPECT_EQ(count<Reshape>(one.import()), 1);
}

TEST(Moves, TakeOnlyTheInputsOfWhichElementsAreLeft) {
  Random random(1);
  ModelBuilder model({1, 2, 3});
  const std::string first = model.node("Relu", {"input"}), second = model.node("Softmax", {"input"});
  const std::string joined = model.node("Concat", {first, second, first});
  model.integer("axis", 1);
  model.output(model.node("Gather", {joined, model.constant(Integers{2, 5})}));
  model.integer("axis", 1);
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 3u);
  EXPECT_EQ(network.nodes[2].inputs.size(), 2u);
  EXPECT_EQ(std::get<Move>(network.nodes[2].attributes).source,
            (std::vector<std::int32_t>{6, 7, 8, 3, 4, 5}));  // Row 0 of the second, row 1 of the first.

  ModelBuilder part({1, 2, 3});
  const std::string both = part.node("Concat", {part.node("Relu", {"input"}), part.node("Softmax", {"input"})});
  part.integer("axis", 1);
  part.output(part.node("Gather", {both, part.constant(Integers{3, 2})}));
  part.integer("axis", 1);
  EXPECT_EQ(part.import().nodes.size(), 2u);  // The Softmax and the Move of it.
}

TEST(Moves, PaddingOfAMapStaysForTheLayerAfterIt) {
  Random random(2);
  ModelBuilder model({1, 3, 4, 4});
  const std::string padded = model.node("Pad", {"input", model.constant(Integers{0, 0, 1, 1, 0, 0, 1, 1})});
  model.output(model.node("Add", {model.conv(padded, 3, 3, 3, 1, 1, random), padded}));
  const Network network = model.import();
  EXPECT_EQ(count<Pad>(network), 1);
  EXPECT_EQ(count<Move>(network), 0);
}

TEST(Moves, InvalidOnesAreErrors) {
  const auto with = [](const auto& build) {
    ModelBuilder model({1, 4, 6});
    model.output(build(model));
    return import_error(model);
  };
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.split_node("Split", {"input", m.constant(Integers{1})}, 2)[1];
              }),
              HasSubstr("(Split): 1 parts of 1 in all do not fit 2 outputs of an axis of 1"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                const auto parts = m.split_node("Split", {"input"}, 4);
                m.integer("axis", 2);
                return parts[1];
              }),
              HasSubstr("(Split): cannot split an axis of 6 into 4 equal parts"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Gather", {"input", m.constant(Integers{1})}, "g");
              }),
              HasSubstr("node 'g' (Gather): index 1 is outside an axis of 1"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Gather", {m.constant(Tensor{{2}, {1, 2}}), "input"}, "g");
              }),
              HasSubstr("node 'g' (Gather): input 0 ('constant1') is a constant"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Expand", {"input", m.constant(Integers{1, 5, 6})}, "e");
              }),
              HasSubstr("node 'e' (Expand): shapes 1x4x6 and 1x5x6 cannot be broadcast"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Expand", {"input", m.constant(Integers{1 << 21, 4, 6})}, "e");
              }),
              HasSubstr("node 'e' (Expand): moves elements to a result of shape 2097152x4x6 (supported: up to"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Tile", {"input", m.constant(Integers{1, 1})}, "t");
              }),
              HasSubstr("node 't' (Tile): 2 repeats for a tensor of rank 3"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                return m.node("Tile", {"input", m.constant(Integers{1, 0, 1})}, "t");
              }),
              HasSubstr("node 't' (Tile): the output is empty"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.node("Concat", {"input", m.constant(Tensor{{1, 4, 5}, std::vector<float>(20)})}, "c");
                m.integer("axis", 1);
                return std::string("c");
              }),
              HasSubstr("node 'c' (Concat): input 1 of shape 1x4x5 cannot be joined to 1x4x6 on axis 1"));
}

TEST(Moves, TablesThatAreNeededAreBoundedInAll) {
  onnx::NodeProto proto;
  proto.set_op_type("Transpose");
  const std::string file = "f";
  const detail::NodeReader node(file, proto, "n", {});
  detail::NetworkBuilder builder(file, 100);
  const int input = builder.append_input("input", {1, 40});
  const detail::Selection first_of_all{{1, 40}, std::vector<std::int32_t>(40, 0)};
  const auto move = [&] { return builder.move(node, "moved", first_of_all, {input}); };
  for (int i = 0; i < 5; ++i) builder.expect(move(), 0);  // Given up at once.
  const int kept = move();
  builder.expect(kept, 1);
  move();
  EXPECT_THAT(
      message_of<InputError>(move),
      HasSubstr("f: node 'n' (Transpose): the network's moves and added constants have more than 100 elements in all"));
  builder.consume(kept, 1);
}

}  // namespace
}  // namespace lpa::workloads::testing

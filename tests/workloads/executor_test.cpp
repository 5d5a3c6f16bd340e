#include "workloads/executor.h"

#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/workloads/model_builder.h"
#include "tests/workloads/naive_operators.h"

namespace lpa::workloads::testing {
namespace {

constexpr double tolerance = 1e-5;

NaiveWindow random_window(Random& random, int height, int width, bool dilate) {
  NaiveWindow w;
  do {
    w.kernel_h = pick(random, 1, 5), w.kernel_w = pick(random, 1, 5);
    w.stride_h = pick(random, 1, 3), w.stride_w = pick(random, 1, 3);
    if (dilate) w.dilation_h = pick(random, 1, 3), w.dilation_w = pick(random, 1, 3);
    w.top = pick(random, 0, w.kernel_h / 2), w.bottom = pick(random, 0, w.kernel_h / 2);
    w.left = pick(random, 0, w.kernel_w / 2), w.right = pick(random, 0, w.kernel_w / 2);
  } while ((w.kernel_h - 1) * w.dilation_h >= height + w.top + w.bottom ||
           (w.kernel_w - 1) * w.dilation_w >= width + w.left + w.right);
  return w;
}

void set_window(ModelBuilder& model, const NaiveWindow& w) {
  model.ints("kernel_shape", {w.kernel_h, w.kernel_w}).ints("strides", {w.stride_h, w.stride_w});
  model.ints("pads", {w.top, w.left, w.bottom, w.right});
}

TEST(Executor, ConvolutionEqualsItsDefinition) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const int groups = pick(random, 1, 4), in_c = groups * pick(random, 1, 5), out_c = groups * pick(random, 1, 9);
    const Shape shape{1, in_c, pick(random, 1, 14), pick(random, 1, 14)};
    const NaiveWindow window = random_window(random, static_cast<int>(shape[2]), static_cast<int>(shape[3]), true);
    const Tensor weights = random_tensor({out_c, in_c / groups, window.kernel_h, window.kernel_w}, random);
    const bool has_bias = pick(random, 0, 1) == 1;
    const Tensor bias = has_bias ? random_tensor({out_c}, random)
                                 : Tensor{{out_c}, std::vector<float>(static_cast<std::size_t>(out_c), 0.0f)};

    ModelBuilder model(shape);
    std::vector<std::string> inputs{"input", model.constant(weights)};
    if (has_bias) inputs.push_back(model.constant(bias));
    model.output(model.node("Conv", inputs));
    set_window(model, window);
    model.ints("dilations", {window.dilation_h, window.dilation_w}).integer("group", groups);
    const Tensor input = random_tensor(shape, random);
    EXPECT_LT(difference(Executor(model.import()).run(input), naive_conv(input, weights, bias, window, groups)),
              tolerance);
  }
}

TEST(Executor, PoolingEqualsItsDefinition) {
  int raised = 0;
  for (unsigned seed = 1; seed <= 90; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const auto kind = static_cast<Pooling>(seed % 3);
    const Shape shape{1, pick(random, 1, 20), pick(random, 1, 14), pick(random, 1, 14)};
    const NaiveWindow window = random_window(random, static_cast<int>(shape[2]), static_cast<int>(shape[3]), false);
    const bool ceil = kind != Pooling::average_with_padding && pick(random, 0, 1) == 1;
    ModelBuilder model(shape);
    model.output(model.node(kind == Pooling::max ? "MaxPool" : "AveragePool", {"input"}));
    set_window(model, window);
    model.integer("ceil_mode", ceil);
    if (kind != Pooling::max) model.integer("count_include_pad", kind == Pooling::average_with_padding);
    const Tensor input = random_tensor(shape, random);
    const Tensor expected = naive_pool(input, kind, window, ceil);
    raised += expected.shape != naive_pool(input, kind, window, false).shape ? 1 : 0;
    EXPECT_LT(difference(Executor(model.import()).run(input), expected), tolerance);
  }
  EXPECT_GT(raised, 5) << "ceil_mode must have mattered";
}

TEST(Executor, DilatedMaxPoolEqualsItsDefinition) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const Shape shape{1, 3, pick(random, 9, 14), pick(random, 9, 14)};
    NaiveWindow window = random_window(random, 9, 9, true);
    ModelBuilder model(shape);
    model.output(model.node("MaxPool", {"input"}));
    set_window(model, window);
    model.ints("dilations", {window.dilation_h, window.dilation_w});
    const Tensor input = random_tensor(shape, random);
    EXPECT_LT(difference(Executor(model.import()).run(input), naive_pool(input, Pooling::max, window, false)),
              tolerance);
  }
}

TEST(Executor, AutoPadGivesTheOutputSizeOfTheStandard) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const Shape shape{1, 2, pick(random, 5, 12), pick(random, 5, 12)};
    NaiveWindow w = random_window(random, 5, 5, false);
    const bool upper = pick(random, 0, 1) == 1;
    const auto resolve = [&](std::int64_t size, int kernel, int stride, int& begin, int& end) {
      const int out = static_cast<int>((size + stride - 1) / stride);
      const int total = std::max(0, (out - 1) * stride + kernel - static_cast<int>(size));
      begin = upper ? total / 2 : (total + 1) / 2;
      end = total - begin;
      return out;
    };
    const int out_h = resolve(shape[2], w.kernel_h, w.stride_h, w.top, w.bottom);
    const int out_w = resolve(shape[3], w.kernel_w, w.stride_w, w.left, w.right);
    const Tensor weights = random_tensor({3, 2, w.kernel_h, w.kernel_w}, random), zero{{3}, {0, 0, 0}};
    ModelBuilder model(shape);
    model.output(model.node("Conv", {"input", model.constant(weights)}));
    model.ints("strides", {w.stride_h, w.stride_w}).text("auto_pad", upper ? "SAME_UPPER" : "SAME_LOWER");
    const Tensor input = random_tensor(shape, random), result = Executor(model.import()).run(input);
    EXPECT_EQ(result.shape, (Shape{1, 3, out_h, out_w}));
    EXPECT_LT(difference(result, naive_conv(input, weights, zero, w, 1)), tolerance);
  }
}

TEST(Executor, ProductsEqualTheirDefinition) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const int k = pick(random, 1, 40), n = pick(random, 1, 40), rows = seed % 3 == 2 ? pick(random, 2, 9) : 1;
    const bool transposed = seed % 3 == 0, matmul = seed % 3 == 2;
    const Shape shape = matmul ? Shape{1, rows, k} : Shape{1, k};
    const Tensor weights = random_tensor(transposed ? Shape{n, k} : Shape{k, n}, random),
                 bias = random_tensor({n}, random);
    const float alpha = matmul ? 1.0f : 0.5f, beta = matmul ? 1.0f : -2.0f;
    ModelBuilder model(shape);
    if (matmul) {
      model.output(model.node("Add", {model.node("MatMul", {"input", model.constant(weights)}), model.constant(bias)}));
    } else {
      model.output(model.node("Gemm", {"input", model.constant(weights), model.constant(bias)}));
      model.integer("transB", transposed).real("alpha", alpha).real("beta", beta);
    }
    const Tensor input = random_tensor(shape, random);
    Tensor expected{shape, {}};
    expected.shape.back() = n;
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < n; ++column) {
        double sum = 0;
        for (int i = 0; i < k; ++i)
          sum += double{input.data[static_cast<std::size_t>(row * k + i)]} *
                 weights.data[static_cast<std::size_t>(transposed ? column * k + i : i * n + column)];
        expected.data.push_back(static_cast<float>(alpha * sum + beta * bias.data[static_cast<std::size_t>(column)]));
      }
    EXPECT_LT(difference(Executor(model.import()).run(input), expected), tolerance);
  }
}

TEST(Executor, MovesElementsByPadSliceAndReshape) {
  ModelBuilder model({1, 2, 3, 4});
  const Tensor seven{{1}, {7}};
  const std::string padded = model.node(
      "Pad", {"input", model.constant(std::vector<std::int64_t>{0, 1, 0, 2, 0, 0, 3, 1}), model.constant(seven)});
  const std::string sliced = model.node(
      "Slice",
      {padded, model.constant(std::vector<std::int64_t>{1, -6}), model.constant(std::vector<std::int64_t>{99, 7}),
       model.constant(std::vector<std::int64_t>{1, 3}), model.constant(std::vector<std::int64_t>{1, 2})});
  model.output(model.node("Reshape", {sliced, model.constant(std::vector<std::int64_t>{0, -1})}));
  const Network network = model.import();
  const Tensor input = [] {
    Random random(1);
    return random_tensor({1, 2, 3, 4}, random);
  }();
  const std::vector<Tensor> values = Executor(network).run_all(input);
  Tensor pad{{1, 3, 6, 7}, {}}, slice{{1, 2, 6, 3}, {}};
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 7; ++x) {
        const bool inside = c >= 1 && y < 3 && x >= 2 && x < 6;
        pad.data.push_back(inside ? input.data[static_cast<std::size_t>(((c - 1) * 3 + y) * 4 + x - 2)] : 7);
        if (c >= 1 && (x == 1 || x == 3 || x == 5)) slice.data.push_back(pad.data.back());
      }
  EXPECT_EQ(difference(values[1], pad), 0);
  EXPECT_EQ(difference(values[2], slice), 0);
  slice.shape = {1, 36};
  EXPECT_EQ(difference(values[3], slice), 0);
}

/// conv -> relu -> conv, + relu's result, -> mean -> product
Network small_network() {
  Random random(11);
  ModelBuilder model({1, 3, 8, 8});
  const std::string stem = model.node("Relu", {model.conv("input", 3, 8, 3, 1, 1, random)});
  const std::string sum = model.node("Add", {model.conv(stem, 8, 8, 3, 1, 1, random), stem});
  const std::string pooled = model.node("Flatten", {model.node("GlobalAveragePool", {sum})});
  model.output(model.gemm(pooled, 8, 5, random));
  return model.import();
}

TEST(Executor, RunsABatchImageByImage) {
  Executor executor(small_network());
  Random random(3);
  const Tensor batch = random_tensor({3, 3, 8, 8}, random);
  const Tensor together = executor.run(batch);
  ASSERT_EQ(together.shape, (Shape{3, 5}));
  for (std::ptrdiff_t i = 0; i < 3; ++i) {
    const Tensor single{{1, 3, 8, 8}, {batch.data.begin() + i * 192, batch.data.begin() + (i + 1) * 192}};
    const std::vector<float> expected(together.data.begin() + i * 5, together.data.begin() + (i + 1) * 5);
    EXPECT_EQ(executor.run(single).data, expected) << "image " << i;
  }
}

TEST(Executor, HookSeesAndChangesEveryValue) {
  const Network network = small_network();
  Executor executor(network);
  Random random(4);
  const Tensor input = random_tensor({1, 3, 8, 8}, random);
  const std::vector<Tensor> plain = executor.run_all(input);
  std::vector<int> seen;
  executor.run(input, [&](int value, std::span<float> values) {
    seen.push_back(value);
    EXPECT_EQ(std::vector<float>(values.begin(), values.end()), plain[static_cast<std::size_t>(value)].data);
  });
  std::vector<int> expected{network.input};
  for (const Node& node : network.nodes) expected.push_back(node.output);
  EXPECT_EQ(seen, expected);

  const int pooled = network.nodes[network.nodes.size() - 2].output;
  const Tensor only_bias = executor.run(input, [&](int value, std::span<float> values) {
    if (value == pooled) std::ranges::fill(values, 0.0f);
  });
  EXPECT_EQ(only_bias.data, std::get<Gemm>(network.nodes.back().attributes).bias.data);
}

TEST(Executor, RunsOnFromAnyNodeAndWithOtherWeights) {
  const Network network = small_network();
  Executor executor(network);
  Random random(4);
  const Tensor input = random_tensor({1, 3, 8, 8}, random);
  const std::vector<Tensor> plain = executor.run_all(input);
  const int count = static_cast<int>(network.nodes.size());
  executor.run(random_tensor({1, 3, 8, 8}, random));
  for (std::size_t value = 0; value < plain.size(); ++value) {
    std::ranges::copy(plain[value].data, executor.value(static_cast<int>(value)).begin());
  }
  executor.run_nodes(count / 2, count);
  const auto output = [&] {
    const std::span<const float> data = executor.value(network.output);
    return std::vector<float>(data.begin(), data.end());
  };
  EXPECT_EQ(output(), plain[static_cast<std::size_t>(network.output)].data);

  Network other = network;
  for (int node = 0; node < count; ++node) {
    auto* conv = std::get_if<Conv>(&other.nodes[static_cast<std::size_t>(node)].attributes);
    auto* gemm = std::get_if<Gemm>(&other.nodes[static_cast<std::size_t>(node)].attributes);
    if (conv == nullptr && gemm == nullptr) {
      EXPECT_THROW(executor.set_weights(node, {}), std::invalid_argument);
      continue;
    }
    std::vector<float>& weights = conv != nullptr ? conv->weights.data : gemm->weights.data;
    for (float& weight : weights) weight = weight * 0.5f + 0.125f;
    EXPECT_THROW(executor.set_weights(node, std::span(weights).first(1)), std::invalid_argument);
    executor.set_weights(node, weights);
  }
  EXPECT_EQ(executor.run(input).data, Executor(other).run(input).data);
  EXPECT_THROW(executor.run_nodes(0, count + 1), std::invalid_argument);
  EXPECT_THROW(executor.value(99), std::invalid_argument);
}

TEST(Executor, IsRepeatableAndSafeInParallel) {
  const Network network = small_network();
  Random random(5);
  const Tensor batch = random_tensor({20, 3, 8, 8}, random);
  const Tensor expected = Executor(network).run(batch);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (std::size_t t = 0; t < equal.size(); ++t)
    threads.emplace_back([&, t] {
      Executor executor(network);
      for (int round = 0; round < 5; ++round) equal[t] += executor.run(batch).data == expected.data ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 5));
}

TEST(Executor, TakesSeveralThreads) {
  const Network network = small_network();
  Random random(6);
  const Tensor batch = random_tensor({4, 3, 8, 8}, random);
  EXPECT_LT(difference(Executor(network, 2).run(batch), Executor(network, 1).run(batch)), tolerance);
  EXPECT_THROW(Executor(network, 0), std::invalid_argument);
}

TEST(Executor, RefusesAnotherShape) {
  Executor executor(small_network());
  EXPECT_THROW(executor.run(Tensor{{1, 3, 8, 7}, std::vector<float>(168)}), std::invalid_argument);
  EXPECT_THROW(executor.run(Tensor{{1, 3, 8, 8}, std::vector<float>(191)}), std::invalid_argument);
  EXPECT_THROW(executor.run(Tensor{{0, 3, 8, 8}, {}}), std::invalid_argument);
  const int missing = 99;
  EXPECT_THROW(executor.run(Tensor{{1, 3, 8, 8}, std::vector<float>(192)}, std::span(&missing, 1)),
               std::invalid_argument);
}

}  // namespace
}  // namespace lpa::workloads::testing

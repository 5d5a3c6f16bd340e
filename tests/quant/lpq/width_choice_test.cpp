#include "quant/lpq/width_choice.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lpa::lpq {
namespace {

struct Layers {
  std::vector<ByWidth> losses, costs;
};

Layers draw(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0.1, 1);
  Layers layers;
  for (int i = 0; i < 5; ++i) {
    const double size = uniform(random), four = uniform(random) - 0.2;  // A narrower layer may lose less.
    layers.costs.push_back({{2, 2 * size}, {4, 4 * size}, {8, 8 * size}});
    layers.losses.push_back({{2, four + uniform(random)}, {4, four}, {8, 0}});
  }
  return layers;
}

struct Sums {
  double loss = 0, cost = 0;
};

Sums sums(const Layers& layers, const std::vector<int>& widths) {
  Sums result;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    result.loss += layers.losses[i].at(widths[i]);
    result.cost += layers.costs[i].at(widths[i]);
  }
  return result;
}

std::vector<std::vector<int>> all_widths(std::size_t layers) {
  std::vector<std::vector<int>> all{{}};
  for (std::size_t i = 0; i < layers; ++i) {
    std::vector<std::vector<int>> longer;
    for (const auto& widths : all) {
      for (const int n : {2, 4, 8}) {
        longer.push_back(widths);
        longer.back().push_back(n);
      }
    }
    all = std::move(longer);
  }
  return all;
}

TEST(ChooseWidths, NoOtherWidthsLoseLessForTheirCost) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Layers layers = draw(seed);
    for (const double budget : {12.0, 16.0, 20.0}) {
      const auto merit = [budget](double loss, double cost) { return cost > budget ? 1e300 : loss; };
      const Sums chosen = sums(layers, choose_widths(layers.losses, layers.costs, merit));
      if (chosen.cost > budget) continue;  // Not even the narrowest fit.
      for (const auto& widths : all_widths(5)) {
        const Sums other = sums(layers, widths);
        if (other.cost <= chosen.cost) {
          EXPECT_GE(other.loss, chosen.loss - 1e-12) << "seed " << seed << ", budget " << budget;
        }
      }
    }
  }
}

TEST(ChooseWidths, TakesTheWidestThatFitAndTheNarrowestIfNoneDoes) {
  const Layers layers{{{{2, 1.0}, {8, 0.0}}, {{2, 3.0}, {8, 0.0}}}, {{{2, 2.0}, {8, 8.0}}, {{2, 2.0}, {8, 8.0}}}};
  const auto within = [&](double budget) {
    return choose_widths(layers.losses, layers.costs,
                         [budget](double loss, double cost) { return cost > budget ? 1e300 : loss; });
  };
  EXPECT_EQ(within(16), (std::vector<int>{8, 8}));
  EXPECT_EQ(within(15), (std::vector<int>{2, 8}));
  EXPECT_EQ(within(9), (std::vector<int>{2, 2}));
  EXPECT_EQ(within(1), (std::vector<int>{2, 2}));
}

TEST(ChooseWidths, MayWeighLossAgainstCost) {
  const Layers layers = draw(3);
  const auto product = [](double loss, double cost) { return (loss + 1) * cost; };
  const Sums chosen = sums(layers, choose_widths(layers.losses, layers.costs, product));
  double least = std::numeric_limits<double>::infinity();
  for (const auto& widths : all_widths(5)) {
    const Sums other = sums(layers, widths);
    least = std::min(least, product(other.loss, other.cost));
  }
  EXPECT_LE(product(chosen.loss, chosen.cost), 1.05 * least);
}

}  // namespace
}  // namespace lpa::lpq

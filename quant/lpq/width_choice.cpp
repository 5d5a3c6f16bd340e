#include "quant/lpq/width_choice.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lpa::lpq {
namespace {

/// The prices of cost between which no layer's choice changes.
std::vector<double> prices(const std::vector<ByWidth>& losses, const std::vector<ByWidth>& costs) {
  std::vector<double> limits{0};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    for (const auto& [a, loss_a] : losses[i]) {
      for (const auto& [b, loss_b] : losses[i]) {
        const double price = (loss_b - loss_a) / (costs[i].at(a) - costs[i].at(b));
        if (price > 0 && price < std::numeric_limits<double>::infinity()) limits.push_back(price);
      }
    }
  }
  std::ranges::sort(limits);
  std::vector<double> between;
  for (std::size_t i = 0; i < limits.size(); ++i) {
    between.push_back(i + 1 < limits.size() ? (limits[i] + limits[i + 1]) / 2 : 2 * limits[i] + 1);
  }
  return between;
}

}  // namespace

std::vector<int> choose_widths(const std::vector<ByWidth>& losses, const std::vector<ByWidth>& costs,
                               const std::function<double(double, double)>& merit) {
  std::vector<int> best;
  double least = 0;
  for (const double price : prices(losses, costs)) {
    std::vector<int> widths;
    double loss = 0, cost = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const auto sum = [&](const auto& width) { return width.second + price * costs[i].at(width.first); };
      const auto& [width, of_layer] = *std::ranges::min_element(losses[i], {}, sum);
      widths.push_back(width);
      loss += of_layer;
      cost += costs[i].at(width);
    }
    const double of_choice = merit(loss, cost);
    if (!best.empty() && of_choice > least) continue;  // Costs fall with the price.
    best = std::move(widths);
    least = of_choice;
  }
  return best;
}

}  // namespace lpa::lpq

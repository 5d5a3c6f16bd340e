// Widths of all layers' weights by what each layer alone costs and loses. Internal to the search.
#pragma once

#include <functional>
#include <map>
#include <vector>

namespace lpa::lpq {

/// By width, 2, 4 and 8 bits.
using ByWidth = std::map<int, double>;

/// A width for each layer, such that `merit`(sum of losses, sum of costs) is the least of all choices that minimise
/// loss + m * cost for some m >= 0: those that no mixture of others beats. `losses` and `costs` have the same layers
/// and widths. Equal merits: the one of lower cost.
std::vector<int> choose_widths(const std::vector<ByWidth>& losses, const std::vector<ByWidth>& costs,
                               const std::function<double(double loss, double cost)>& merit);

}  // namespace lpa::lpq

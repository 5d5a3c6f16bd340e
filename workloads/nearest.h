#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lpa::workloads {

/// The candidate with the smallest edit distance to `word`, if it is near enough to be meant; empty otherwise.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace lpa::workloads

#pragma once

#include <string>

#include "tools/lpasim/comparison.h"

namespace lpa::cli {

/// Bars of latency and of energy by part, relative to the base machine's, and of throughput per compute area, for each
/// network; as SVG.
std::string comparison_chart(const Comparison& comparison);

}  // namespace lpa::cli

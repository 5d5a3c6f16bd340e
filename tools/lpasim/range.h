// Ranges such as "100:200".
#pragma once

#include <cstdint>
#include <string>

#include "tools/lpasim/options.h"

namespace lpa::cli {

/// first <= x < end
struct Range {
  std::uint64_t first = 0, end = 0;
};

/// The value of an option that has one: A:B with whole numbers A < B and B - A of at most `longest`. Throws Error.
Range range(const Arguments& options, const std::string& name, std::uint64_t longest);

}  // namespace lpa::cli

#pragma once

#include <string>

namespace lpa::cli {

/// The project's version, "0.1.0".
std::string version();

}  // namespace lpa::cli

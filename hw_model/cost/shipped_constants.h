// The text of the data files, compiled in.
#pragma once

#include <array>
#include <string_view>

namespace lpa::cost {

struct ShippedFile {
  std::string_view name;
  std::string_view text;
};

extern const std::array<ShippedFile, 4> shipped_constants;

}  // namespace lpa::cost

#include "tools/lpasim/range.h"

#include <charconv>

#include <fmt/format.h>

namespace lpa::cli {

Range range(const Arguments& options, const std::string& name, std::uint64_t longest) {
  const Arguments::Value value = options.list(name).at(0);
  const char* const end = value.text.data() + value.text.size();
  Range range;
  const auto [colon, first_error] = std::from_chars(value.text.data(), end, range.first);
  if (first_error == std::errc{} && colon != end && *colon == ':') {
    const auto [stop, error] = std::from_chars(colon + 1, end, range.end);
    if (error == std::errc{} && stop == end && range.first < range.end && range.end - range.first <= longest) {
      return range;
    }
  }
  bad_value(value, longest == UINT64_MAX ? "A:B with whole numbers A < B"
                                         : fmt::format("A:B with whole numbers A < B <= A + {}", longest));
}

}  // namespace lpa::cli

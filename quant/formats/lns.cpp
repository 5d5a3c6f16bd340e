#include "quant/formats/lns.h"

#include <algorithm>

#include <fmt/format.h>

#include "quant/formats/exp2_table.h"
#include "quant/formats/format_text.h"
#include "quant/formats/scale_search.h"

namespace lpa::formats {

std::string check(const LnsFormat& format) {
  if (std::string wrong = range_error("n", format.n, 3, 16); !wrong.empty()) return wrong;
  if (std::string wrong = range_error("i", format.i, 1, std::min(8, format.n - 1)); !wrong.empty()) {
    return fmt::format("{} for n = {}", wrong, format.n);
  }
  return scale_error(format.scale);
}

std::string to_string(const LnsFormat& format) {
  return format.scale == 1 ? fmt::format("lns<{},{}>", format.n, format.i)
                           : fmt::format("lns<{},{},{}>", format.n, format.i, format.scale);
}

LnsFormat parse_lns(std::string_view text) {
  const FormatText parts(text);
  parts.require_shape("lns", 2, 3, "lns<n,i> or lns<n,i,scale>", "lns<8,4>");
  const LnsFormat format{parts.integer(0, "n"), parts.integer(1, "i"),
                         parts.size() == 3 ? parts.real(2, "scale") : 1.0};
  parts.require(check(format));
  return format;
}

std::vector<GridPoint> grid(const LnsFormat& format) {
  std::vector<GridPoint> magnitudes;
  magnitudes.reserve(std::size_t{1} << (format.n - 1));
  for (int word = 0; word < 1 << (format.n - 1); ++word) {
    magnitudes.push_back({decode(format, static_cast<Word>(word)), static_cast<Word>(word)});
  }
  return with_negatives(magnitudes, format.n);
}

double decode(const LnsFormat& format, Word word) {
  const int log_bits = format.n - 1;
  const int pattern = word & ((1 << log_bits) - 1);
  const int lowest = 1 << (log_bits - 1);
  if (pattern == lowest) return 0.0;
  const int log = pattern > lowest ? pattern - 2 * lowest : pattern;
  const double magnitude = format.scale * exp2_q15(log * (1 << (exp2_fraction_bits - format.fraction_bits()))).nearest;
  return word == pattern ? magnitude : -magnitude;
}

Word encode(const LnsFormat& format, double x) {
  return ValueGridEncoder(grid(format))(x);
}

}  // namespace lpa::formats

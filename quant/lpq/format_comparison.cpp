#include "quant/lpq/format_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/scale_search.h"
#include "quant/lpq/format_search.h"

namespace lpa::lpq {
namespace {

using formats::NumberFormat;

double rms_error(const NumberFormat& format, const std::vector<float>& values) {
  const formats::NumberEncoder encoder(format);
  double sum = 0;
  for (const double value : values) {
    const double difference = encoder.quantize(value) - value;
    sum += difference * difference;
  }
  return std::sqrt(sum / static_cast<double>(values.size()));
}

std::vector<NumberFormat> candidates(FormatKind kind, int bits, const std::vector<float>& values) {
  std::vector<NumberFormat> formats;
  switch (kind) {
    case FormatKind::lp:
      formats.emplace_back(search_format(ValueStatistics(values), bits, Quantizer::offline).format);
      break;
    case FormatKind::adaptiv_float: {
      double largest = 0;
      for (const double value : values) largest = std::max(largest, std::abs(value));
      for (int e = 1; e < bits; ++e) formats.emplace_back(formats::fit_adaptiv_float(bits, e, largest));
      break;
    }
    case FormatKind::posit:
      for (int es = 0; es <= 4; ++es) formats.emplace_back(formats::PositFormat{bits, es});
      break;
    case FormatKind::lns: {
      const formats::MagnitudeSums sums(values);
      for (int i = 1; i < bits; ++i) {
        formats::LnsFormat format{bits, i, 1};
        format.scale = formats::search_scale(formats::grid(format), sums).scale;
        formats.emplace_back(format);
      }
      break;
    }
    case FormatKind::integer:
      formats.emplace_back(formats::fit_int_format(bits, values));
      break;
    case FormatKind::ant:
      std::visit([&formats](const auto& format) { formats.emplace_back(format); }, formats::fit_ant(bits, values));
      break;
  }
  return formats;
}

}  // namespace

const char* to_string(FormatKind kind) {
  switch (kind) {
    case FormatKind::lp:
      return "LP";
    case FormatKind::adaptiv_float:
      return "AdaptivFloat";
    case FormatKind::posit:
      return "posit";
    case FormatKind::lns:
      return "LNS";
    case FormatKind::integer:
      return "int";
    case FormatKind::ant:
      return "ANT";
  }
  return "";
}

FormatFit best_format(FormatKind kind, int bits, const std::vector<float>& values) {
  if (bits < 4 || bits > 8) throw formats::FormatError(fmt::format("bits is {} but must be 4..8", bits));
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad != values.end()) throw formats::FormatError(fmt::format("a value is {} but must be finite", *bad));
  FormatFit best{{}, std::numeric_limits<double>::infinity()};
  for (const NumberFormat& format : candidates(kind, bits, values)) {
    const double error = rms_error(format, values);
    if (error < best.rmse) best = {format, error};
  }
  return best;
}

}  // namespace lpa::lpq

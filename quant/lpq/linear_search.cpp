#include "quant/lpq/linear_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/lpq/channel_scales.h"

namespace lpa::lpq {
namespace {

using formats::Family;
using formats::NumberSystem;
using formats::TensorFormat;
using formats::Word;

using formats::octave_q8;
using formats::sf_limit_q8;

/// The magnitudes of a format's words without scale, ascending, and what lies halfway below each.
struct Levels {
  std::vector<double> levels, thresholds;

  explicit Levels(const TensorFormat& format) {
    for (Word word = 1; word < format.nar_word(); ++word) levels.push_back(formats::unscaled_magnitude(format, word));
    std::ranges::sort(levels);
    // A posit other than 0 does not become 0.
    double below = format.family == Family::posit ? -levels.front() : 0;
    for (const double level : levels) {
      thresholds.push_back((below + level) / 2);
      below = level;
    }
  }

  double mean_squared_error(const ValueStatistics& values, int sf_q8) const {
    const double error = values.squared_error(levels, thresholds, std::exp2(-sf_q8 / 256.0));
    return values.count() == 0 ? 0 : error / static_cast<double>(values.count());
  }
};

LinearChoice best_scale(const ValueStatistics& values, TensorFormat format) {
  const Levels levels(format);
  const auto largest = static_cast<double>(values.largest());
  if (largest == 0) return {format, 0};
  if (format.family == Family::adaptivfloat) {
    const int bias = formats::fit_adaptiv_float(format.n, format.es, largest).bias;
    format.sf_q8 = std::clamp(-octave_q8 * bias, -sf_limit_q8, sf_limit_q8);
  }
  if (format.family == Family::adaptivfloat || format.family == Family::posit) {
    return {format, levels.mean_squared_error(values, format.sf_q8)};
  }
  constexpr int octaves = 6;
  const int first = static_cast<int>(std::floor(octave_q8 * std::log2(levels.levels.back() / largest)));
  LinearChoice best{format, std::numeric_limits<double>::infinity()};
  const int low = std::clamp(first, -sf_limit_q8, sf_limit_q8);
  const int high = std::clamp(first + octaves * octave_q8, -sf_limit_q8, sf_limit_q8);
  for (int sf_q8 = low; sf_q8 <= high; ++sf_q8) {
    const double error = levels.mean_squared_error(values, sf_q8);
    if (error >= best.mean_squared_error) continue;
    best.mean_squared_error = error;
    best.format.sf_q8 = sf_q8;
  }
  return best;
}

}  // namespace

LinearChoice search_linear_format(const ValueStatistics& values, NumberSystem system, int n) {
  LinearChoice best{{}, std::numeric_limits<double>::infinity()};
  for (const TensorFormat& format : formats_of(system, n)) {
    const LinearChoice choice = best_scale(values, format);
    if (choice.mean_squared_error < best.mean_squared_error) best = choice;
  }
  return best;
}

LinearChoice search_linear_channels(const workloads::Layer& layer, NumberSystem system, int n,
                                    std::vector<std::int16_t>& channel_sf_q8) {
  const std::vector<ValueStatistics> channels = channel_statistics(layer);
  LinearChoice best{{}, std::numeric_limits<double>::infinity()};
  for (const TensorFormat& format : formats_of(system, n)) {
    std::vector<int> sf_q8;
    double error = 0;
    for (const ValueStatistics& channel : channels) {
      const LinearChoice choice = best_scale(channel, format);
      sf_q8.push_back(choice.format.sf_q8);
      error += choice.mean_squared_error / static_cast<double>(channels.size());
    }
    if (error >= best.mean_squared_error) continue;
    best = {format, error};
    best.format.sf_q8 = split_scales(channels, sf_q8, channel_sf_q8);
  }
  return best;
}

}  // namespace lpa::lpq

#include "quant/lpq/channel_scales.h"

#include <algorithm>
#include <limits>

namespace lpa::lpq {
namespace {

constexpr std::size_t sampled_channels = 32;
constexpr int most_own_q8 = 8 * 256;

}  // namespace

const char* to_string(ScaleMode mode) {
  return mode == ScaleMode::per_tensor ? "per-tensor" : "per-channel";
}

std::vector<ValueStatistics> channel_statistics(const workloads::Layer& layer) {
  std::vector<ValueStatistics> statistics;
  const auto channels = static_cast<std::size_t>(layer.geometry.out_c);
  const std::size_t size = layer.weights.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto first = layer.weights.begin() + static_cast<std::ptrdiff_t>(c * size);
    statistics.emplace_back(std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size)));
  }
  return statistics;
}

int split_scales(const std::vector<ValueStatistics>& channels, std::span<const int> sf_q8,
                 std::vector<std::int16_t>& channel_sf_q8) {
  std::vector<int> of_values;  // Any scale will do for a channel of zeros.
  for (std::size_t c = 0; c < channels.size(); ++c) {
    if (channels[c].largest() > 0) of_values.push_back(sf_q8[c]);
  }
  int common = 0;
  if (!of_values.empty()) {
    const auto middle = of_values.begin() + static_cast<std::ptrdiff_t>(of_values.size() / 2);
    std::ranges::nth_element(of_values, middle);
    common = *middle;
  }
  channel_sf_q8.clear();
  for (std::size_t c = 0; c < channels.size(); ++c) {
    constexpr int least = std::numeric_limits<std::int16_t>::min();
    const int own = channels[c].largest() > 0 ? std::clamp(sf_q8[c] - common, least, most_own_q8) : 0;
    channel_sf_q8.push_back(static_cast<std::int16_t>(own));
  }
  return common;
}

ChannelScales::ChannelScales(const workloads::Layer& layer) : channels_(channel_statistics(layer)) {}

const ChannelScales::Scales& ChannelScales::of(const formats::LpFormat& shape) const {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = scales_.try_emplace({shape.n, shape.es, shape.rs});
  Scales& scales = found->second;
  if (!is_new) return scales;
  std::vector<int> sf_q8;
  for (const ValueStatistics& channel : channels_) {
    sf_q8.push_back(search_scale(channel, shape, Quantizer::offline).format.sf_q8);
  }
  scales.sf_q8 = split_scales(channels_, sf_q8, scales.channel_sf_q8);
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    formats::LpFormat format = shape;
    format.sf_q8 = scales.sf_q8 + scales.channel_sf_q8[c];
    scales.mean_squared_error += lpq::mean_squared_error(channels_[c], format, Quantizer::offline);
  }
  scales.mean_squared_error /= static_cast<double>(channels_.size());
  return scales;
}

FormatChoice ChannelScales::best(int n) const {
  const std::size_t step = (channels_.size() + sampled_channels - 1) / sampled_channels;
  formats::LpFormat best;
  double least = std::numeric_limits<double>::infinity();
  for (const formats::LpFormat& shape : formats::all_lp_formats(n)) {
    double error = 0;
    for (std::size_t c = 0; c < channels_.size(); c += step) {
      error += search_scale(channels_[c], shape, Quantizer::offline).mean_squared_error;
    }
    if (error >= least) continue;
    least = error;
    best = shape;
  }
  const Scales& scales = of(best);
  best.sf_q8 = scales.sf_q8;
  return {best, scales.mean_squared_error};
}

}  // namespace lpa::lpq

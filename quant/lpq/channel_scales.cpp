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

ChannelScales::ChannelScales(const workloads::Layer& layer) {
  const auto channels = static_cast<std::size_t>(layer.geometry.out_c);
  const std::size_t size = layer.weights.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto first = layer.weights.begin() + static_cast<std::ptrdiff_t>(c * size);
    channels_.emplace_back(std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size)));
  }
}

const ChannelScales::Scales& ChannelScales::of(const formats::LpFormat& shape) const {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = scales_.try_emplace({shape.n, shape.es, shape.rs});
  Scales& scales = found->second;
  if (!is_new) return scales;
  std::vector<int> sf_q8, of_values;  // Any scale will do for a channel of zeros.
  for (const ValueStatistics& channel : channels_) {
    sf_q8.push_back(search_scale(channel, shape, Quantizer::offline).format.sf_q8);
    if (channel.largest() > 0) of_values.push_back(sf_q8.back());
  }
  if (!of_values.empty()) {
    const auto middle = of_values.begin() + static_cast<std::ptrdiff_t>(of_values.size() / 2);
    std::ranges::nth_element(of_values, middle);
    scales.sf_q8 = *middle;
  }
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    constexpr int least = std::numeric_limits<std::int16_t>::min();
    const int own = channels_[c].largest() > 0 ? std::clamp(sf_q8[c] - scales.sf_q8, least, most_own_q8) : 0;
    scales.channel_sf_q8.push_back(static_cast<std::int16_t>(own));
    formats::LpFormat format = shape;
    format.sf_q8 = scales.sf_q8 + own;
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

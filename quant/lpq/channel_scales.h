// Scale factors of a layer's output channels, each chosen for the weights of its own channel.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <tuple>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/lpq/format_search.h"
#include "workloads/layers.h"

namespace lpa::lpq {

/// Whether a layer's weights have one scale factor or every output channel its own, which costs the machine a few
/// registers for each lane of a column's encoder, but no cycle.
enum class ScaleMode { per_tensor, per_channel };
/// "per-tensor" or "per-channel"
const char* to_string(ScaleMode mode);

/// Calls f(begin, end, factor) for the values of each channel among `count` values [channel][...]; factor is 2 to the
/// channel's own sf. Without `channel_sf_q8` once, for all values, with 1.
template <class Function>
void for_channels(std::size_t count, std::span<const std::int16_t> channel_sf_q8, Function f) {
  if (channel_sf_q8.empty()) {
    f(std::size_t{0}, count, 1.0);
    return;
  }
  const std::size_t size = count / channel_sf_q8.size();
  for (std::size_t c = 0; c < channel_sf_q8.size(); ++c) {
    f(c * size, (c + 1) * size, std::exp2(channel_sf_q8[c] / 256.0));
  }
}

/// Of the weights of each output channel.
std::vector<ValueStatistics> channel_statistics(const workloads::Layer& layer);

/// Splits the channels' sf into the middle one of those that have values, which is returned, and what each one exceeds
/// it by, at most 8 octaves; of a channel of zeros 0.
int split_scales(const std::vector<ValueStatistics>& channels, std::span<const int> sf_q8,
                 std::vector<std::int16_t>& channel_sf_q8);

/// Of one layer with weights. Concurrent calls are safe.
class ChannelScales {
 public:
  explicit ChannelScales(const workloads::Layer& layer);

  struct Scales {
    int sf_q8 = 0;                            ///< The middle one of the channels' own.
    std::vector<std::int16_t> channel_sf_q8;  ///< [out_c], what each one exceeds it by, at most 8 octaves.
    double mean_squared_error = 0;
  };
  /// Those of least squared error that search_scale() finds, rounded nearest_linear, for the n, es and rs of a format.
  /// A channel of weights that are all but 0 keeps within 8 octaves of the others: with a larger factor its bias would
  /// be so large that fixed partial sums had no bits left for the other channels.
  const Scales& of(const formats::LpFormat& shape) const;

  /// The n-bit format with the sf of its Scales. es and rs have the least squared error on 32 channels at most, evenly
  /// taken from all.
  FormatChoice best(int n) const;

 private:
  std::vector<ValueStatistics> channels_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  mutable std::map<std::tuple<int, int, int>, Scales> scales_;
};

}  // namespace lpa::lpq

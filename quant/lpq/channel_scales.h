// Scale factors of a layer's output channels, each chosen for the weights of its own channel.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/lpq/format_search.h"
#include "workloads/layers.h"

namespace lpa::lpq {

/// Whether a layer's weights have one scale factor or every output channel its own, which costs the machine a register
/// for each lane of a column's encoder, but no cycle.
enum class ScaleMode { per_tensor, per_channel };

/// Of one layer with weights. Concurrent calls are safe.
class ChannelScales {
 public:
  explicit ChannelScales(const workloads::Layer& layer);

  struct Scales {
    int sf_q8 = 0;                            ///< The middle one of the channels' own.
    std::vector<std::int16_t> channel_sf_q8;  ///< [out_c], what each one exceeds it by.
    double mean_squared_error = 0;
  };
  /// Those of least squared error, rounded nearest_linear, for the n, es and rs of a format.
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

// The formats that a layer's weights may take: best ones by squared error, and their neighbours. Internal to the
// search.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <tuple>
#include <vector>

#include "quant/lpq/channel_scales.h"
#include "quant/lpq/format_search.h"
#include "workloads/layers.h"

namespace lpa::lpq {

/// Random numbers that are the same on every platform.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 <= x < count.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability; }

 private:
  std::mt19937_64 engine_;
};

/// One layer's.
class WeightFormatsOfLayer {
 public:
  /// Works out the best format of each width. `scales`: of the layer's channels, which must outlive this; null: the
  /// tensor has one.
  WeightFormatsOfLayer(const workloads::Layer& layer, const std::vector<int>& bits, const ChannelScales* scales);

  /// Of least squared error.
  const formats::LpFormat& best(int bits) const { return best_.at(bits).format; }
  /// Its squared error over the weights' mean square.
  double error(int bits) const;
  /// Another format: of another width, or with another es, rs or sf near the best one for them.
  formats::LpFormat mutate(const formats::LpFormat& format, Random& random);
  /// Any of them.
  formats::LpFormat draw(Random& random);

 private:
  formats::LpFormat draw_shape(formats::LpFormat shape, Random& random);
  int best_sf_q8(const formats::LpFormat& shape);

  std::vector<int> bits_;
  double mean_square_ = 0;
  std::optional<ValueStatistics> values_;  ///< If the tensor has one scale.
  const ChannelScales* channels_;
  std::map<int, FormatChoice> best_;
  std::map<std::tuple<int, int, int>, int> scales_;  ///< Best sf by n, es and rs.
};

}  // namespace lpa::lpq

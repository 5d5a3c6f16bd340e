#include "quant/lpq/representation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpa::lpq {
namespace {

/// Positions of one channel, `stride` apart.
struct Channel {
  const float* first;
  std::size_t count, stride;

  template <typename Function>
  double mean(Function f) const {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += f(static_cast<double>(first[i * stride]));
    return sum / static_cast<double>(count);
  }
};

float kurtosis(const Channel& channel) {
  const double mean = channel.mean([](double x) { return x; });
  if (!std::isfinite(mean)) return std::numeric_limits<float>::quiet_NaN();
  float least = channel.first[0], largest = least;
  for (std::size_t i = 1; i < channel.count; ++i) {
    least = std::min(least, channel.first[i * channel.stride]);
    largest = std::max(largest, channel.first[i * channel.stride]);
  }
  if (least == largest) return 0;
  const double variance = channel.mean([mean](double x) { return (x - mean) * (x - mean); });
  const double fourth = channel.mean([mean](double x) { return (x - mean) * (x - mean) * (x - mean) * (x - mean); });
  if (!(variance * variance > 0)) return 0;
  return static_cast<float>(fourth / (variance * variance) - 3);
}

}  // namespace

Representation::Representation(const workloads::Network& network, const std::vector<int>& values, Pooling pooling)
    : pooling_(pooling), maps_(network.values.size()) {
  for (const int value : values) {
    const workloads::Shape& shape = network.values[static_cast<std::size_t>(value)].shape;
    const auto elements = static_cast<std::size_t>(workloads::element_count(shape));
    Map map{.begin = size_, .channels = elements, .positions = 1, .channels_last = false};
    if (shape.size() > 1) {
      map.channels_last = shape.size() != 4;
      map.channels = static_cast<std::size_t>(map.channels_last ? shape.back() : shape[1]);
      map.positions = elements / map.channels;
    }
    maps_[static_cast<std::size_t>(value)] = map;
    begins_.push_back(size_);
    size_ += map.channels;
  }
  begins_.push_back(size_);
}

void Representation::pool(int value, std::span<const float> data, std::span<float> features) const {
  const Map& map = maps_[static_cast<std::size_t>(value)];
  if (map.channels == 0) return;
  const std::span<float> to = features.subspan(map.begin, map.channels);
  if (map.positions == 1) {
    std::ranges::copy(data, to.begin());
    return;
  }
  for (std::size_t c = 0; c < map.channels; ++c) {
    const Channel channel{data.data() + (map.channels_last ? c : c * map.positions), map.positions,
                          map.channels_last ? map.channels : 1};
    to[c] = pooling_ == Pooling::kurtosis ? kurtosis(channel)
                                          : static_cast<float>(channel.mean([](double x) { return x; }));
  }
}

}  // namespace lpa::lpq

#include "quant/lpq/representation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace lpa::lpq {
namespace {

/// So many sums are formed side by side, which the compiler makes vectors of.
constexpr std::size_t lanes = 16;
using Lanes = std::array<double, lanes>;

/// Rows of up to `lanes` values each: channels side by side, or a channel's positions in pieces.
struct Strip {
  const float* first;
  std::size_t rows, stride, width;

  /// Calls f(lane, x) for every value.
  template <typename Function>
  void visit(Function f) const {
    for (std::size_t row = 0; row < rows; ++row) {
      const float* const x = first + row * stride;
      if (width == lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) f(lane, static_cast<double>(x[lane]));
      } else {
        for (std::size_t lane = 0; lane < width; ++lane) f(lane, static_cast<double>(x[lane]));
      }
    }
  }
};

struct Totals {
  Lanes sum{}, least, largest;

  Totals() {
    least.fill(std::numeric_limits<double>::infinity());
    largest.fill(-std::numeric_limits<double>::infinity());
  }
  void add(const Strip& strip) {
    strip.visit([this](std::size_t lane, double x) {
      sum[lane] += x;
      least[lane] = std::min(least[lane], x);
      largest[lane] = std::max(largest[lane], x);
    });
  }
};

struct Moments {
  Lanes square{}, fourth{};

  void add(const Strip& strip, const Lanes& mean) {
    strip.visit([&](std::size_t lane, double x) {
      const double difference = (x - mean[lane]) * (x - mean[lane]);
      square[lane] += difference;
      fourth[lane] += difference * difference;
    });
  }
};

/// Kurtosis - 3 from sums over `count` positions.
float kurtosis(double mean, bool constant, double square, double fourth, double count) {
  if (!std::isfinite(mean)) return std::numeric_limits<float>::quiet_NaN();
  const double variance = square / count;
  if (constant || !(variance * variance > 0)) return 0;
  return static_cast<float>(fourth / count / (variance * variance) - 3);
}

/// Channels whose positions are `stride` values apart, side by side.
void pool_strip(Pooling pooling, const Strip& strip, float* to) {
  Totals totals;
  totals.add(strip);
  const auto count = static_cast<double>(strip.rows);
  Lanes mean{};
  for (std::size_t lane = 0; lane < strip.width; ++lane) mean[lane] = totals.sum[lane] / count;
  Moments moments;
  if (pooling == Pooling::kurtosis) moments.add(strip, mean);
  for (std::size_t lane = 0; lane < strip.width; ++lane) {
    const bool constant = totals.least[lane] == totals.largest[lane];
    to[lane] = pooling == Pooling::mean
                   ? static_cast<float>(mean[lane])
                   : kurtosis(mean[lane], constant, moments.square[lane], moments.fourth[lane], count);
  }
}

/// One channel whose positions follow each other.
float pool_channel(Pooling pooling, const float* first, std::size_t positions) {
  const std::size_t rows = positions / lanes;
  const std::array strips{Strip{first, rows, lanes, lanes}, Strip{first + rows * lanes, 1, lanes, positions % lanes}};
  const auto total = [](const Lanes& of) { return std::accumulate(of.begin(), of.end(), 0.0); };
  Totals totals;
  for (const Strip& strip : strips) totals.add(strip);
  const auto count = static_cast<double>(positions);
  const double mean = total(totals.sum) / count;
  if (pooling == Pooling::mean) return static_cast<float>(mean);
  const bool constant = *std::ranges::min_element(totals.least) == *std::ranges::max_element(totals.largest);
  Lanes means;
  means.fill(mean);
  Moments moments;
  for (const Strip& strip : strips) moments.add(strip, means);
  return kurtosis(mean, constant, total(moments.square), total(moments.fourth), count);
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
  if (map.channels_last) {
    for (std::size_t c = 0; c < map.channels; c += lanes) {
      const std::size_t width = std::min(lanes, map.channels - c);
      pool_strip(pooling_, {data.data() + c, map.positions, map.channels, width}, to.data() + c);
    }
    return;
  }
  for (std::size_t c = 0; c < map.channels; ++c) {
    to[c] = pool_channel(pooling_, data.data() + c * map.positions, map.positions);
  }
}

}  // namespace lpa::lpq

// What of a network's intermediate values two versions of it are compared by.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "workloads/network.h"

namespace lpa::lpq {

/// What becomes of the positions of a channel.
enum class Pooling {
  kurtosis,  ///< Kurtosis - 3, which is 0 for normally distributed values. 0 for a channel that is constant.
  mean,
};

/// Features of one image: for each of some values those of its channels, one behind the other. A value with a single
/// position gives its elements as they are.
class Representation {
 public:
  /// `values`: indices into Network::values, each once. The channels of 1 x C x H x W lie on axis 1, those of any other
  /// shape on the last axis.
  Representation(const workloads::Network& network, const std::vector<int>& values, Pooling pooling);

  std::size_t size() const { return size_; }
  /// Where the features of values[i] begin, and at values.size() the end.
  const std::vector<std::size_t>& begins() const { return begins_; }
  /// Writes the features of a value, if it has any, to their place in `features`, which has size() elements.
  void pool(int value, std::span<const float> data, std::span<float> features) const;

 private:
  struct Map {
    std::size_t begin = 0, channels = 0, positions = 0;
    bool channels_last = false;
  };

  Pooling pooling_;
  std::size_t size_ = 0;
  std::vector<std::size_t> begins_;
  std::vector<Map> maps_;  ///< By value; without channels: none.
};

}  // namespace lpa::lpq

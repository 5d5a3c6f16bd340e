// Where the elements of a network's value stand in stored maps.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads::lowering {

/// For every element of a value, in row-major order, its place in one or several stored maps laid end to end. Cheap to
/// copy, and cheap to hold for the two regular orders.
class Order {
 public:
  static constexpr std::int32_t nowhere = -1;  ///< Place of an element that is 0 and stands in no map.

  /// No element.
  Order() = default;
  /// Element i stands at place i.
  static Order identity(std::int64_t size) { return channels_first(1, size); }
  /// Element (channel, position) stands at place (position, channel).
  static Order channels_first(std::int64_t channels, std::int64_t positions);
  /// Any places; regular ones are recognised.
  explicit Order(std::vector<std::int32_t> places);

  std::int64_t size() const { return channels_ * positions_; }
  std::int32_t operator[](std::int64_t i) const {
    if (places_) return (*places_)[static_cast<std::size_t>(i)];
    return static_cast<std::int32_t>(channels_ == 1 ? i : i % positions_ * channels_ + i / positions_);
  }
  bool regular() const { return !places_; }
  bool is_identity() const { return regular() && channels_ == 1; }
  bool has_gaps() const;
  /// Each of the places 0 ... size - 1 holds one element.
  bool is_permutation() const;
  std::vector<std::int32_t> places() const;

  /// The order of the value whose element i is this value's element source[i], or 0 where that is -1.
  Order after(std::vector<std::int32_t> source) const;

  friend bool operator==(const Order& a, const Order& b);

 private:
  std::int64_t channels_ = 0, positions_ = 0;  ///< If irregular, size and 1.
  std::shared_ptr<const std::vector<std::int32_t>> places_;
};

/// Movement of a value of that shape into one that has so many more zeros at the ends of each axis.
std::vector<std::int32_t> padded_source(const Shape& shape, std::span<const int> begins, std::span<const int> ends);

}  // namespace lpa::workloads::lowering

#include "workloads/lowering/order.h"

#include <algorithm>
#include <utility>

namespace lpa::workloads::lowering {

Order Order::channels_first(std::int64_t channels, std::int64_t positions) {
  Order order;
  const bool identity = channels == 1 || positions == 1;
  order.channels_ = identity ? 1 : channels;
  order.positions_ = identity ? channels * positions : positions;
  return order;
}

Order::Order(std::vector<std::int32_t> places) : channels_(static_cast<std::int64_t>(places.size())), positions_(1) {
  const std::int64_t size = channels_;
  const std::int64_t step = size > 1 ? places[1] : 1;  // Between two positions: the number of channels.
  if (size > 0 && step > 0 && size % step == 0) {
    const Order regular = channels_first(step, size / step);
    bool same = true;
    for (std::int64_t i = 0; same && i < size; ++i) same = places[static_cast<std::size_t>(i)] == regular[i];
    if (same) {
      *this = regular;
      return;
    }
  }
  places_ = std::make_shared<const std::vector<std::int32_t>>(std::move(places));
}

bool Order::has_gaps() const {
  return places_ && std::ranges::find(*places_, nowhere) != places_->end();
}

bool Order::is_permutation() const {
  if (regular()) return true;
  std::vector<bool> seen(places_->size(), false);
  return std::ranges::all_of(*places_, [&seen](std::int32_t place) {
    const auto at = static_cast<std::size_t>(place);
    if (place < 0 || at >= seen.size() || seen[at]) return false;
    seen[at] = true;
    return true;
  });
}

std::vector<std::int32_t> Order::places() const {
  if (places_) return *places_;
  std::vector<std::int32_t> result(static_cast<std::size_t>(size()));
  std::size_t next = 0;
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    for (std::int64_t position = 0; position < positions_; ++position)
      result[next++] = static_cast<std::int32_t>(position * channels_ + channel);
  return result;
}

Order Order::after(std::vector<std::int32_t> source) const {
  if (!is_identity())
    for (std::int32_t& element : source) element = element < 0 ? nowhere : (*this)[element];
  return Order(std::move(source));
}

bool operator==(const Order& a, const Order& b) {
  if (a.channels_ != b.channels_ || a.positions_ != b.positions_ || a.regular() != b.regular()) return false;
  return a.places_ == b.places_ || *a.places_ == *b.places_;
}

std::vector<std::int32_t> padded_source(const Shape& shape, std::span<const int> begins, std::span<const int> ends) {
  std::vector<std::int32_t> result{0};  // The places so far of the outer axes' elements, in elements of those axes.
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::vector<std::int32_t> finer;
    const auto extent = static_cast<std::int32_t>(shape[axis]);
    for (const std::int32_t outer : result)
      for (std::int32_t i = -begins[axis]; i < extent + ends[axis]; ++i)
        finer.push_back(outer < 0 || i < 0 || i >= extent ? Order::nowhere : outer * extent + i);
    result = std::move(finer);
  }
  return result;
}

}  // namespace lpa::workloads::lowering

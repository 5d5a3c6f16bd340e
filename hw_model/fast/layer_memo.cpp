#include "hw_model/fast/layer_memo.h"

namespace lpa::hw {
namespace {

/// The descriptor without what says nothing about time.
Descriptor shape_of(Descriptor d, std::int64_t burst_bytes) {
  for (FormatFields* format : {&d.weight, &d.input, &d.encoded, &d.addend, &d.output}) {
    *format = {.bits = format->bits};
  }
  for (std::int64_t* address : {&d.input_address, &d.weight_address, &d.output_address, &d.addend_address}) {
    *address %= burst_bytes;
  }
  d.flags &= flag_addend;
  d.scale = d.psum_lsb = d.parameter_address = 0;
  d.epsilon = no_epsilon;
  return d;
}

}  // namespace

void LayerMemo::begin(const Descriptor& descriptor, std::size_t turn, std::uint64_t edge, const Counters& counters) {
  recorded_ = Recorded{{to_image(shape_of(descriptor, burst_bytes_)), turn}, edge, counters};
}

void LayerMemo::end(std::size_t turn, std::uint64_t edge, const Counters& counters) {
  if (!recorded_) return;
  LayerCost cost{edge - recorded_->begin, counters - recorded_->counters, turn};
  cost.counters.saturations = cost.counters.nar_products = cost.counters.active_products = 0;
  costs_.try_emplace(recorded_->key, cost);
  recorded_.reset();
}

const LayerCost* LayerMemo::expected() const {
  if (!recorded_) return nullptr;
  const auto found = costs_.find(recorded_->key);
  return found == costs_.end() ? nullptr : &found->second;
}

}  // namespace lpa::hw

// The log-linear converter: the gates that turn the fraction of a logarithm into a linear significand.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/formats/arithmetic.h"

namespace lpa::datapath {

class LogLinearConverter {
 public:
  /// `index_bits`: width of the fraction: 6 in a PE, 8 in the post-processing unit. `lf_bits`: fraction bits out, 1..16.
  LogLinearConverter(formats::Converter kind, int lf_bits, int index_bits = 6);

  /// 2^(fraction / 2^index_bits) with lf_bits fraction bits; fraction < 2^index_bits.
  std::uint32_t operator()(unsigned fraction) const { return gates_[fraction]; }

  int lf_bits() const { return lf_bits_; }
  int index_bits() const { return index_bits_; }

 private:
  int lf_bits_;
  int index_bits_;
  std::vector<std::uint32_t> gates_;
};

}  // namespace lpa::datapath

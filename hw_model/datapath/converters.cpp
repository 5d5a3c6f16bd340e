#include "hw_model/datapath/converters.h"

#include <cmath>

namespace lpa::datapath {

LogLinearConverter::LogLinearConverter(formats::Converter kind, int lf_bits, int index_bits)
    : lf_bits_(lf_bits), index_bits_(index_bits) {
  const unsigned size = 1u << index_bits;
  gates_.reserve(size);
  for (unsigned fraction = 0; fraction < size; ++fraction) {
    if (kind == formats::Converter::mitchell) {
      gates_.push_back(((size + fraction) << lf_bits) >> index_bits);
    } else {
      const long double exact = std::exp2(static_cast<long double>(fraction) / size + lf_bits);
      gates_.push_back(static_cast<std::uint32_t>(std::lround(exact)));
    }
  }
}

LinearLogConverter::LinearLogConverter(int log_bits) : log_bits_(log_bits) {
  const unsigned size = 1u << log_bits;
  gates_.reserve(size);
  for (unsigned fraction = 0; fraction < size; ++fraction) {
    const long double exact = std::log2(1 + static_cast<long double>(fraction) / size) * size;
    gates_.push_back(static_cast<std::uint16_t>(std::lround(exact)));
  }
}

}  // namespace lpa::datapath

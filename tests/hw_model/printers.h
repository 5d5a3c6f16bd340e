// How GoogleTest prints the project's types.
#pragma once

#include <ostream>

#include "hw_model/datapath/word.h"
#include "quant/formats/arithmetic.h"

namespace lpa::formats {

inline void PrintTo(const Psum& psum, std::ostream* out) {
  if (psum.nar) *out << "nar ";
  *out << psum.value << "@" << psum.exponent;
}

}  // namespace lpa::formats

namespace lpa::datapath {

inline void PrintTo(const Lane& lane, std::ostream* out) {
  *out << "{r " << lane.r << ", u " << lane.u << (lane.negative ? ", negative" : "") << (lane.zero ? ", zero" : "")
       << (lane.nar ? ", nar" : "") << "}";
}

inline void PrintTo(const Product& product, std::ostream* out) {
  PrintTo(Lane{product.r, product.u, product.negative, product.zero, product.nar}, out);
}

}  // namespace lpa::datapath

#include <cmath>
#include <cstdio>

#include "quant/formats/lp_format.h"

// LP<4,0,2,0>: 0111 is its largest word, 2^1.5.
int main() {
  const auto format = lpa::formats::parse_lp_format("LP<4,0,2,0>");
  const double largest = lpa::formats::decode(format, format.maxpos_word());
  std::printf("%.6f\n", largest);
  return std::abs(largest - std::exp2(1.5)) < 1e-12 ? 0 : 1;
}

// Every format that the hardware takes.
#pragma once

#include <vector>

#include "quant/formats/lp_format.h"

namespace lpa::test {

/// n 8, 4 and 2, every legal es and rs, bounded and terminated; sf = 0.
inline std::vector<formats::LpFormat> hardware_formats(int n) {
  std::vector<formats::LpFormat> all;
  for (const auto regime : {formats::Regime::bounded, formats::Regime::terminated}) {
    for (int es = 0; es <= (n > 3 ? n - 3 : 0); ++es) {
      for (int rs = 1; rs < n; ++rs) {
        const formats::LpFormat format{.n = n, .es = es, .rs = rs, .sf_q8 = 0, .regime = regime};
        if (formats::check(format).empty()) all.push_back(format);
      }
    }
  }
  return all;
}

inline std::vector<formats::LpFormat> hardware_formats() {
  std::vector<formats::LpFormat> all;
  for (const int n : {8, 4, 2}) {
    for (const formats::LpFormat& format : hardware_formats(n)) all.push_back(format);
  }
  return all;
}

}  // namespace lpa::test

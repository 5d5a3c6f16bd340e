#include "hw_model/cost/sram.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lpa::cost {

Sram::Sram(const Constants& constants) {
  struct Row {
    const char* name;
    double bytes;
    double port_bits;
  };
  constexpr std::array rows{Row{"128B", 128, 32}, Row{"256B", 256, 32}, Row{"4KiB", 4096, 512}, Row{"8KiB", 8192, 512}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string name = std::string("sram.") + rows[i].name;
    banks_[i].bytes = rows[i].bytes;
    banks_[i].value = {constants[name + ".read"] / rows[i].port_bits, constants[name + ".write"] / rows[i].port_bits,
                       constants[name + ".area"] / rows[i].port_bits, constants[name + ".leakage"]};
  }
}

SramCost Sram::cost(std::int64_t bytes, int port_bits) const {
  const double largest = banks_.back().bytes;
  const double banks = std::max(std::ceil(static_cast<double>(bytes) / largest), 1.0);
  const double size = std::clamp(static_cast<double>(bytes), banks_.front().bytes, largest);
  std::size_t above = 1;
  while (banks_[above].bytes < size) ++above;
  const Bank& a = banks_[above - 1];
  const Bank& b = banks_[above];
  const double share = std::log(size / a.bytes) / std::log(b.bytes / a.bytes);
  const auto between = [&](std::size_t what) { return a.value[what] * std::pow(b.value[what] / a.value[what], share); };
  return {.read_pj = between(0) * port_bits,
          .write_pj = between(1) * port_bits,
          .leakage_mw = between(3) * banks,
          .area_mm2 = between(2) * port_bits * banks};
}

}  // namespace lpa::cost

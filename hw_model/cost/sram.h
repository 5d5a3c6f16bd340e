// Energy, leakage and area of an SRAM, interpolated between the banks that the data files have.
#pragma once

#include <array>
#include <cstdint>

#include "hw_model/cost/constants.h"

namespace lpa::cost {

/// An SRAM's own figures: those of its banks together, of one access in one of them.
struct SramCost {
  double read_pj = 0, write_pj = 0;  ///< Of an access of the port's width.
  double leakage_mw = 0;
  double area_mm2 = 0;
};

/// Banks of 128 bytes to 8 KiB. Energy of an access and area are proportional to the port's width and, per bit of the
/// port, follow the bank's size in the logarithms between the data files' banks; so does leakage, whatever the port.
/// A larger memory has as many of the largest banks as it takes, a smaller one is as costly as the smallest bank.
/// All grow with the size and the port.
class Sram {
 public:
  explicit Sram(const Constants& constants);

  SramCost cost(std::int64_t bytes, int port_bits) const;

 private:
  struct Bank {
    double bytes = 0;
    std::array<double, 4> value{};  ///< read, write and area per bit of the port; leakage.
  };
  std::array<Bank, 4> banks_;
};

}  // namespace lpa::cost

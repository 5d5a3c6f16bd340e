// Small layers, ready to run on a machine.
#pragma once

#include <cstdint>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/driver/mapper.h"
#include "hw_model/driver/program.h"
#include "hw_model/machine_config.h"

namespace lpa::test {

inline constexpr std::int64_t descriptor_at = 0, weights_at = 0x10000, input_at = 0x40000, output_at = 0x80000;

/// M x K by K x N in LP<8,1,3> with `bits`-bit weights (LP<4,1,2>, LP<2,0,1>), mapped to the machine.
inline hw::Descriptor gemm(const hw::MachineConfig& config, std::int64_t m, std::int64_t n, std::int64_t k,
                           std::int64_t bits = 8) {
  hw::Descriptor d;
  d.weight = bits == 8   ? hw::FormatFields{8, 1, 3, 0, 0}
             : bits == 4 ? hw::FormatFields{4, 1, 2, 0, 0}
                         : hw::FormatFields{2, 0, 1, 0, 0};
  d.input = d.encoded = d.output = d.addend = {8, 1, 3, 0, 0};
  d.in_h = d.out_h = m;
  d.in_c = k;
  d.out_c = n;
  d.input_pitch = k;
  d.output_pitch = d.addend_pitch = n;
  d.weight_address = weights_at;
  d.input_address = input_at;
  d.output_address = output_at;
  driver::map_layer(d, config, "gemm");
  return d;
}

/// Weights of value 1 (all of them the format's word for log2 = 0) and zero biases, packed.
inline std::vector<std::uint8_t> unit_weights(const hw::Descriptor& d, const hw::MachineConfig& config) {
  const formats::LpFormat format{static_cast<int>(d.weight.bits), static_cast<int>(d.weight.es),
                                 static_cast<int>(d.weight.rs), 0, formats::Regime::bounded};
  const auto count = static_cast<std::size_t>(d.out_c * d.kernel_h * d.kernel_w * d.in_c);
  const std::vector<formats::Word> words(count, formats::encode(format, 1.0, formats::Rounding::nearest_log));
  const std::vector<formats::BiasTerm> bias(static_cast<std::size_t>(d.out_c));
  return driver::pack_weights(d, config, words.data(), bias.data());
}

}  // namespace lpa::test

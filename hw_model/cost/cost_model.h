// Energy and area of a machine: actions times energy per action, leakage times time, gates and banks times their area.
// The pattern is Accelergy's (Wu et al., ICCAD 2019); README.md says where the numbers come from and what is left out.
#pragma once

#include <cstdint>

#include "hw_model/cost/circuits.h"
#include "hw_model/cost/constants.h"
#include "hw_model/cost/sram.h"
#include "hw_model/counters.h"
#include "hw_model/machine_config.h"

namespace lpa::cost {

/// mm2.
struct Area {
  double pe = 0;        ///< All PEs.
  double decoders = 0;  ///< At both edges.
  double skew = 0;      ///< Registers before and behind the PEs.
  double encoder = 0;
  double ppu = 0;
  double weight_buffer = 0, input_buffer = 0, output_buffer = 0;

  double compute() const { return pe + decoders; }  ///< What publications call compute area.
  double total() const { return pe + decoders + skew + encoder + ppu + weight_buffer + input_buffer + output_buffer; }
};

/// pJ.
struct Energy {
  double dram = 0;  ///< Accesses and background.
  double buffers = 0;
  double decoders = 0;
  double pe = 0;  ///< PEs and skew registers.
  double encoder = 0;
  double ppu = 0;
  double leakage = 0;  ///< Of everything on the chip.

  double total() const { return dram + buffers + decoders + pe + encoder + ppu + leakage; }
  Energy& operator+=(const Energy& other);
};

/// Of two operations a MAC.
struct Efficiency {
  double gops = 0;
  double tops_per_w = 0;    ///< With all of the energy.
  double tops_per_mm2 = 0;  ///< Of compute area.
};
/// Of work that took `ms`; 0 where there is no time, or no energy.
Efficiency efficiency(std::uint64_t macs, double ms, const Energy& energy, const Area& area);

/// What a layer made the machine do.
struct Activity {
  hw::Counters counters{};
  int weight_bits = 0;  ///< 0: the layer does not use the array.
  int activation_bits = 8;
  std::uint64_t outputs = 0;  ///< Words that the encoder behind the array formed: M * N * groups.
  /// Words were not computed: all products are taken to be of operands that are not zero, which is an upper bound.
  bool all_active = false;
};

/// Energies of single actions, pJ.
struct ActionEnergies {
  ByWidth activation_decode;  ///< Of what a row takes at a time, by activation bits.
  double weight_decode = 0;   ///< Of a packed weight word.
  ByWidth pe_activation;      ///< As in PeCircuit.
  ByWidth pe_weight;
  ByWidths pe_product;
  ByWidth pe_sum;
  ByWidth vector_skew;     ///< Activations of a vector, by activation bits.
  double weight_skew = 0;  ///< A row of weights, one packed word a column.
  ByWidth sum_skew;        ///< Sums of a vector.
  ByWidth encode;
  double ppu_element = 0;
  double dram_read_bit = 0, dram_write_bit = 0;
  SramCost weight_buffer, input_buffer, output_buffer;  ///< Of an access of port_bytes.
};

class CostModel {
 public:
  explicit CostModel(const hw::MachineConfig& config, const Constants& constants = Constants::shipped());

  const Area& area() const { return area_; }
  const ActionEnergies& actions() const { return actions_; }
  const ArrayCircuits& circuits() const { return circuits_; }
  Energy energy(const Activity& activity) const;

  double gate_area_um2() const { return gate_area_; }      ///< Of a NAND2, as calibrated.
  double gate_energy_pj() const { return gate_energy_; }   ///< Of a NAND2's share of an operation, as calibrated.
  double leakage_mw() const { return leakage_mw_; }        ///< Of the whole chip.
  double background_mw() const { return background_mw_; }  ///< Of external memory.

 private:
  hw::MachineConfig config_;
  ArrayCircuits circuits_;
  double gate_area_ = 0, gate_energy_ = 0;
  Area area_;
  ActionEnergies actions_;
  double leakage_mw_ = 0, background_mw_ = 0;
};

/// The published LPA: 8 x 8 PEs with the accumulators and the 4-bit slices of its drawing. Its PEs and decoders have
/// the area that gates are calibrated at.
hw::MachineConfig published_machine();

}  // namespace lpa::cost

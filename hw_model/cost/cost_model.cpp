#include "hw_model/cost/cost_model.h"

#include <array>
#include <cmath>

namespace lpa::cost {
namespace {

constexpr double um2_per_mm2 = 1e6;

Gates compute_gates(const hw::MachineConfig& config, const ArrayCircuits& circuits) {
  return config.array.rows * config.array.columns * circuits.pe.total() +
         config.array.rows * circuits.activation_decoder +
         config.array.columns * circuits.inputs * circuits.weight_decoder;
}

double calibrated_area(const Constants& constants, const Blocks& blocks) {
  const hw::MachineConfig config = published_machine();
  return constants["lpa.compute_area"] * um2_per_mm2 / compute_gates(config, array_circuits(config, blocks));
}

/// Geometric mean of what a gate of four published operations takes, carried to the machine's technology.
double calibrated_energy(const Constants& constants, const Blocks& blocks) {
  const std::array per_gate{constants["operation.add8"] / blocks.adder(8),
                            constants["operation.add32"] / blocks.adder(32),
                            constants["operation.multiply8"] / blocks.multiplier(8, 8),
                            constants["operation.multiply32"] / blocks.multiplier(32, 32)};
  double log_sum = 0;
  for (const double energy : per_gate) log_sum += std::log(energy);
  return std::exp(log_sum / per_gate.size()) * constants["logic.energy_scaling"];
}

ByWidth operator*(const ByWidth& gates, double factor) {
  ByWidth product;
  for (const int bits : word_widths) product[bits] = gates[bits] * factor;
  return product;
}

ByWidths operator*(const ByWidths& gates, double factor) {
  ByWidths product;
  for (const int weight : word_widths) {
    for (const int activation : word_widths) product(weight, activation) = gates(weight, activation) * factor;
  }
  return product;
}

}  // namespace

Energy& Energy::operator+=(const Energy& other) {
  dram += other.dram;
  buffers += other.buffers;
  decoders += other.decoders;
  pe += other.pe;
  encoder += other.encoder;
  ppu += other.ppu;
  leakage += other.leakage;
  return *this;
}

CostModel::CostModel(const hw::MachineConfig& config, const Constants& constants) : config_(config) {
  const Blocks blocks(constants);
  const Sram sram(constants);
  circuits_ = array_circuits(config, blocks);
  gate_area_ = calibrated_area(constants, blocks);
  gate_energy_ = calibrated_energy(constants, blocks);

  // Each buffer is two halves.
  const auto half = [&](const hw::BufferConfig& buffer) {
    return sram.cost(buffer.half_bytes(), 8 * buffer.port_bytes);
  };
  const SramCost weight_half = half(config.weight_buffer);
  const SramCost input_half = half(config.input_buffer);
  const SramCost output_half = half(config.output_buffer);
  const SramCost ppu_table = sram.cost(256, 8);
  const SramCost ppu_parameters = sram.cost(std::int64_t{1024} * config.ppu.parameter_kib, 32);

  const int pes = config.array.rows * config.array.columns;
  const double mm2_per_gate = gate_area_ / um2_per_mm2;
  const Gates ppu_gates = config.ppu.lanes * ppu_lane(config, blocks);
  const Gates encoder_gates = config.array.columns * circuits_.encoder;
  area_.pe = pes * circuits_.pe.total() * mm2_per_gate;
  area_.decoders = (compute_gates(config, circuits_) - pes * circuits_.pe.total()) * mm2_per_gate;
  area_.skew = circuits_.skew * mm2_per_gate;
  area_.encoder = encoder_gates * mm2_per_gate;
  area_.ppu = ppu_gates * mm2_per_gate + config.ppu.lanes * ppu_table.area_mm2 + ppu_parameters.area_mm2;
  area_.weight_buffer = 2 * weight_half.area_mm2;
  area_.input_buffer = 2 * input_half.area_mm2;
  area_.output_buffer = 2 * output_half.area_mm2;

  actions_.activation_decode = circuits_.activation_decode * gate_energy_;
  actions_.weight_decode = circuits_.weight_decoder * gate_energy_;
  actions_.pe_activation = circuits_.pe.activation * gate_energy_;
  actions_.pe_weight = circuits_.pe.weight * gate_energy_;
  actions_.pe_product = circuits_.pe.product * gate_energy_;
  actions_.pe_sum = circuits_.pe.sum * gate_energy_;
  actions_.vector_skew = circuits_.activation_skew * gate_energy_;
  actions_.weight_skew = circuits_.weight_skew * gate_energy_;
  actions_.sum_skew = circuits_.sum_skew * gate_energy_;
  actions_.encode = circuits_.encoder_lane * gate_energy_;
  actions_.ppu_element = ppu_gates / config.ppu.lanes * gate_energy_ + ppu_table.read_pj;
  actions_.dram_read_bit = constants["dram.read"];
  actions_.dram_write_bit = constants["dram.write"];
  actions_.weight_buffer = weight_half;
  actions_.input_buffer = input_half;
  actions_.output_buffer = output_half;

  constexpr double nw_per_mw = 1e6;
  const Gates all_gates = compute_gates(config, circuits_) + circuits_.skew + encoder_gates + ppu_gates;
  leakage_mw_ = all_gates * constants["logic.leakage"] * constants["logic.energy_scaling"] / nw_per_mw +
                2 * (weight_half.leakage_mw + input_half.leakage_mw + output_half.leakage_mw) +
                config.ppu.lanes * ppu_table.leakage_mw + ppu_parameters.leakage_mw;
  background_mw_ = constants["dram.background"];
}

Energy CostModel::energy(const Activity& activity) const {
  const hw::Counters& c = activity.counters;
  const ActionEnergies& a = actions_;
  const auto times = [](std::uint64_t count, double energy) { return static_cast<double>(count) * energy; };
  const auto accesses = [&](std::uint64_t reads, std::uint64_t writes, const SramCost& sram) {
    return times(reads, sram.read_pj) + times(writes, sram.write_pj);
  };
  const double ns = times(c.cycles, static_cast<double>(config_.period_ps()) / 1000);  // mW times ns are pJ.

  Energy energy;
  energy.dram = times(8 * c.dram_read_bytes, a.dram_read_bit) + times(8 * c.dram_write_bytes, a.dram_write_bit) +
                background_mw_ * ns;
  energy.buffers = accesses(c.weight_buffer_reads, c.weight_buffer_writes, a.weight_buffer) +
                   accesses(c.input_buffer_reads, c.input_buffer_writes, a.input_buffer) +
                   accesses(c.output_buffer_reads, c.output_buffer_writes, a.output_buffer);
  energy.ppu = times(c.ppu_elements, a.ppu_element);
  energy.leakage = leakage_mw_ * ns;
  if (activity.weight_bits == 0) return energy;

  const int bits = activity.weight_bits;
  const int rows = config_.array.rows, columns = config_.array.columns;
  const int activation = activity.activation_bits;
  const int inputs = config_.array.inputs(activation);
  const double words = times(c.tiles, rows * columns * inputs);  // Packed weights.
  const double hops = words * (rows + 1) / 2 + words;  // Into shadow registers on the way down, and the active one.
  energy.decoders = times(c.vectors, rows * a.activation_decode[activation]) + words * a.weight_decode;
  energy.pe =
      times(c.vectors, rows * columns * a.pe_activation[activation] + a.vector_skew[activation] + a.sum_skew[bits]) +
      times(c.tiles, rows * inputs * a.weight_skew) + hops * a.pe_weight[bits] +
      times(activity.all_active ? c.macs : c.active_products, a.pe_product(bits, activation)) +
      times(c.macs, a.pe_sum[bits]) / inputs;
  energy.encoder = times(activity.outputs, a.encode[bits]);
  return energy;
}

Efficiency efficiency(std::uint64_t macs, double ms, const Energy& energy, const Area& area) {
  const double operations = 2.0 * static_cast<double>(macs);
  const double gops = ms > 0 ? operations / (ms * 1e6) : 0;
  const double picojoules = energy.total();
  return {.gops = gops,
          .tops_per_w = picojoules > 0 ? operations / picojoules : 0,
          .tops_per_mm2 = gops / 1000 / area.compute()};
}

hw::MachineConfig published_machine() {
  hw::MachineConfig config;
  config.arithmetic = formats::arithmetic_preset("poster");
  config.pe_log_bits = 4;
  return config;
}

}  // namespace lpa::cost

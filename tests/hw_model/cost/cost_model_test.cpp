#include "hw_model/cost/cost_model.h"

#include <cmath>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lpa::cost {
namespace {

std::vector<double> parts(const Energy& e) {
  return {e.dram, e.buffers, e.decoders, e.pe, e.encoder, e.ppu, e.leakage};
}

std::vector<double> parts(const Area& a) {
  return {a.pe, a.decoders, a.skew, a.encoder, a.ppu, a.weight_buffer, a.input_buffer, a.output_buffer};
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

Activity random_activity(std::mt19937_64& random) {
  std::array<std::uint64_t, hw::counter_count> registers{};
  for (auto& value : registers) value = random() % 1000000;
  Activity activity{hw::from_registers(registers), std::array{0, 2, 4, 8}[random() % 4],
                    std::array{2, 4, 8}[random() % 3], random() % 10000, random() % 2 == 0};
  activity.counters.active_products = random() % (activity.counters.macs + 1);
  return activity;
}

/// A legal machine: every number parameter of the list below drawn from its range.
struct Width {
  const char* name;
  int low, high;
};
constexpr Width widths[] = {
    {"array.rows", 1, 64},          {"array.columns", 1, 64},       {"pe.log_bits", 4, 16},
    {"pe.lf_bits", 1, 16},          {"psum.bits", 8, 32},           {"encoder.log_bits", 4, 12},
    {"ppu.lanes", 1, 64},           {"ppu.parameter_kib", 1, 1024}, {"ppu.integer_bits", 4, 16},
    {"ppu.fraction_bits", 4, 16},   {"psum.integer_bits", 4, 16},   {"psum.fraction_bits", 4, 16},
    {"weight_buffer.kib", 1, 4096}, {"input_buffer.kib", 1, 4096},  {"output_buffer.kib", 1, 4096}};

void set(hw::MachineConfig& config, const std::string& name, const std::string& text) {
  for (const hw::Parameter& parameter : hw::machine_parameters()) {
    if (parameter.name == name) parameter.set(config, text);
  }
}

hw::MachineConfig random_machine(std::mt19937_64& random) {
  hw::MachineConfig config;
  for (const Width& width : widths) {
    set(config, width.name, std::to_string(std::uniform_int_distribution(width.low, width.high)(random)));
  }
  const char* const datapaths[] = {"lp", "ant", "bitfusion", "adaptivfloat", "posit", "integer"};
  const char* const datapath = datapaths[random() % 2 == 0 ? 0 : random() % std::size(datapaths)];
  set(config, "pe.datapath", datapath);
  const bool fuses =
      std::string(datapath) == "lp" || std::string(datapath) == "ant" || std::string(datapath) == "bitfusion";
  set(config, "array.pack_inputs", fuses && random() % 2 == 0 ? "on" : "off");
  set(config, "pe.psum", std::string(datapath) == "lp" && random() % 2 == 0 ? "aligned" : "fixed");
  set(config, "pe.stages", random() % 2 == 0 ? "1" : "2");
  set(config, "array.double_buffer_weights", random() % 2 == 0 ? "on" : "off");
  return config;
}

/// Everything that a machine's widths and sizes may make larger.
std::vector<double> costs_of(const CostModel& model) {
  const ActionEnergies& a = model.actions();
  std::vector<double> costs{model.area().total(), model.area().compute(), model.leakage_mw(),
                            a.weight_decode,      a.weight_skew,          a.ppu_element};
  for (const int bits : {8, 4, 2}) {
    costs.insert(costs.end(),
                 {a.pe_weight[bits], a.pe_product(bits, 8), a.pe_product(bits, 4), a.pe_sum[bits], a.sum_skew[bits],
                  a.encode[bits], a.activation_decode[bits], a.pe_activation[bits], a.vector_skew[bits]});
  }
  for (const SramCost& buffer : {a.weight_buffer, a.input_buffer, a.output_buffer}) {
    costs.insert(costs.end(), {buffer.read_pj, buffer.write_pj, buffer.leakage_mw, buffer.area_mm2});
  }
  return costs;
}

TEST(CostModel, ThePublishedMachineHasThePublishedComputeArea) {
  const CostModel model(published_machine());
  EXPECT_NEAR(model.area().compute(), 0.01208, 1e-9);
  // Published PEs and decoders divide it differently: 187.43 and 5.2 um2.
  EXPECT_NEAR(model.area().pe * 1e6 / 64, 187.43, 0.06 * 187.43);
}

TEST(CostModel, ItsConfigurationFileIsThatMachine) {
  hw::MachineConfig config;
  set(config, "psum.preset", "poster");
  set(config, "pe.log_bits", "4");
  EXPECT_DOUBLE_EQ(CostModel(config).area().total(), CostModel(published_machine()).area().total());
}

TEST(CostModel, GatesTakeTheEnergyOfPublishedOperations) {
  // The mean of the four: no operation is further from it than a factor of 1.3.
  const CostModel model{hw::MachineConfig()};
  const Constants& constants = Constants::shipped();
  const Blocks blocks(constants);
  const double gate_at_45nm = model.gate_energy_pj() / constants["logic.energy_scaling"];
  double product = 1;
  for (const auto& [gates, name] : {std::pair{blocks.adder(8), "operation.add8"},
                                    {blocks.adder(32), "operation.add32"},
                                    {blocks.multiplier(8, 8), "operation.multiply8"},
                                    {blocks.multiplier(32, 32), "operation.multiply32"}}) {
    const double ratio = gate_at_45nm * gates / constants[name];
    EXPECT_GT(ratio, 1 / 1.3) << name;
    EXPECT_LT(ratio, 1.3) << name;
    product *= ratio;
  }
  EXPECT_NEAR(product, 1, 1e-9);
}

TEST(CostModel, EachActionTakesItsOwnEnergyAndNothingElse) {
  const hw::MachineConfig config;
  const CostModel model(config);
  const ActionEnergies& a = model.actions();
  const auto energy = [&](std::uint64_t hw::Counters::*counter, std::uint64_t count) {
    Activity activity{.weight_bits = 4};
    activity.counters.*counter = count;
    return model.energy(activity);
  };
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::weight_buffer_reads, 3).total(), 3 * 17.77);
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::output_buffer_writes, 2).buffers, 2 * 24.89);
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::dram_read_bytes, 10).total(), 80 * 0.629);
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::dram_write_bytes, 10).dram, 80 * 0.766);
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::active_products, 7).total(), 7 * a.pe_product(4, 8));
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::macs, 7).total(), 7 * a.pe_sum[4]);
  EXPECT_DOUBLE_EQ(energy(&hw::Counters::ppu_elements, 5).ppu, 5 * a.ppu_element);
  // A vector's eight activations are decoded once and enter 64 PEs.
  const Energy vector = energy(&hw::Counters::vectors, 1);
  EXPECT_DOUBLE_EQ(vector.decoders, 8 * a.activation_decode[8]);
  EXPECT_NEAR(vector.pe, 64 * a.pe_activation[8] + a.vector_skew[8] + a.sum_skew[4], 1e-12);
  // A tile's 64 words are decoded once; the one for row r is taken by r + 1 shadow registers and one active one.
  const Energy tile = energy(&hw::Counters::tiles, 1);
  EXPECT_DOUBLE_EQ(tile.decoders, 64 * a.weight_decode);
  EXPECT_NEAR(tile.pe, 8 * (36 + 8) * a.pe_weight[4] + 8 * a.weight_skew, 1e-9);
  // 1000 cycles of 2 ns: mW are pJ a ns.
  const Energy time = energy(&hw::Counters::cycles, 1000);
  EXPECT_DOUBLE_EQ(time.dram, 2000 * 484.5);
  EXPECT_DOUBLE_EQ(time.leakage, 2000 * model.leakage_mw());
  EXPECT_DOUBLE_EQ(time.total(), time.dram + time.leakage);
  EXPECT_DOUBLE_EQ(model.energy({.weight_bits = 2, .outputs = 9}).total(), 9 * a.encode[2]);
}

TEST(CostModel, WithoutWordsNoOperandIsTakenForZero) {
  const CostModel model{hw::MachineConfig()};
  Activity activity{.weight_bits = 8, .all_active = true};
  activity.counters.macs = 100;
  const double upper_bound = model.energy(activity).pe;
  activity.all_active = false;
  activity.counters.active_products = 100;
  EXPECT_DOUBLE_EQ(model.energy(activity).pe, upper_bound);
  activity.counters.active_products = 60;
  EXPECT_NEAR(model.energy(activity).pe, upper_bound - 40 * model.actions().pe_product(8, 8), 1e-9);
}

TEST(CostModel, SeveralInputsOfAPeTakeTheirOwnDecodersRegistersAndWords) {
  hw::MachineConfig config;
  config.array.pack_inputs = true;
  const CostModel model(config);
  const ActionEnergies& a = model.actions();
  Activity activity{.weight_bits = 4, .activation_bits = 4};
  activity.counters.vectors = 1;
  EXPECT_DOUBLE_EQ(model.energy(activity).decoders, 8 * a.activation_decode[4]);
  EXPECT_DOUBLE_EQ(a.activation_decode[4], 2 * a.activation_decode[8]);
  EXPECT_DOUBLE_EQ(a.pe_activation[2], 4 * a.pe_activation[8]);
  activity.counters = {};
  activity.counters.tiles = 1;
  EXPECT_DOUBLE_EQ(model.energy(activity).decoders, 128 * a.weight_decode);
  activity.counters = {};
  activity.counters.macs = 6;
  activity.all_active = false;
  EXPECT_DOUBLE_EQ(model.energy(activity).pe, 3 * a.pe_sum[4]) << "two products meet in a sum";
}

TEST(CostModel, PesOfFewerWidthsAreSmaller) {
  hw::MachineConfig config = published_machine();
  const double all = CostModel(config).area().pe;
  for (const char* some : {"8", "4", "2", "8,4"}) {
    set(config, "pe.weight_bits", some);
    EXPECT_LT(CostModel(config).area().pe, all) << some;
  }
}

TEST(CostModel, OtherDatapathsAreCountedInTheSameBlocks) {
  // An 8-bit integer PE, cell by cell: registers of 10, 2 x 8, 16 and 32 bits, the multiplier, a 32-bit adder,
  // saturation.
  hw::MachineConfig config;
  set(config, "pe.psum", "fixed");
  set(config, "pe.datapath", "integer");
  config.validate();
  const Blocks b(Constants::shipped());
  const double expected = b.registers(10 + 16 + 16 + 32) + b.multiplier(8, 8) + b.adder(32) + b.multiplexer(32);
  EXPECT_NEAR(CostModel(config).circuits().pe.total(), expected, 1e-9);
  for (const char* datapath : {"ant", "bitfusion", "adaptivfloat", "posit"}) {
    set(config, "pe.datapath", datapath);
    config.validate();
    EXPECT_GT(CostModel(config).circuits().pe.total(), expected) << datapath;
  }
  set(config, "array.pack_inputs", "on");
  EXPECT_THROW(config.validate(), hw::ConfigError) << "posits come one at a time";
}

TEST(CostModel, FusedPesWorkWithAsManyMultipliersAsAProductTakes) {
  hw::MachineConfig config;
  set(config, "pe.psum", "fixed");
  set(config, "array.pack_inputs", "on");
  set(config, "pe.datapath", "ant");
  const Blocks b(Constants::shipped());
  const CostModel ant(config);
  const Gates sum = b.adder(32) + b.multiplexer(32), multiplier = b.multiplier(4, 4) + b.registers(16);
  const Gates scale = b.adder(3) + b.shifter(16, 12);
  EXPECT_NEAR(ant.circuits().pe.product(8, 8), 4 * multiplier + 3 * b.adder(20) + sum, 1e-9);
  EXPECT_NEAR(ant.circuits().pe.product(4, 4), multiplier + scale + (b.adder(20) + sum) / 2, 1e-9);
  EXPECT_NEAR(ant.circuits().pe.product(4, 8), 2 * (multiplier + scale) + b.adder(20) + sum, 1e-9);
  EXPECT_NEAR(ant.circuits().pe.activation[4], b.registers(16), 1e-9) << "two of 8 bits, decoded";
  EXPECT_EQ(ant.circuits().inputs, 2);

  set(config, "pe.datapath", "bitfusion");
  const CostModel fusion(config);
  const Gates level_1 = 3 * (b.adder(8) + b.multiplexer(8)), level_2 = 3 * (b.adder(16) + b.multiplexer(16));
  const auto products = fusion.circuits().pe.product;
  EXPECT_NEAR(products(8, 8), 16 * b.multiplier(3, 3) + 4 * level_1 + level_2 + b.registers(16) + sum, 1e-9);
  EXPECT_NEAR(products(4, 4), 4 * b.multiplier(3, 3) + level_1 + b.registers(8) + (b.adder(10) + sum) / 2, 1e-9);
  EXPECT_NEAR(products(2, 2), b.multiplier(3, 3) + b.registers(4) + (3 * b.adder(6) + sum) / 4, 1e-9);
  EXPECT_NEAR(products(4, 8), 8 * b.multiplier(3, 3) + 2 * level_1 + level_2 / 3 + b.registers(12) + sum, 1e-9);
  EXPECT_NEAR(fusion.circuits().pe.activation[2], b.registers(8), 1e-9) << "a byte holds all inputs";
}

TEST(CostModel, ALayerWithoutArrayUsesNothingOfIt) {
  std::mt19937_64 random(7);
  Activity activity = random_activity(random);
  activity.weight_bits = 0;
  const Energy energy = CostModel{hw::MachineConfig()}.energy(activity);
  EXPECT_EQ(energy.pe + energy.decoders + energy.encoder, 0);
  EXPECT_GT(energy.ppu, 0);
}

TEST(CostModel, EnergyAndAreaConserve) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 300; ++i) {
    const CostModel model(random_machine(random));
    EXPECT_DOUBLE_EQ(sum(parts(model.area())), model.area().total());
    const Activity a = random_activity(random), b = [&] {
      Activity other = random_activity(random);
      other.weight_bits = a.weight_bits;
      other.activation_bits = a.activation_bits;
      other.all_active = a.all_active;
      return other;
    }();
    Activity both = a;
    both.counters += b.counters;
    both.outputs += b.outputs;
    Energy apart = model.energy(a);
    apart += model.energy(b);
    const Energy together = model.energy(both);
    EXPECT_DOUBLE_EQ(sum(parts(together)), together.total());
    for (std::size_t part = 0; part < parts(together).size(); ++part) {
      EXPECT_NEAR(parts(apart)[part], parts(together)[part], 1e-9 * parts(together)[part]);
    }
  }
}

TEST(CostModel, NoCostIsNegativeAndMoreActionsTakeMoreEnergy) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 300; ++i) {
    const CostModel model(random_machine(random), Constants::shipped().drawn(random()));
    EXPECT_GT(model.area().compute(), 0);
    for (const double cost : costs_of(model)) EXPECT_TRUE(std::isfinite(cost) && cost >= 0) << cost;
    for (const double area : parts(model.area())) EXPECT_TRUE(std::isfinite(area) && area >= 0) << area;
    const Activity activity = random_activity(random);
    const double energy = model.energy(activity).total();
    EXPECT_TRUE(std::isfinite(energy) && energy >= 0);
    auto registers = hw::to_registers(activity.counters);
    registers[random() % registers.size()] += 1 + random() % 1000;
    Activity more = activity;
    more.counters = hw::from_registers(registers);
    EXPECT_GE(model.energy(more).total(), energy);
  }
}

TEST(CostModel, GrowsWithEveryWidthAndSize) {
  std::mt19937_64 random(17);
  for (int i = 0; i < 3000; ++i) {
    const hw::MachineConfig config = random_machine(random);
    const Width& width = widths[random() % std::size(widths)];
    hw::MachineConfig low = config, high = config;
    int a = std::uniform_int_distribution(width.low, width.high)(random);
    int b = std::uniform_int_distribution(width.low, width.high)(random);
    if (a > b) std::swap(a, b);
    set(low, width.name, std::to_string(a));
    set(high, width.name, std::to_string(b));
    const std::vector<double> less = costs_of(CostModel(low)), more = costs_of(CostModel(high));
    for (std::size_t cost = 0; cost < less.size(); ++cost) {
      ASSERT_GE(more[cost], less[cost] * (1 - 1e-12)) << width.name << ' ' << a << " to " << b << ", cost " << cost;
    }
  }
}

}  // namespace
}  // namespace lpa::cost

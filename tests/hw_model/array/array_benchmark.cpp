// Simulated cycles per second of the pin-level array while a bundle is presented in every cycle and the next tile's
// weights are loaded as early as the contract allows.
#include <cstdint>
#include <memory>

#include <benchmark/benchmark.h>
#include <systemc>

#include "hw_model/array/systolic_array.h"

namespace {

using namespace lpa;

/// Presents a bundle per cycle; tiles of `vectors` bundles.
class Driver : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_signal<bool> reset{"reset"};
  sc_core::sc_signal<hw::LayerControl> control{"control"};
  sc_core::sc_signal<hw::BundleTag> tag_in{"tag_in"}, tag_out{"tag_out"}, word_tag_out{"word_tag_out"};
  sc_core::sc_vector<sc_core::sc_signal<std::uint8_t>> activation_in;
  sc_core::sc_vector<sc_core::sc_signal<std::uint32_t>> weight_in;
  sc_core::sc_vector<sc_core::sc_signal<hw::PsumWord>> psum_in, psum_out;
  sc_core::sc_vector<sc_core::sc_signal<hw::ScaleWord>> scale_in;
  sc_core::sc_signal<hw::WeightTag> weight_tag_in{"weight_tag_in"};
  sc_core::sc_vector<sc_core::sc_signal<hw::EncodedWords>> word_out;

  Driver(const sc_core::sc_module_name& name, std::size_t rows, std::size_t columns)
      : sc_core::sc_module(name),
        activation_in("activation_in", rows),
        weight_in("weight_in", columns),
        psum_in("psum_in", columns),
        psum_out("psum_out", columns),
        scale_in("scale_in", columns),
        word_out("word_out", columns),
        rows_(static_cast<std::uint32_t>(rows)) {
    SC_HAS_PROCESS(Driver);
    SC_METHOD(present);
    sensitive << clk.pos();
    dont_initialize();
  }

  /// What the array is given from now on.
  void set(bool streaming, std::uint32_t vectors) {
    streaming_ = streaming;
    vectors_ = vectors;
    phase_ = 0;
  }

 private:
  void present() {
    if (!streaming_) {
      tag_in.write({});
      weight_tag_in.write({});
      return;
    }
    tag_in.write({true, phase_ == 0, true, 0});
    for (auto& word : activation_in) word.write(random());
    hw::PsumWord sums;
    for (auto& lane : sums.lane) lane = {random(), 0, false};
    for (auto& sum : psum_in) sum.write(sums);
    const bool loading = phase_ >= 1 && phase_ <= rows_;
    weight_tag_in.write({loading, static_cast<std::uint16_t>(loading ? rows_ - phase_ : 0)});
    if (loading) {
      for (auto& word : weight_in) word.write(random());
    }
    phase_ = phase_ + 1 == vectors_ ? 0 : phase_ + 1;
  }

  std::uint8_t random() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint8_t>(state_ >> 56);
  }

  std::uint32_t rows_;
  bool streaming_ = false;
  std::uint32_t vectors_ = 1;
  std::uint32_t phase_ = 0;
  std::uint64_t state_ = 1;
};

struct Bench {
  Bench() {
    driver.clk(clk);
    array.clk(clk);
    array.reset(driver.reset);
    array.control(driver.control);
    array.tag_in(driver.tag_in);
    array.activation_in(driver.activation_in);
    array.psum_in(driver.psum_in);
    array.scale_in(driver.scale_in);
    array.weight_tag_in(driver.weight_tag_in);
    array.weight_in(driver.weight_in);
    array.tag_out(driver.tag_out);
    array.psum_out(driver.psum_out);
    array.word_tag_out(driver.word_tag_out);
    array.word_out(driver.word_out);
  }
  sc_core::sc_clock clk{"clk", 2, sc_core::SC_NS};
  Driver driver{"driver", 8, 8};
  hw::SystolicArray array{"array", 8, 8, formats::Arithmetic{}};
};

Bench* bench = nullptr;  // A process elaborates once; all benchmarks share the array.

hw::LayerControl layer(std::uint8_t mode) {
  hw::LayerControl control;
  control.weight = {mode, static_cast<std::uint8_t>(mode == 8 ? 2 : 0), static_cast<std::uint8_t>(mode == 2 ? 1 : 3)};
  control.activation = {8, 1, 4};
  control.encoded = {8, 1, 4};
  return control;
}

void run(benchmark::State& state) {
  constexpr int cycles = 1000;
  bench->driver.control.write(layer(static_cast<std::uint8_t>(state.range(0))));
  bench->driver.set(state.range(1) != 0, static_cast<std::uint32_t>(state.range(1)));
  for ([[maybe_unused]] auto _ : state) sc_core::sc_start(2 * cycles, sc_core::SC_NS);
  state.SetItemsProcessed(state.iterations() * cycles);
  state.SetLabel(state.range(1) == 0 ? "idle; items are cycles" : "items are cycles");
}

BENCHMARK(run)
    ->Name("array_8x8")
    ->ArgNames({"mode", "vectors_per_tile"})
    ->Args({8, 1024})
    ->Args({8, 64})
    ->Args({8, 9})
    ->Args({4, 64})
    ->Args({2, 64})
    ->Args({8, 0});

}  // namespace

int sc_main(int, char**) {
  const auto owned = std::make_unique<Bench>();
  bench = owned.get();
  benchmark::RunSpecifiedBenchmarks();
  return bench->array.hazards() == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  benchmark::Initialize(&argc, argv);
  return sc_core::sc_elab_and_sim(argc, argv);
}

// The post-processing unit behind the output buffer: residual addition, pooling, re-encoding and ReLU on ppu.lanes
// elements per cycle.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/memory/fill_buffer.h"
#include "hw_model/memory/output_buffer.h"
#include "hw_model/memory/output_port.h"
#include "hw_model/ppu/ppu_datapath.h"

namespace lpa::hw {

/// Elements are processed in the order (position, channel) of each visit. A convolution's element is an encoded word,
/// with its residual if there is one: 1 lane-cycle. An addition's element is a pair of words: 1. A pool's output
/// element takes one lane-cycle per window position, padding included. An element is taken as soon as its operands are
/// there; its result is handed to the output engine with the last channel of its position.
/// A visit begins when its half of the output buffer is drained; of a convolution the sequencer has seen to that.
class Ppu : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<std::int64_t> words_ready{"words_ready"};
  sc_core::sc_in<FillLevel> input_level{"input_level"};
  sc_core::sc_in<FillLevel> residual_level{"residual_level"};
  sc_core::sc_in<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_out<PpuState> state{"state"};
  sc_core::sc_out<std::int64_t> inputs_released{"inputs_released"};  ///< Of layers that do not use the array.

  Ppu(const sc_core::sc_module_name& name, const MachineConfig& config, FillBuffer& input_buffer,
      OutputBuffer& output_buffer, OutputPort& output_port);

  std::uint64_t elements() const { return elements_; }        ///< Lane-cycles of work done.
  std::uint64_t saturations() const { return saturations_; }  ///< Sums of the unit's adder that did not fit.

 private:
  void step();
  void start(const Job& job);
  void work();
  PpuState operands() const;
  std::uint8_t compute();
  std::uint8_t pool();
  std::uint8_t input_word(std::int64_t y, std::int64_t x, std::int64_t channel) const;
  std::uint8_t residual_word() const;
  void store(std::uint8_t word);
  void finish_position();

  int lanes_;
  const formats::Arithmetic& arithmetic_;
  FillBuffer& input_buffer_;
  OutputBuffer& output_buffer_;
  OutputPort& output_port_;

  const Schedule* schedule_ = nullptr;
  std::optional<VisitCursor> visit_;
  std::optional<PpuDatapath> datapath_;
  std::uint32_t job_number_ = 0;
  std::uint64_t cycle_ = 0;
  std::int64_t element_cost_ = 1;  ///< Lane-cycles per output element.
  std::int64_t credit_ = 0;        ///< Lane-cycles spent on the element at hand.
  std::int64_t position_ = 0;      ///< Of the visit.
  std::int64_t channel_ = 0;       ///< Of the n-tile.
  std::int64_t words_before_ = 0;  ///< Encoded vectors of earlier visits.
  std::vector<std::uint8_t> segment_;
  std::uint64_t elements_ = 0;
  std::uint64_t saturations_ = 0, saturations_before_ = 0;
};

}  // namespace lpa::hw

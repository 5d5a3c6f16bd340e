// The whole accelerator, pin-level: bind clk, memory and host, and it runs.
#pragma once

#include <memory>
#include <string>

#include <systemc>
#include <tlm>

#include "hw_model/array/systolic_array.h"
#include "hw_model/control/controller.h"
#include "hw_model/control/sequencer.h"
#include "hw_model/control/weight_loader.h"
#include "hw_model/machine_config.h"
#include "hw_model/memory/dma.h"
#include "hw_model/memory/fill_buffer.h"
#include "hw_model/memory/output_buffer.h"
#include "hw_model/memory/output_port.h"
#include "hw_model/ppu/ppu.h"

namespace lpa::hw {

/// External pins: a clock, an interrupt, one TLM-2.0 initiator socket to memory and one target socket
/// for registers.
class Machine : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_out<bool> irq{"irq"};

  /// Throws ConfigError if the configuration is not valid.
  Machine(const sc_core::sc_module_name& name, const MachineConfig& config);

  tlm_utils::simple_initiator_socket<DmaSocket>& memory_socket() { return dma_.socket; }
  tlm_utils::simple_target_socket<RegisterSocket>& control_socket() { return controller_.socket(); }
  const MachineConfig& config() const { return config_; }
  const SystolicArray& array() const { return array_; }
  /// Receives what the machine does from now on; null: nobody.
  void set_timeline(Timeline* timeline);

  /// The signals between the blocks, and the array's and every PE's pins.
  void trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const;

 private:
  static const MachineConfig& validated(const MachineConfig& config) {
    config.validate();
    return config;
  }
  Counters gather() const;
  void merge_inputs_released();
  void bind_clocks();
  void bind_control();
  void bind_data();

  MachineConfig config_;

  sc_core::sc_signal<Job> job_{"job"};
  sc_core::sc_signal<LayerControl> layer_control_{"layer_control"};
  sc_core::sc_signal<bool> reset_{"reset"};
  sc_core::sc_signal<FillLevel> weight_level_{"weight_level"}, input_level_{"input_level"},
      residual_level_{"residual_level"};
  sc_core::sc_signal<std::int64_t> weights_released_{"weights_released"}, inputs_released_{"inputs_released"},
      tiles_loaded_{"tiles_loaded"}, tiles_released_{"tiles_released"}, sums_returned_{"sums_returned"},
      words_ready_{"words_ready"}, visits_drained_{"visits_drained"}, array_inputs_released_{"array_inputs_released"},
      ppu_inputs_released_{"ppu_inputs_released"};
  sc_core::sc_signal<PpuState> ppu_state_{"ppu_state"};
  sc_core::sc_signal<Cause> cause_{"cause"};
  sc_core::sc_signal<BundleTag> bundle_tag_{"bundle_tag"}, sum_tag_{"sum_tag"}, word_tag_{"word_tag"};
  sc_core::sc_signal<WeightTag> weight_tag_{"weight_tag"};
  sc_core::sc_vector<sc_core::sc_signal<std::uint8_t>> activations_;
  sc_core::sc_vector<sc_core::sc_signal<std::uint32_t>> weights_;
  sc_core::sc_vector<sc_core::sc_signal<PsumWord>> psums_in_, psums_out_;
  sc_core::sc_vector<sc_core::sc_signal<ScaleWord>> scales_;
  sc_core::sc_vector<sc_core::sc_signal<EncodedWords>> words_;

  Dma dma_;
  FillBuffer weight_buffer_, input_buffer_;
  OutputBuffer output_buffer_;
  OutputPort output_port_;
  WeightLoader loader_;
  Sequencer sequencer_;
  SystolicArray array_;
  Ppu ppu_;
  Controller controller_;
};

}  // namespace lpa::hw

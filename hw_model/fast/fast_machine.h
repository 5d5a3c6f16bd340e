// The whole accelerator as one module without a clock: the same machine as Machine, edge by edge only where something
// happens.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <systemc>
#include <tlm>

#include "hw_model/control/controller_logic.h"
#include "hw_model/control/register_socket.h"
#include "hw_model/fast/array_values.h"
#include "hw_model/fast/fast_loader.h"
#include "hw_model/fast/fast_sequencer.h"
#include "hw_model/fast/layer_memo.h"
#include "hw_model/fast/visit_periods.h"
#include "hw_model/machine_config.h"
#include "hw_model/memory/dma.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/memory_timing.h"
#include "hw_model/memory/output_logic.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/ppu/ppu_logic.h"

namespace lpa::hw {

/// The same sockets, interrupt, words, cycles and counters as Machine. Edge e of the clock lies at e clock periods, as
/// does that of a clock that starts one period after zero.
///
/// Buffers, DMA, post-processing unit and controller run the very logic of the pin-level blocks; loader, sequencer and
/// array are models of their own. A block is stepped at the edges at which its inputs change or at which it has asked
/// to be. Between two such edges nothing of it changes. The machine runs ahead of simulated time up to the next moment
/// at which anything else in the simulation can happen, and to the edge at which its interrupt changes.
class FastMachine : public sc_core::sc_module {
 public:
  sc_core::sc_out<bool> irq{"irq"};

  /// Throws ConfigError if the configuration is not valid, or the kernel's time resolution is not 1 ps.
  FastMachine(const sc_core::sc_module_name& name, const MachineConfig& config);

  tlm_utils::simple_initiator_socket<DmaSocket>& memory_socket() { return dma_.socket; }
  tlm_utils::simple_target_socket<RegisterSocket>& control_socket() { return registers_.socket; }
  const MachineConfig& config() const { return config_; }

  /// Off: every result is a word of zeros; cycles, traffic and all counters but saturations and NaRs stay the same.
  void set_values(bool on);
  /// Receives what the machine does from now on; null: nobody.
  void set_timeline(Timeline* timeline);
  /// The memory at the socket takes the times of `timing`, and nobody else makes it work: layers and visits like
  /// earlier ones are then not run again edge by edge if that makes no difference (LayerMemo, VisitPeriods). `timing`
  /// must outlive the machine. Null: nothing is known of memory.
  void set_memory_timing(MemoryTiming* timing);
  std::uint64_t layers_repeated() const { return layers_repeated_; }  ///< Those that were not run.
  std::uint64_t edges_skipped() const { return edges_skipped_; }      ///< Of visits like earlier ones.

 private:
  /// In the order of their steps at an edge. Only two things depend on it: the controller takes the cause, and a buffer
  /// the use of its port, of the edge before.
  enum Block : std::size_t { controller, weight_fill, input_fill, output, ppu, sequencer, loader, dma, block_count };

  /// A registered signal: written at an edge, seen by others from the next one on.
  template <typename T>
  struct Wire {
    T now{};
    T next{};
    bool written = false;
    const T& read() const { return now; }
  };

  void advance();
  std::uint64_t edge_of(const sc_core::sc_time& time) const { return time.value() / period_.value(); }
  sc_core::sc_time time_of(std::uint64_t edge) const { return sc_core::sc_time::from_value(edge * period_.value()); }
  std::uint64_t horizon() const;
  bool before_clocked_processes() const;
  std::uint64_t last_edge() const;
  bool must_wait_for_time(std::uint64_t edge) const;
  void sleep_until(std::uint64_t edge);
  void before_access();
  void after_access();

  bool at_rest(std::uint64_t edge) const;
  void watch_layers();
  bool repeat_layer();
  void set_words_aside();
  void form_words(const Schedule& schedule, bool values);
  void compute_words(bool on);
  void leap(std::uint64_t edges, const Counters& counters);
  bool skip_visits();
  VisitMoment moment(const LayerPosition& position) const;
  void walk(StateWalk& walk);
  bool quiet_until(std::uint64_t edge) const;
  std::span<std::uint8_t> direct_memory();

  std::uint64_t next_due() const;
  void run_edge(std::uint64_t edge);
  void step(Block block, std::uint64_t edge);
  void step_controller(std::uint64_t edge);
  void step_dma(std::uint64_t edge);
  std::uint64_t next_ppu(std::uint64_t edge) const;
  void reset_blocks(std::uint64_t edge);
  void wake(Block block, std::uint64_t edge) { due_[block] = std::min(due_[block], edge); }
  void wake_all(std::uint64_t edge) { due_.fill(edge); }
  /// An engine may have got a request at this edge.
  void wake_dma(DmaEngine engine, std::uint64_t edge) { wake(dma, std::max(dma_.next_request(engine), edge + 1)); }
  template <typename T>
  bool write(Wire<T>& wire, const T& value);
  void commit();
  std::int64_t inputs_released() const;
  void count_cycles(std::uint64_t edge);
  Counters gather() const;

  static const MachineConfig& validated(const MachineConfig& config) {
    config.validate();
    return config;
  }

  MachineConfig config_;
  sc_core::sc_time period_;
  sc_core::sc_event wake_;

  Wire<Job> job_;
  Wire<bool> reset_;
  Wire<FillLevel> weight_level_, input_level_, residual_level_;
  Wire<std::int64_t> weights_released_, array_inputs_released_, ppu_inputs_released_, tiles_loaded_, tiles_released_,
      visits_drained_;
  Wire<PpuState> ppu_state_;
  bool written_ = false;  ///< Whether any of them has been, at this edge.

  DmaSocket dma_;
  FillLogic weight_buffer_, input_buffer_;
  OutputStore store_;
  OutputLogic output_;
  ArrayValues values_;
  FastLoader loader_;
  FastSequencer sequencer_;
  PpuLogic ppu_;
  ControllerLogic controller_;
  RegisterSocket registers_;

  std::array<std::uint64_t, block_count> due_{};  ///< The next edge at which each block is stepped.
  std::uint64_t edge_ = 0;                        ///< The last edge that was run.
  bool irq_now_ = false;                          ///< As irq was last written.
  bool answers_at_once_ = false;                  ///< Memory's answers have all come with their requests.
  std::uint64_t counted_ = 0;                     ///< Edges up to which the controller has counted cycles.
  std::array<std::uint64_t, cause_count> counted_causes_{};

  bool values_on_ = true;
  Timeline* timeline_ = nullptr;
  MemoryTiming* memory_timing_ = nullptr;
  LayerMemo memo_;
  const Schedule* set_aside_ = nullptr;  ///< The layer that runs, if its words are formed when it ends.
  bool values_set_aside_ = false;        ///< Whether it has any: zeros if not.
  VisitPeriods periods_;
  std::int64_t seen_visit_ = 0;            ///< The last one before which its machine was looked at.
  std::vector<std::int64_t> read_fields_;  ///< What was seen then.
  Counters repeated_;                      ///< What the blocks would have counted where they were not run.
  std::uint64_t layers_repeated_ = 0, edges_skipped_ = 0;
  std::uint32_t watched_job_ = 0;   ///< The last one that watch_layers() has seen,
  std::uint64_t watched_ends_ = 0;  ///< and ends of layers.
};

}  // namespace lpa::hw

// The words that the post-processing unit makes of a layer's positions. No SystemC, no time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hw_model/control/schedule.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_logic.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/ppu/ppu_datapath.h"
#include "hw_model/ppu/row_datapath.h"

namespace lpa::hw {

/// All channels of a position at a time, from the very bytes that are in the buffers then.
class PpuValues {
 public:
  PpuValues(const MachineConfig& config, const FillLogic& input_buffer, const OutputStore& store,
            const OutputLogic& output);

  void start(const Schedule& schedule);
  /// Packs the results of a position, whose operands must be there, into as many bytes as they take.
  void compute(const VisitCursor& visit, std::int64_t position, std::span<std::uint8_t> packed);

  /// Sums of the unit's adder that did not fit, and NaR operands, of all layers so far.
  const formats::AccumulateEvents& events() const { return events_; }

 private:
  void operate(const VisitCursor& visit, std::int64_t position);
  void pool(const VisitCursor& visit, std::int64_t position);
  void read_input(const Pass& pass, std::int64_t y, std::int64_t x, std::span<std::uint8_t> words) const;
  void add_residuals(const VisitCursor& visit, std::int64_t position);

  const formats::Arithmetic& arithmetic_;
  PpuConverters converters_;
  const FillLogic& input_buffer_;
  const OutputStore& store_;
  const OutputLogic& output_;

  const Schedule* schedule_ = nullptr;
  std::optional<PpuDatapath> datapath_;
  std::optional<RowDatapath> row_datapath_;           ///< Of a layer that works on rows.
  std::vector<std::uint8_t> words_;                   ///< Of the position at hand.
  std::vector<std::uint8_t> operands_;                ///< Those of one position that are read for it.
  std::vector<formats::Psum> sums_;                   ///< Of an average pool.
  formats::AccumulateEvents events_, events_before_;  ///< So far, and before this layer.
};

}  // namespace lpa::hw

// All words of a layer at once, without time: what the machine would leave in memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hw_model/control/schedule.h"
#include "hw_model/fast/array_values.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_logic.h"
#include "hw_model/ppu/ppu_values.h"

namespace lpa::hw {

/// Goes through a layer band by band, with external memory at hand. Uses the machine's buffers, none of whose data
/// must be needed any more, and counts nothing but saturations and NaRs.
class LayerWords {
 public:
  LayerWords(FillLogic& weights, FillLogic& inputs, OutputLogic& output, ArrayValues& array, PpuValues& ppu)
      : weights_(weights), inputs_(inputs), output_(output), array_(array), ppu_(ppu) {}

  /// Whether all that the layer reads and writes lies in memory, and it reads nothing that it has written.
  static bool possible(const Schedule& schedule, std::size_t memory_bytes);
  /// Must be possible. Memory begins at address 0.
  void compute(const Schedule& schedule, std::span<std::uint8_t> memory);
  /// The same with zeros for words.
  static void clear(const Schedule& schedule, std::span<std::uint8_t> memory);

 private:
  void load_tiles(const Schedule& schedule, const VisitCursor& visit, std::span<const std::uint8_t> memory);
  void load_residuals(const Schedule& schedule, const VisitCursor& visit, std::span<const std::uint8_t> memory);
  void store_results(const Schedule& schedule, const VisitCursor& visit, std::span<std::uint8_t> memory);

  FillLogic& weights_;
  FillLogic& inputs_;
  OutputLogic& output_;
  ArrayValues& array_;
  PpuValues& ppu_;
  std::int64_t weight_fetch_ = -1;          ///< The one in the weight buffer.
  std::vector<std::int64_t> loaded_batch_;  ///< Of each n-tile: whose weights the array has; -1: none.
};

}  // namespace lpa::hw

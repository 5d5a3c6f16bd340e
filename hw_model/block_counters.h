#pragma once

#include "hw_model/counters.h"
#include "hw_model/memory/dma.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/ppu/ppu_logic.h"

namespace lpa::hw {

/// What the blocks that both models of the machine share have counted since construction.
inline Counters block_counters(const DmaSocket& dma, const FillLogic& weight_buffer, const FillLogic& input_buffer,
                               const OutputStore& output_buffer, const PpuLogic& ppu) {
  Counters sum;
  sum.saturations = ppu.saturations();
  sum.nar_products = ppu.nar_operands();
  sum.dram_read_bytes = dma.read_bytes();
  sum.dram_write_bytes = dma.write_bytes();
  sum.dram_bursts = dma.bursts();
  sum.weight_buffer_reads = weight_buffer.reads();
  sum.weight_buffer_writes = weight_buffer.writes();
  sum.input_buffer_reads = input_buffer.reads();
  sum.input_buffer_writes = input_buffer.writes();
  sum.output_buffer_reads = output_buffer.reads();
  sum.output_buffer_writes = output_buffer.writes();
  sum.ppu_elements = ppu.elements();
  return sum;
}

}  // namespace lpa::hw

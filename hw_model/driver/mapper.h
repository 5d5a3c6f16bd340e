// Chooses how a layer is cut into tiles.
#pragma once

#include <cstdint>

#include "hw_model/control/descriptor.h"
#include "hw_model/machine_config.h"

namespace lpa::driver {

/// Bytes that a tiled layer reads from external memory: input rows, halo and re-fetches included, and weights.
struct Traffic {
  std::int64_t input_bytes = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t total() const { return input_bytes + weight_bytes; }
};
Traffic traffic(const hw::Descriptor& descriptor, const hw::MachineConfig& config);

/// Fills in band_rows, block_tiles, k_block and loop_order of a descriptor whose other fields are complete, such that
/// it fits the buffers and reads least from external memory. Of equals it takes the larger tiles, and inputs_outer.
/// Throws MachineError, naming `layer`, if even the smallest tile does not fit, and which buffer would have to hold how
/// much.
void map_layer(hw::Descriptor& descriptor, const hw::MachineConfig& config, const std::string& layer);

}  // namespace lpa::driver

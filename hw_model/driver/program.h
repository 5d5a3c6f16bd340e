// A quantized network as the machine sees it: an image of external memory and the descriptors of every layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/machine_config.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::driver {

/// Where a feature map stands in external memory: HWC, each pixel padded to whole bytes.
struct MapPlace {
  std::uint64_t address = 0;
  int height = 0, width = 0, channels = 0;
  int bits = 8;
  std::int64_t pitch() const { return (std::int64_t{channels} * bits + 7) / 8; }
  std::int64_t bytes() const { return pitch() * height * width; }
};

/// Bytes to be written before the first run.
struct MemoryBlock {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
};

struct Program {
  MapPlace input;
  std::vector<MapPlace> outputs;                         ///< Per layer.
  std::vector<MapPlace> constants;                       ///< Per constant of the graph.
  std::vector<MemoryBlock> weights;                      ///< And whatever else does not depend on the input.
  std::vector<std::vector<hw::Descriptor>> descriptors;  ///< Per layer, at least one.
  std::uint64_t descriptor_address = 0;                  ///< Room for the longest list of a layer.
};

/// Whether a program has the bytes of weights, constants and parameters, or only room for them.
enum class ProgramData { packed, left_out };

/// Lays out and maps the whole network. Throws MachineError if a layer or the memory does not fit the machine, or
/// if a format is none of its number system's.
Program compile(const hw::MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model,
                ProgramData data = ProgramData::packed);

/// The machine's layout of a product's weights and biases (hw_model/README.md, "Memory layout"). `words`: [n][k], where
/// k counts the channels of the group of n only; the blocks of zeros around the groups are added. `bias`: [n];
/// `channel_sf_q8`: [n] (QuantizedLayer::channel_sf_q8), or null if all are 0. Empty for a layer without array.
std::vector<std::uint8_t> pack_weights(const hw::Descriptor& descriptor, const hw::MachineConfig& config,
                                       const formats::Word* words, const formats::BiasTerm* bias,
                                       const std::int16_t* channel_sf_q8 = nullptr);

/// A feature map to bytes and back.
std::vector<std::uint8_t> pack_map(const lpq::WordMap& map, const MapPlace& place);
lpq::WordMap unpack_map(const std::vector<std::uint8_t>& bytes, const MapPlace& place);

}  // namespace lpa::driver

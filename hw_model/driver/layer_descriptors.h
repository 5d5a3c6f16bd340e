// From a layer to the descriptors that make the machine do it, on maps that have their places in memory. Internal to
// compile().
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/driver/program.h"
#include "hw_model/machine_config.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/layers.h"

namespace lpa::driver {

/// Where a layer's operands and results stand, and in which formats.
struct LayerPlaces {
  const MapPlace* input = nullptr;
  const MapPlace* addend = nullptr;      ///< Null if the layer has none.
  const MapPlace* stationary = nullptr;  ///< Null if the layer has none.
  const MapPlace* output = nullptr;
  formats::TensorFormat input_format, addend_format;
};

/// Stores bytes that do not depend on the input and returns their address. `make` is called, if they are wanted, at
/// once.
using StoreData = std::function<std::uint64_t(std::int64_t size, const std::function<std::vector<std::uint8_t>()>& make,
                                              const char* what)>;

/// Scale and shift of every channel as the post-processing unit's parameter memory holds them.
std::vector<std::uint8_t> pack_norm_terms(const std::vector<formats::NormTerm>& terms);

/// The descriptors in the order of execution, mapped to the machine and accepted by it. Throws MachineError naming the
/// layer.
std::vector<hw::Descriptor> describe_layer(const hw::MachineConfig& config, const workloads::Layer& layer,
                                           const lpq::QuantizedLayer& quantized, const LayerPlaces& places,
                                           const StoreData& store);

}  // namespace lpa::driver

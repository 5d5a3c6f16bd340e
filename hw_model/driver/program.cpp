#include "hw_model/driver/program.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/layer_descriptors.h"
#include "hw_model/driver/machine_error.h"

namespace lpa::driver {
namespace {

using hw::Descriptor;
using hw::MachineConfig;
using lpq::QuantizedLayer;
using workloads::Layer;

/// Hands out external memory from the bottom up.
class Allocator {
 public:
  explicit Allocator(const MachineConfig& config) : size_(static_cast<std::uint64_t>(config.memory.mib) << 20) {}

  std::uint64_t allocate(std::int64_t bytes, const std::string& what) {
    constexpr std::uint64_t alignment = 64;
    const std::uint64_t address = next_;
    const auto rounded = (static_cast<std::uint64_t>(bytes) + alignment - 1) / alignment * alignment;
    if (rounded > size_ - next_) {
      throw MachineError(
          fmt::format("{} needs {} bytes and {} of {} are left; raise memory.mib", what, bytes, size_ - next_, size_));
    }
    next_ += rounded;
    return address;
  }

 private:
  std::uint64_t size_;
  std::uint64_t next_ = 0;
};

void put(std::vector<std::uint8_t>& bytes, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

std::vector<std::uint8_t> pack_weights(const Descriptor& descriptor, const MachineConfig& config,
                                       const formats::Word* words, const formats::BiasTerm* bias) {
  const hw::Tiling tiling(descriptor, config);
  const auto bits = static_cast<int>(descriptor.weight.bits);
  const formats::Accumulator accumulator(config.arithmetic, bits, static_cast<int>(descriptor.psum_lsb));
  const std::int64_t group_inputs = descriptor.in_c / descriptor.groups;
  const std::int64_t group_outputs = descriptor.out_c / descriptor.groups;
  const std::int64_t group_k = tiling.k / descriptor.groups;
  const auto word_of = [&](std::int64_t n, std::int64_t k) -> std::uint32_t {
    const std::int64_t channel = k % descriptor.in_c;
    if (channel / group_inputs != n / group_outputs) return 0;
    return words[n * group_k + k / descriptor.in_c * group_inputs + channel % group_inputs];
  };
  std::vector<std::uint8_t> bytes;
  bytes.reserve(static_cast<std::size_t>(tiling.weight_bytes()));
  for (std::int64_t tile = 0; tile < tiling.n_tiles; ++tile) {
    const std::int64_t first = tile * tiling.lanes;
    const std::int64_t channels = tiling.tile_channels(tile);
    for (std::int64_t n = first; n < first + channels; ++n) {
      const formats::Psum start = accumulator.start(bias[n]);
      put(bytes, static_cast<std::uint32_t>(start.value), 4);
      put(bytes, static_cast<std::uint16_t>(start.exponent), 2);
      put(bytes, 0, 2);
    }
    for (std::int64_t k = 0; k < tiling.k; ++k) {
      for (std::int64_t column = 0; column < tiling.tile_columns(tile); ++column) {
        std::uint32_t byte = 0;
        for (std::int64_t lane = 0; lane < tiling.pack; ++lane) {
          const std::int64_t n = column * tiling.pack + lane;
          if (n < channels) byte |= word_of(first + n, k) << (lane * bits);
        }
        bytes.push_back(static_cast<std::uint8_t>(byte));
      }
    }
  }
  return bytes;
}

std::vector<std::uint8_t> pack_map(const lpq::WordMap& map, const MapPlace& place) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(place.bytes()));
  std::size_t word = 0;
  for (std::int64_t pixel = 0; pixel < std::int64_t{place.height} * place.width; ++pixel) {
    for (std::int64_t channel = 0; channel < place.channels; ++channel) {
      const std::int64_t bit = channel * place.bits;
      auto& byte = bytes[static_cast<std::size_t>(pixel * place.pitch() + bit / 8)];
      byte = static_cast<std::uint8_t>(byte | map.words[word++] << (bit % 8));
    }
  }
  return bytes;
}

lpq::WordMap unpack_map(const std::vector<std::uint8_t>& bytes, const MapPlace& place) {
  lpq::WordMap map{place.height, place.width, place.channels, {}};
  map.words.reserve(static_cast<std::size_t>(place.height) * static_cast<std::size_t>(place.width) *
                    static_cast<std::size_t>(place.channels));
  const int mask = (1 << place.bits) - 1;
  for (std::int64_t pixel = 0; pixel < std::int64_t{place.height} * place.width; ++pixel) {
    for (std::int64_t channel = 0; channel < place.channels; ++channel) {
      const std::int64_t bit = channel * place.bits;
      const int byte = bytes[static_cast<std::size_t>(pixel * place.pitch() + bit / 8)];
      map.words.push_back(static_cast<formats::Word>(byte >> (bit % 8) & mask));
    }
  }
  return map;
}

namespace {

/// Lays out and describes layer by layer.
class Compiler {
 public:
  Compiler(const MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model)
      : config_(config), graph_(graph), model_(model), memory_(config) {}

  Program run() {
    program_.input = {0, graph_.in_h, graph_.in_w, graph_.in_c, model_.input.n};
    program_.input.address = memory_.allocate(program_.input.bytes(), "the network's input");
    for (std::size_t i = 0; i < graph_.constants.size(); ++i) add_constant(i);
    for (std::size_t i = 0; i < graph_.layers.size(); ++i) add_layer(i);
    std::size_t most = 1;
    for (const auto& list : program_.descriptors) most = std::max(most, list.size());
    program_.descriptor_address =
        memory_.allocate(static_cast<std::int64_t>(most * hw::descriptor_bytes), "the descriptor list");
    return std::move(program_);
  }

 private:
  std::uint64_t store(std::vector<std::uint8_t> bytes, const std::string& what) {
    const std::uint64_t address = memory_.allocate(static_cast<std::int64_t>(bytes.size()), what);
    program_.weights.push_back({address, std::move(bytes)});
    return address;
  }

  void add_constant(std::size_t i) {
    const workloads::ConstantMap& constant = graph_.constants[i];
    const lpq::QuantizedConstant& quantized = model_.constants[i];
    MapPlace place{0, constant.h, constant.w, constant.c, quantized.format.n};
    place.address = store(pack_map({constant.h, constant.w, constant.c, quantized.words}, place),
                          fmt::format("constant '{}'", constant.name));
    program_.constants.push_back(place);
  }

  const MapPlace* place(int operand) const {
    if (operand == workloads::no_operand) return nullptr;
    if (operand == workloads::network_input) return &program_.input;
    if (workloads::is_constant(operand)) return &program_.constants[workloads::constant_index(operand)];
    return &program_.outputs[static_cast<std::size_t>(operand)];
  }

  void add_layer(std::size_t i) {
    const Layer& layer = graph_.layers[i];
    const QuantizedLayer& quantized = model_.layers[i];
    const workloads::LayerGeometry& g = layer.geometry;
    MapPlace output{0, g.out_h, g.out_w, g.out_c, quantized.output.n};
    output.address = memory_.allocate(output.bytes(), fmt::format("the output of layer '{}'", layer.name));
    if (leaves_gaps(layer)) {
      program_.weights.push_back({output.address, std::vector<std::uint8_t>(static_cast<std::size_t>(output.bytes()))});
    }
    LayerPlaces places;
    places.input = place(layer.input);
    places.addend = place(layer.addend);
    places.stationary = place(layer.stationary);
    places.output = &output;
    places.input_format = model_.operand_format(layer.input);
    if (places.addend != nullptr) places.addend_format = model_.operand_format(layer.addend);
    program_.descriptors.push_back(
        describe_layer(config_, layer, quantized, places, [&](std::vector<std::uint8_t> bytes, const char* what) {
          return store(std::move(bytes), fmt::format("the {} of layer '{}'", what, layer.name));
        }));
    program_.outputs.push_back(output);
  }

  /// Whether there are elements of a copy's map that no box fills; they must be zeros.
  static bool leaves_gaps(const Layer& layer) {
    if (layer.kind != workloads::LayerKind::copy) return false;
    std::int64_t filled = 0;
    for (const workloads::CopyBox& box : layer.boxes) filled += box.count[0] * box.count[1] * box.count[2];
    const workloads::LayerGeometry& g = layer.geometry;
    return filled < std::int64_t{g.out_h} * g.out_w * g.out_c;
  }

  const MachineConfig& config_;
  const workloads::LayerGraph& graph_;
  const lpq::QuantizedModel& model_;
  Allocator memory_;
  Program program_;
};

}  // namespace

Program compile(const MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model) {
  return Compiler(config, graph, model).run();
}

}  // namespace lpa::driver

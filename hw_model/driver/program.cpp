#include "hw_model/driver/program.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/mapper.h"

namespace lpa::driver {
namespace {

using hw::Descriptor;
using hw::FormatFields;
using hw::MachineConfig;
using lpq::QuantizedLayer;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;

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

FormatFields to_fields(const formats::LpFormat& format) {
  return {format.n, format.es, format.rs, format.regime == formats::Regime::bounded ? 0 : 1, format.sf_q8};
}

hw::LayerOp to_op(LayerKind kind) {
  switch (kind) {
    case LayerKind::add:
      return hw::LayerOp::add;
    case LayerKind::max_pool:
      return hw::LayerOp::max_pool;
    case LayerKind::average_pool:
      return hw::LayerOp::average_pool;
    default:
      break;
  }
  return hw::LayerOp::conv;
}

/// Geometry of one group.
void set_geometry(Descriptor& d, const LayerGeometry& g) {
  d.in_h = g.in_h;
  d.in_w = g.in_w;
  d.in_c = g.in_c / g.groups;
  d.out_h = g.out_h;
  d.out_w = g.out_w;
  d.out_c = g.out_c / g.groups;
  d.kernel_h = g.kernel_h;
  d.kernel_w = g.kernel_w;
  d.stride_h = g.stride_h;
  d.stride_w = g.stride_w;
  d.pad_top = g.pad_top;
  d.pad_left = g.pad_left;
  d.dilation_h = g.dilation_h;
  d.dilation_w = g.dilation_w;
}

Descriptor describe(const Layer& layer, const QuantizedLayer& quantized, const formats::LpFormat& input,
                    const formats::LpFormat* addend, const MachineConfig& config) {
  Descriptor d;
  d.op = static_cast<std::int64_t>(to_op(layer.kind));
  d.flags = (layer.activation.kind == workloads::Activation::Kind::relu ? hw::flag_relu : 0) | (layer.count_include_pad ? hw::flag_count_include_pad : 0);
  set_geometry(d, layer.geometry);
  d.input = to_fields(input);
  d.output = to_fields(quantized.output);
  if (addend != nullptr) d.addend = to_fields(*addend);
  if (layer.kind == LayerKind::conv) {
    d.weight = to_fields(quantized.weight);
    d.encoded = to_fields(quantized.encoded);
    d.scale = d.weight.sf + d.input.sf - d.encoded.sf;
    d.psum_lsb = quantized.psum_lsb + (32 - config.arithmetic.fixed_bits);
    if (addend != nullptr) d.flags |= hw::flag_addend;
  }
  return d;
}

void put(std::vector<std::uint8_t>& bytes, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

/// The machine's own check, before it is asked to run: a descriptor it would refuse is reported with the layer's name.
void check_descriptor(const Descriptor& d, const MachineConfig& config, const std::string& layer) {
  if (const auto wrong = hw::check(d, config)) {
    const hw::DescriptorField& field = hw::descriptor_fields()[wrong->field];
    Descriptor copy = d;
    throw MachineError(fmt::format("layer '{}': the machine cannot run it: {} = {} {}", layer, field.name,
                                   field.at(copy), wrong->capacity ? "does not fit a buffer" : "is not possible"));
  }
}

}  // namespace

std::vector<std::uint8_t> pack_weights(const Descriptor& descriptor, const MachineConfig& config,
                                       const formats::Word* words, const formats::BiasTerm* bias) {
  const hw::Tiling tiling(descriptor, config);
  const auto bits = static_cast<int>(descriptor.weight.bits);
  const formats::Accumulator accumulator(config.arithmetic, bits, static_cast<int>(descriptor.psum_lsb));
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
          if (n < channels) byte |= std::uint32_t{words[(first + n) * tiling.k + k]} << (lane * bits);
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

Program compile(const MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model) {
  Allocator memory(config);
  Program program;
  int most_groups = 1;
  for (const Layer& layer : graph.layers) most_groups = std::max(most_groups, layer.geometry.groups);
  program.descriptor_address = memory.allocate(
      std::int64_t{most_groups} * static_cast<std::int64_t>(hw::descriptor_bytes), "the descriptor list");
  program.input = {0, graph.in_h, graph.in_w, graph.in_c, model.input.n};
  program.input.address = memory.allocate(program.input.bytes(), "the network's input");

  const auto place = [&](int operand) -> const MapPlace& {
    return operand == workloads::network_input ? program.input : program.outputs[static_cast<std::size_t>(operand)];
  };
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const QuantizedLayer& quantized = model.layers[i];
    const LayerGeometry& g = layer.geometry;
    MapPlace output{0, g.out_h, g.out_w, g.out_c, quantized.output.n};
    output.address = memory.allocate(output.bytes(), fmt::format("the output of layer '{}'", layer.name));
    program.outputs.push_back(output);

    const bool adds = layer.addend != workloads::no_operand;
    const formats::LpFormat* addend = adds ? &model.operand_format(layer.addend) : nullptr;
    Descriptor d = describe(layer, quantized, model.operand_format(layer.input), addend, config);
    d.input_address = static_cast<std::int64_t>(place(layer.input).address);
    d.input_pitch = place(layer.input).pitch();
    d.output_address = static_cast<std::int64_t>(output.address);
    d.output_pitch = output.pitch();
    if (adds) {
      d.addend_address = static_cast<std::int64_t>(place(layer.addend).address);
      d.addend_pitch = place(layer.addend).pitch();
    }
    map_layer(d, config, layer.name);

    std::vector<Descriptor> groups;
    for (int group = 0; group < g.groups; ++group) {
      d.input_channel = group * d.in_c;
      d.output_channel = group * d.out_c;
      if (layer.kind == LayerKind::conv) {
        const std::int64_t first = group * d.out_c;
        MemoryBlock block;
        block.bytes =
            pack_weights(d, config, quantized.weights.data() + first * layer.k(), quantized.bias.data() + first);
        block.address = memory.allocate(static_cast<std::int64_t>(block.bytes.size()),
                                        fmt::format("the weights of layer '{}'", layer.name));
        d.weight_address = static_cast<std::int64_t>(block.address);
        program.weights.push_back(std::move(block));
      }
      check_descriptor(d, config, layer.name);
      groups.push_back(d);
    }
    program.descriptors.push_back(std::move(groups));
  }
  return program;
}

}  // namespace lpa::driver

#include "hw_model/driver/program.h"

#include <algorithm>
#include <functional>

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

std::uint8_t* put(std::uint8_t* to, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) *to++ = static_cast<std::uint8_t>(value >> (8 * i));
  return to;
}

/// The weights of a product as a matrix [n][k], blocks of zeros around its groups included.
class GroupedWeights {
 public:
  GroupedWeights(const Descriptor& d, std::int64_t k, const formats::Word* words)
      : words_(words), channels_(d.in_c), inputs_(d.in_c / d.groups), outputs_(d.out_c / d.groups), k_(k / d.groups) {}

  /// The rows below are those of this k.
  void set_k(std::int64_t k) {
    const std::int64_t channel = k % channels_;
    group_ = channel / inputs_;
    row_ = words_ + k / channels_ * inputs_ + channel % inputs_;
  }
  std::uint32_t word(std::int64_t n) const {
    return n >= group_ * outputs_ && n < (group_ + 1) * outputs_ ? row_[n * k_] : std::uint32_t{0};
  }

 private:
  const formats::Word* words_;
  std::int64_t channels_, inputs_, outputs_, k_;
  std::int64_t group_ = 0;
  const formats::Word* row_ = nullptr;
};

}  // namespace

std::vector<std::uint8_t> pack_weights(const Descriptor& descriptor, const MachineConfig& config,
                                       const formats::Word* words, const formats::BiasTerm* bias,
                                       const std::int16_t* channel_sf_q8) {
  if (!descriptor.uses_array()) return {};
  const hw::Tiling tiling(descriptor, config);
  const auto bits = static_cast<int>(descriptor.weight.bits);
  const formats::Accumulator accumulator(config.arithmetic, bits, static_cast<int>(descriptor.psum_lsb));
  GroupedWeights weights(descriptor, tiling.k, words);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tiling.weight_bytes()));
  std::uint8_t* to = bytes.data();
  for (std::int64_t tile = 0; tile < tiling.n_tiles; ++tile) {
    const std::int64_t first = tile * tiling.lanes;
    const std::int64_t end = first + tiling.tile_channels(tile);
    for (std::int64_t n = first; n < end; ++n) {
      const formats::Psum start = accumulator.start(bias[n]);
      to = put(to, static_cast<std::uint32_t>(start.value), 4);
      to = put(to, static_cast<std::uint16_t>(start.exponent), 2);
      to = put(to, static_cast<std::uint16_t>(channel_sf_q8 == nullptr ? 0 : channel_sf_q8[n]), 2);
    }
    for (std::int64_t k = 0; k < tiling.k; ++k) {
      weights.set_k(k);
      for (std::int64_t n = first; n < end; n += tiling.pack) {
        std::uint32_t byte = 0;
        for (std::int64_t lane = 0; lane < std::min(tiling.pack, end - n); ++lane) {
          byte |= weights.word(n + lane) << (lane * bits);
        }
        *to++ = static_cast<std::uint8_t>(byte);
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
  Compiler(const MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model,
           ProgramData data)
      : config_(config), graph_(graph), model_(model), data_(data), memory_(config) {}

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
  using MakeBytes = std::function<std::vector<std::uint8_t>()>;

  std::uint64_t store(std::int64_t size, const MakeBytes& make, const std::string& what) {
    const std::uint64_t address = memory_.allocate(size, what);
    write(address, make);
    return address;
  }

  void write(std::uint64_t address, const MakeBytes& make) {
    if (data_ == ProgramData::packed) program_.weights.push_back({address, make()});
  }

  void add_constant(std::size_t i) {
    const workloads::ConstantMap& constant = graph_.constants[i];
    const lpq::QuantizedConstant& quantized = model_.constants[i];
    MapPlace place{0, constant.h, constant.w, constant.c, quantized.format.n};
    const auto pack = [&] { return pack_map({constant.h, constant.w, constant.c, quantized.words}, place); };
    place.address = store(place.bytes(), pack, fmt::format("constant '{}'", constant.name));
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
      write(output.address, [&] { return std::vector<std::uint8_t>(static_cast<std::size_t>(output.bytes())); });
    }
    LayerPlaces places;
    places.input = place(layer.input);
    places.addend = place(layer.addend);
    places.stationary = place(layer.stationary);
    places.output = &output;
    places.input_format = model_.operand_format(layer.input);
    check_widths(layer, quantized, places.input_format);
    check_numbers(layer, places.input_format, "input words");
    check_numbers(layer, quantized.output, "output words");
    check_numbers(layer, quantized.encoded, "encoded words");
    if (layer.uses_array()) check_numbers(layer, quantized.weight, "weights");
    if (places.addend != nullptr) {
      places.addend_format = model_.operand_format(layer.addend);
      check_numbers(layer, places.addend_format, "added words");
    }
    program_.descriptors.push_back(describe_layer(
        config_, layer, quantized, places, [&](std::int64_t size, const MakeBytes& make, const char* what) {
          return store(size, make, fmt::format("the {} of layer '{}'", what, layer.name));
        }));
    program_.outputs.push_back(output);
  }

  void check_widths(const Layer& layer, const QuantizedLayer& quantized, const formats::TensorFormat& input) const {
    if (!layer.uses_array()) return;
    const auto refuse = [&](int bits, const char* what) {
      throw MachineError(
          fmt::format("layer '{}' has {}-bit {}, which the machine's PEs do not take (see pe.datapath, "
                      "pe.weight_bits)",
                      layer.name, bits, what));
    };
    if (!config_.takes(quantized.weight.n)) refuse(quantized.weight.n, "weights");
    if (!config_.takes_activations(input.n)) refuse(input.n, "activations");
  }

  void check_numbers(const Layer& layer, const formats::TensorFormat& format, const char* what) const {
    const formats::NumberSystem numbers = config_.numbers();
    if (contains(numbers, format)) return;
    throw MachineError(
        fmt::format("layer '{}': {} are {}, but the machine computes with {} words of {} bits (pe.datapath), which "
                    "lpasim quantize --numbers {} chooses",
                    layer.name, what, to_string(format), to_string(numbers), widths_of(numbers), to_string(numbers)));
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
  ProgramData data_;
  Allocator memory_;
  Program program_;
};

}  // namespace

Program compile(const MachineConfig& config, const workloads::LayerGraph& graph, const lpq::QuantizedModel& model,
                ProgramData data) {
  return Compiler(config, graph, model, data).run();
}

}  // namespace lpa::driver

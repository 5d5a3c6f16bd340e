#include "hw_model/driver/layer_descriptors.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/mapper.h"

namespace lpa::driver {
namespace {

using hw::Descriptor;
using hw::FormatFields;
using workloads::CopyBox;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;
using workloads::MatrixPlaces;

FormatFields to_fields(const formats::TensorFormat& format) {
  return {format.n,     format.es,
          format.rs,    format.regime == formats::Regime::bounded ? 0 : 1,
          format.sf_q8, static_cast<std::int64_t>(format.family)};
}

hw::LayerOp to_op(LayerKind kind) {
  switch (kind) {
    case LayerKind::add:
      return hw::LayerOp::add;
    case LayerKind::max_pool:
      return hw::LayerOp::max_pool;
    case LayerKind::average_pool:
      return hw::LayerOp::average_pool;
    case LayerKind::softmax:
      return hw::LayerOp::softmax;
    case LayerKind::layer_norm:
      return hw::LayerOp::layer_norm;
    case LayerKind::copy:
      return hw::LayerOp::copy;
    case LayerKind::conv:
    case LayerKind::matmul:
      break;
  }
  return hw::LayerOp::conv;
}

void set_geometry(Descriptor& d, const LayerGeometry& g) {
  d.in_h = g.in_h;
  d.in_w = g.in_w;
  d.in_c = g.in_c;
  d.out_h = g.out_h;
  d.out_w = g.out_w;
  d.out_c = g.out_c;
  d.kernel_h = g.kernel_h;
  d.kernel_w = g.kernel_w;
  d.stride_h = g.stride_h;
  d.stride_w = g.stride_w;
  d.pad_top = g.pad_top;
  d.pad_left = g.pad_left;
  d.dilation_h = g.dilation_h;
  d.dilation_w = g.dilation_w;
}

class LayerCompiler {
 public:
  LayerCompiler(const hw::MachineConfig& config, const Layer& layer, const lpq::QuantizedLayer& quantized,
                const LayerPlaces& places, const StoreData& store)
      : config_(config), layer_(layer), quantized_(quantized), places_(places), store_(store) {}

  std::vector<Descriptor> run() {
    switch (layer_.kind) {
      case LayerKind::conv:
        convolve();
        break;
      case LayerKind::matmul:
        multiply();
        break;
      case LayerKind::copy:
        copy();
        break;
      default:
        accept(whole_maps());
    }
    return std::move(descriptors_);
  }

 private:
  /// What all descriptors of the layer have in common.
  Descriptor common() const {
    Descriptor d;
    d.op = static_cast<std::int64_t>(to_op(layer_.kind));
    d.flags = (layer_.activation.kind == workloads::Activation::Kind::relu ? hw::flag_relu : 0) |
              (layer_.count_include_pad ? hw::flag_count_include_pad : 0);
    d.input = to_fields(places_.input_format);
    d.output = to_fields(quantized_.output);
    if (layer_.uses_array()) {
      d.weight = to_fields(quantized_.weight);
      d.encoded = to_fields(quantized_.encoded);
      d.scale = d.weight.sf + d.input.sf - d.encoded.sf - quantized_.product_scale_q8;
      d.psum_lsb = quantized_.psum_lsb + (32 - config_.arithmetic.fixed_bits);
    }
    return d;
  }

  /// ... of a layer that reads and writes whole maps.
  Descriptor whole_maps() {
    Descriptor d = common();
    set_geometry(d, layer_.geometry);
    d.input_address = static_cast<std::int64_t>(places_.input->address);
    d.input_pitch = places_.input->pitch();
    d.output_address = static_cast<std::int64_t>(places_.output->address);
    d.output_pitch = places_.output->pitch();
    if (places_.addend != nullptr) {
      if (layer_.kind == LayerKind::conv) d.flags |= hw::flag_addend;
      d.addend = to_fields(places_.addend_format);
      d.addend_address = static_cast<std::int64_t>(places_.addend->address);
      d.addend_pitch = places_.addend->pitch();
    }
    if (layer_.uses_array()) set_table(d, 0);
    if (layer_.kind == LayerKind::layer_norm) {
      d.epsilon = quantized_.epsilon_log_q8 == formats::no_epsilon ? hw::no_epsilon : quantized_.epsilon_log_q8;
      const auto size = static_cast<std::int64_t>(quantized_.norm.size()) * hw::norm_term_bytes;
      d.parameter_address = static_cast<std::int64_t>(store_(
          size, [this] { return pack_norm_terms(quantized_.norm); }, "scale and shift"));
    }
    return d;
  }

  void set_table(Descriptor& d, std::size_t which) {
    const std::vector<formats::Word>& table = quantized_.tables[which];
    if (table.empty()) return;
    d.flags |= hw::flag_table;
    if (table_address_[which] == 0) {
      const auto bytes = [&table] { return std::vector<std::uint8_t>(table.begin(), table.end()); };
      table_address_[which] = store_(static_cast<std::int64_t>(table.size()), bytes, "table");
    }
    d.parameter_address = static_cast<std::int64_t>(table_address_[which]);
  }

  /// Takes the descriptor if the machine does: one that it would refuse is reported with the layer's name.
  void accept(Descriptor d, bool map = true) {
    if (map) map_layer(d, config_, layer_.name);
    if (const auto wrong = hw::check(d, config_)) {
      const hw::DescriptorField& field = hw::descriptor_fields()[wrong->field];
      throw MachineError(fmt::format("layer '{}': the machine cannot run it: {} = {} {}", layer_.name, field.name,
                                     field.at(d), wrong->capacity ? "does not fit a buffer" : "is not possible"));
    }
    descriptors_.push_back(d);
  }

  /// Groups of fewer outputs than the array has lanes share its columns: their weights form diagonal blocks of a
  /// product of all their inputs. Products of the same size follow each other as a batch where their channels begin at
  /// bytes.
  void convolve() {
    const LayerGeometry& g = layer_.geometry;
    const std::int64_t outputs = g.out_c / g.groups;
    const std::int64_t lanes = std::int64_t{config_.array.columns} * (8 / quantized_.weight.n);
    const std::int64_t joined = std::clamp<std::int64_t>(lanes / outputs, 1, g.groups);
    const std::int64_t products = g.groups / joined;
    const Descriptor d = whole_maps();
    add_products(d, 0, joined, products);
    if (const std::int64_t rest = g.groups % joined; rest > 0) add_products(d, products * joined, rest, 1);
  }

  /// `count` products of `joined` groups each, from a group on.
  void add_products(Descriptor d, std::int64_t first_group, std::int64_t joined, std::int64_t count) {
    const LayerGeometry& g = layer_.geometry;
    const std::int64_t group_inputs = g.in_c / g.groups, group_outputs = g.out_c / g.groups;
    d.groups = joined;
    d.in_c = joined * group_inputs;
    d.out_c = joined * group_outputs;
    d.input_channel = first_group * group_inputs;
    d.output_channel = first_group * group_outputs;
    map_layer(d, config_, layer_.name);
    const auto bits_fit = [&](std::int64_t bits, std::int64_t channels) { return channels * bits % 8 == 0; };
    const bool batch = bits_fit(d.input.bits, d.in_c) && bits_fit(d.output.bits, d.out_c) &&
                       (places_.addend == nullptr || bits_fit(d.addend.bits, d.out_c));
    const std::int64_t stride = hw::Tiling(d, config_).weight_bytes();
    const auto pack = [&] {
      std::vector<std::uint8_t> weights;
      for (std::int64_t product = 0; product < count; ++product) {
        const std::int64_t first = (first_group + product * joined) * group_outputs;
        const std::int16_t* scales =
            quantized_.channel_sf_q8.empty() ? nullptr : quantized_.channel_sf_q8.data() + first;
        const std::vector<std::uint8_t> bytes = pack_weights(d, config_, quantized_.weights.data() + first * layer_.k(),
                                                             quantized_.bias.data() + first, scales);
        weights.insert(weights.end(), bytes.begin(), bytes.end());
      }
      return weights;
    };
    d.weight_address = static_cast<std::int64_t>(store_(count * stride, pack, "weights"));
    if (batch) {
      d.batch = count;
      d.weight_stride = stride;
      d.input_stride = d.in_c * d.input.bits / 8;
      d.output_stride = d.out_c * d.output.bits / 8;
      d.addend_stride = d.out_c * d.addend.bits / 8;
      accept(d, false);
      return;
    }
    for (std::int64_t product = 0; product < count; ++product) {
      accept(d, false);
      d.input_channel += d.in_c;
      d.output_channel += d.out_c;
      d.weight_address += stride;
    }
  }

  void require_bytes(const formats::TensorFormat& format, const char* what) const {
    if (format.n != 8)
      throw MachineError(fmt::format("layer '{}': its {} has words of {} bits; the machine takes 8 here", layer_.name,
                                     what, format.n));
  }

  /// A descriptor for every outer product, each with a batch of all inner ones.
  void multiply() {
    require_bytes(places_.input_format, "input");
    require_bytes(quantized_.weight, "stationary operand");
    const workloads::MatrixProducts& p = layer_.products;
    Descriptor d = common();
    d.in_h = d.out_h = p.m;
    d.in_c = p.k;
    d.out_c = p.n;
    const bool rows = p.stationary.column_stride == 1;
    d.weight_layout = static_cast<std::int64_t>(rows ? hw::WeightLayout::rows : hw::WeightLayout::columns);
    d.weight_pitch = pitch(rows ? p.stationary.row_stride : p.stationary.column_stride);
    d.input_pitch = pitch(p.input.row_stride);
    d.output_pitch = pitch(to_bytes(*places_.output, p.output.row_stride));
    d.batch = p.inner;
    d.input_stride = p.input.inner_stride;
    d.weight_stride = p.stationary.inner_stride;
    d.output_stride = to_bytes(*places_.output, p.output.inner_stride);
    if (places_.addend != nullptr) {
      d.flags |= hw::flag_addend;
      d.addend = to_fields(places_.addend_format);
      d.addend_pitch = pitch(to_bytes(*places_.addend, p.output.row_stride));
      d.addend_stride = to_bytes(*places_.addend, p.output.inner_stride);
    }
    set_table(d, 0);
    map_layer(d, config_, layer_.name);
    for (std::int64_t i = 0; i < p.outer; ++i) {
      const auto at = [this, i](const MapPlace* place, const MatrixPlaces& matrices) {
        return static_cast<std::int64_t>(place->address) +
               to_bytes(*place, matrices.offset + i * matrices.outer_stride);
      };
      d.input_address = at(places_.input, p.input);
      d.weight_address = at(places_.stationary, p.stationary);
      d.output_address = at(places_.output, p.output);
      if (places_.addend != nullptr) d.addend_address = at(places_.addend, p.output);
      accept(d, false);
    }
  }

  /// Bytes from the begin of a map to an element.
  std::int64_t to_bytes(const MapPlace& place, std::int64_t element) const {
    const std::int64_t bit = element % place.channels * place.bits;
    if (bit % 8 != 0)
      throw MachineError(
          fmt::format("layer '{}': a matrix would begin within a byte of a map of {} channels of {} bits", layer_.name,
                      place.channels, place.bits));
    return element / place.channels * place.pitch() + bit / 8;
  }

  /// A pitch that the descriptor can hold; of a single row it means nothing.
  static std::int64_t pitch(std::int64_t stride) { return std::max<std::int64_t>(stride, 1); }

  void copy() {
    for (const CopyBox& box : layer_.boxes) copy_box(box);
  }

  void copy_box(const CopyBox& box) {
    const MapPlace* source = box.source == 0 ? places_.input : places_.addend;
    const formats::TensorFormat& format = box.source == 0 ? places_.input_format : places_.addend_format;
    require_bytes(format, "input");
    require_bytes(quantized_.output, "output");
    Descriptor d = common();
    d.input = to_fields(format);
    set_table(d, static_cast<std::size_t>(box.source));
    d.input_pitch = pitch(box.from_stride[1]);
    d.output_pitch = pitch(box.to_stride[1]);
    d.input_stride = box.from_stride[0];
    d.output_stride = box.to_stride[0];
    // Runs as long as a buffer's half may hold well, rows and batches as the descriptor can count.
    const auto [batches, rows, run] = box.count;
    for (std::int64_t i = 0; i < batches; i += longest_count) {
      for (std::int64_t j = 0; j < rows; j += longest_count) {
        for (std::int64_t c = 0; c < run; c += longest_run) {
          d.batch = std::min(batches - i, longest_count);
          d.in_h = d.out_h = std::min(rows - j, longest_count);
          d.in_c = d.out_c = std::min(run - c, longest_run);
          const auto at = [&, i = i, j = j, c = c](const MapPlace* place, std::int64_t first, const auto& strides) {
            return static_cast<std::int64_t>(place->address) + first + i * strides[0] + j * strides[1] + c;
          };
          d.input_address = at(source, box.from, box.from_stride);
          d.output_address = at(places_.output, box.to, box.to_stride);
          accept(d);
        }
      }
    }
  }

  static constexpr std::int64_t longest_run = 4096, longest_count = 65535;

  const hw::MachineConfig& config_;
  const Layer& layer_;
  const lpq::QuantizedLayer& quantized_;
  const LayerPlaces& places_;
  const StoreData& store_;
  std::array<std::uint64_t, 2> table_address_{};  ///< 0: not stored yet; the input stands at address 0.
  std::vector<Descriptor> descriptors_;
};

}  // namespace

std::vector<std::uint8_t> pack_norm_terms(const std::vector<formats::NormTerm>& terms) {
  std::vector<std::uint8_t> bytes;
  const auto put = [&bytes](const formats::LogNumber& number) {
    const auto log = static_cast<std::uint16_t>(number.log_q8);
    bytes.push_back(static_cast<std::uint8_t>(log));
    bytes.push_back(static_cast<std::uint8_t>(log >> 8));
    bytes.push_back(static_cast<std::uint8_t>((number.negative ? 1 : 0) | (number.zero ? 2 : 0)));
    bytes.push_back(0);
  };
  for (const formats::NormTerm& term : terms) {
    put(term.gamma);
    put(term.beta);
  }
  return bytes;
}

std::vector<Descriptor> describe_layer(const hw::MachineConfig& config, const Layer& layer,
                                       const lpq::QuantizedLayer& quantized, const LayerPlaces& places,
                                       const StoreData& store) {
  return LayerCompiler(config, layer, quantized, places, store).run();
}

}  // namespace lpa::driver

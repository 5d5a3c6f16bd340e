// One layer as the host hands it to the machine: 80 little-endian 32-bit words in external memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hw_model/machine_config.h"

namespace lpa::hw {

inline constexpr std::size_t descriptor_bytes = 320;
using DescriptorImage = std::array<std::uint8_t, descriptor_bytes>;

/// Layer operation. conv: a product on the array, of any kind.
enum class LayerOp : std::int64_t {
  conv = 0,
  add = 1,
  max_pool = 2,
  average_pool = 3,
  softmax = 4,
  layer_norm = 5,
  copy = 6
};

/// Where the stationary operand of a product, k x n, stands in external memory. packed: weights and biases in the
/// order of the tiles. rows: the 8-bit word (k, n) stands k * weight_pitch + n bytes from weight_address; columns: n *
/// weight_pitch + k. Products of these two have no biases.
enum class WeightLayout : std::int64_t { packed = 0, rows = 1, columns = 2 };

/// Order of the loops over bands of output rows and blocks of n-tiles.
enum class LoopOrder : std::int64_t { inputs_outer = 0, weights_outer = 1 };

inline constexpr std::int64_t flag_relu = 1;               ///< Negative results become zero.
inline constexpr std::int64_t flag_addend = 2;             ///< conv: add a residual before ReLU.
inline constexpr std::int64_t flag_count_include_pad = 4;  ///< average_pool: divide by the kernel's area everywhere.
inline constexpr std::int64_t flag_table = 8;              ///< conv, copy: words select the output's from a table.

/// Descriptor::epsilon of a layer normalisation without epsilon.
inline constexpr std::int64_t no_epsilon = -32768;
/// Bytes of a channel's scale and shift: int16 logarithm (units of 2^-8) and uint16 flags (bit 0 negative, bit 1 zero)
/// of each.
inline constexpr std::int64_t norm_term_bytes = 8;

/// A word format as the hardware sees it; `regime` is 0 (bounded) or 1 (terminated), sf is in units of 2^-8, `family`
/// a formats::Family. Of other families than lp, rs is bits - 1 and regime 0.
struct FormatFields {
  std::int64_t bits = 8, es = 0, rs = 7, regime = 0, sf = 0, family = 0;

  formats::Family kind() const { return static_cast<formats::Family>(family); }
  friend bool operator==(const FormatFields&, const FormatFields&) = default;
};

/// Fields in memory order. Geometry is that of one product of a batch; the tensors keep all channels.
struct Descriptor {
  static constexpr std::int64_t magic_value = 0x4441504c;  // "LPAD"
  static constexpr std::int64_t version_value = 3;

  std::int64_t magic = magic_value, version = version_value;
  std::int64_t op = 0;
  std::int64_t flags = 0;
  FormatFields weight;  ///< conv only: of the stationary operand.
  FormatFields input;
  FormatFields encoded;  ///< What the encoder emits; conv only.
  FormatFields addend;
  FormatFields output;
  std::int64_t scale = 0;     ///< Encoder: sf_weight + sf_input - sf_encoded, units of 2^-8.
  std::int64_t psum_lsb = 0;  ///< Least bit of a `fixed` partial sum of this machine's width.
  std::int64_t in_h = 1, in_w = 1, in_c = 1;
  std::int64_t out_h = 1, out_w = 1, out_c = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t input_pitch = 1;    ///< Bytes from pixel to pixel.
  std::int64_t input_channel = 0;  ///< First channel of the group, in words.
  std::int64_t output_pitch = 1;
  std::int64_t output_channel = 0;  ///< Of the output and of the addend.
  std::int64_t addend_pitch = 1;
  std::int64_t input_address = 0, weight_address = 0, output_address = 0, addend_address = 0;
  std::int64_t loop_order = 0;
  std::int64_t band_rows = 1;    ///< Output rows of a band.
  std::int64_t block_tiles = 1;  ///< n-tiles whose weights are fetched together.
  std::int64_t k_block = 1;      ///< k per weight fetch: K, or a multiple of the array's rows with block_tiles = 1.
  std::int64_t groups = 1;       ///< Diagonal blocks of in_c / groups by out_c / groups channels, zeros around them.
  std::int64_t weight_layout = 0, weight_pitch = 1;
  /// The same work is done `batch` times; from one to the next the addresses advance by so many bytes.
  std::int64_t batch = 1;
  std::int64_t input_stride = 0, weight_stride = 0, output_stride = 0, addend_stride = 0;
  std::int64_t parameter_address = 0;  ///< Of the table, or of a layer normalisation's terms.
  std::int64_t epsilon = no_epsilon;   ///< layer_norm: log2(epsilon), units of 2^-8.

  LayerOp operation() const { return static_cast<LayerOp>(op); }
  bool has(std::int64_t flag) const { return (flags & flag) != 0; }
  bool uses_array() const { return operation() == LayerOp::conv; }
  /// Reads a second operand: an addition, or a convolution with a residual.
  bool adds() const { return has(flag_addend) || operation() == LayerOp::add; }
  /// Takes all channels of a position together.
  bool works_on_rows() const { return operation() == LayerOp::softmax || operation() == LayerOp::layer_norm; }
  WeightLayout layout() const { return static_cast<WeightLayout>(weight_layout); }
  /// Bytes of the post-processing unit's parameters, which the controller fetches before the layer starts.
  std::int64_t parameter_bytes() const;
};

/// Name, meaning and legal range of one word of the image.
struct DescriptorField {
  std::string name;
  std::int64_t min, max;
  std::int64_t& (*at)(Descriptor&);
};
const std::vector<DescriptorField>& descriptor_fields();

/// Index of a field by its name; the name must exist.
std::size_t descriptor_field(std::string_view name);

DescriptorImage to_image(const Descriptor& descriptor);
Descriptor from_image(const DescriptorImage& image);

/// What a machine finds wrong with a descriptor.
struct DescriptorError {
  bool capacity = false;  ///< The value is legal but the tile does not fit a buffer.
  std::size_t field = 0;  ///< Index into descriptor_fields().
};

/// Most (band, block, k-block) triples of a layer: the width of the controller's counters.
inline constexpr std::int64_t max_passes = 1 << 20;

/// Checks every field, alone and against the others, and the tile sizes against the buffers.
std::optional<DescriptorError> check(const Descriptor& descriptor, const MachineConfig& config);

}  // namespace lpa::hw

// One layer as the host hands it to the machine: 64 little-endian 32-bit words in external memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hw_model/machine_config.h"

namespace lpa::hw {

inline constexpr std::size_t descriptor_bytes = 256;
using DescriptorImage = std::array<std::uint8_t, descriptor_bytes>;

/// Layer operation.
enum class LayerOp : std::int64_t { conv = 0, add = 1, max_pool = 2, average_pool = 3 };

/// Order of the loops over bands of output rows and blocks of n-tiles.
enum class LoopOrder : std::int64_t { inputs_outer = 0, weights_outer = 1 };

inline constexpr std::int64_t flag_relu = 1;               ///< Negative results become zero.
inline constexpr std::int64_t flag_addend = 2;             ///< conv: add a residual before ReLU.
inline constexpr std::int64_t flag_count_include_pad = 4;  ///< average_pool: divide by the kernel's area everywhere.

/// A word format as the hardware sees it; `regime` is 0 (bounded) or 1 (terminated), sf is in units of 2^-8.
struct FormatFields {
  std::int64_t bits = 8, es = 0, rs = 7, regime = 0, sf = 0;
};

/// Fields in memory order. Geometry is that of one group of a convolution; the tensors keep all channels.
struct Descriptor {
  static constexpr std::int64_t magic_value = 0x4441504c;  // "LPAD"
  static constexpr std::int64_t version_value = 1;

  std::int64_t magic = magic_value, version = version_value;
  std::int64_t op = 0;
  std::int64_t flags = 0;
  FormatFields weight;  ///< conv only.
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

  LayerOp operation() const { return static_cast<LayerOp>(op); }
  bool has(std::int64_t flag) const { return (flags & flag) != 0; }
  bool uses_array() const { return operation() == LayerOp::conv; }
  /// Reads a second operand: an addition, or a convolution with a residual.
  bool adds() const { return has(flag_addend) || operation() == LayerOp::add; }
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

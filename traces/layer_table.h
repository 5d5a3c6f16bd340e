// Layer tables: the shapes of a network's matrix products, one row a layer, without values. README.md beside this file
// describes the format and the shipped tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lpa::traces {

/// conv: input by weights, in the geometry of a convolution; linear: rows of M tokens by weights; matmul: activations
/// by activations, as in attention.
enum class ShapeKind { conv, linear, matmul };

/// Counts of channels and of pixels. Stride and padding are those of both directions; padding is on all four sides.
struct ConvGeometry {
  std::int64_t in_c = 1, in_h = 1, in_w = 1;
  std::int64_t out_c = 1, out_h = 1, out_w = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride = 1;
  std::int64_t pad = 0;
  std::int64_t groups = 1;

  friend bool operator==(const ConvGeometry&, const ConvGeometry&) = default;
};

/// A layer at batch 1: `count` independent products of an M x K by a K x N matrix.
struct LayerShape {
  std::string name;
  ShapeKind kind = ShapeKind::conv;
  std::int64_t count = 1;  ///< Independent products: groups of a convolution, heads and windows of attention.
  std::int64_t m = 1;      ///< Output positions: pixels or tokens.
  std::int64_t n = 1;      ///< Output channels of one product.
  std::int64_t k = 1;      ///< Length of the sums.
  std::optional<ConvGeometry> geometry;  ///< Of a convolution; others have none.
  std::int64_t weights = 1;              ///< Stored weights without bias: count * K * N; of a matmul 0.
  std::int64_t macs = 1;                 ///< Multiply-accumulates: count * M * N * K.

  friend bool operator==(const LayerShape&, const LayerShape&) = default;
};

/// Largest of every count and extent; weights and macs may be larger, up to 2^63 - 1.
inline constexpr std::int64_t largest_extent = std::numeric_limits<std::int32_t>::max();

/// The product of numbers that are not negative; nothing if it is beyond 2^63 - 1.
std::optional<std::int64_t> product(std::initializer_list<std::int64_t> factors);

/// What is wrong with a layer, and the table's column in which it shows.
struct ShapeFault {
  std::string_view column;
  std::string what;
};

/// The first contradiction within a layer, from its name to its macs; nothing if there is none. A convolution's last
/// window may lie within the padded input or reach beyond it: output extents may be rounded down or up.
std::optional<ShapeFault> find_fault(const LayerShape& layer);

/// Reads a layer table of at least one layer. Throws workloads::InputError with file, line and column on anything that
/// write_layer_table() would not have written; lines may end with CR LF.
std::vector<LayerShape> read_layer_table(const std::filesystem::path& path);

/// Writes a layer table, or leaves the old file. Throws workloads::InputError if there are no layers or one has a
/// fault, workloads::OutputError if the file cannot be written.
void write_layer_table(const std::filesystem::path& path, const std::vector<LayerShape>& layers);

}  // namespace lpa::traces

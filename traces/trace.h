// A trace: a network's layers as the machine runs them, with their shapes and number formats, with or without their
// words. README.md beside this file describes the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quant/formats/tensor_format.h"
#include "workloads/layers.h"

namespace lpa::traces {

/// What a constant is: one of the network's, or it stands for the result of a layer outside of an excerpt.
enum class ConstantRole { own, layer, rectified_layer };

struct TraceConstant {
  formats::TensorFormat format;
  ConstantRole role = ConstantRole::own;

  friend bool operator==(const TraceConstant&, const TraceConstant&) = default;
};

/// The formats of a layer.
struct TraceLayer {
  formats::TensorFormat weight;   ///< conv; of a matmul that of its stationary operand.
  formats::TensorFormat encoded;  ///< What the encoder behind the array emits; `output` unless Layer::reencodes().
  formats::TensorFormat output;
  int psum_lsb = 0;  ///< conv, matmul: exponent of the least bit of a 32-bit `fixed` partial sum.

  friend bool operator==(const TraceLayer&, const TraceLayer&) = default;
};

struct Trace {
  std::string source;           ///< Where the network comes from, for people.
  std::int64_t parameters = 0;  ///< Of the network as its authors count them; 0 if not known.
  workloads::LayerGraph graph;  ///< Layers and constants without values.
  formats::TensorFormat input;  ///< Of the network's input.
  std::vector<TraceConstant> constants;
  std::vector<TraceLayer> layers;
  std::string tensors;  ///< Name of the file beside the trace that holds its words; empty if there is none.

  const formats::TensorFormat& operand_format(int operand) const;
  /// Name of a layer or constant, or "input".
  std::string operand_name(int operand) const;
};

/// Largest extent, and largest number of elements of a map or of a layer's weights.
inline constexpr std::int64_t largest_map = 2147483647;
/// Largest number of elements of a map that a copy layer makes.
inline constexpr std::int64_t largest_copy = std::int64_t{1} << 26;

const char* kind_name(workloads::LayerKind kind);
const char* activation_name(workloads::Activation::Kind kind);
const char* role_name(ConstantRole role);

/// log2 of the factor of a matmul's products as the encoder adds it, units of 2^-8.
int product_scale_q8(const workloads::MatrixProducts& products);

/// What a layer of a trace amounts to; for find and compare, since all of it follows from the layer.
struct LayerWork {
  std::int64_t count = 0, m = 0, n = 0, k = 0;  ///< Products of m x k by k x n; 0 without array.
  std::int64_t macs = 0;
  std::int64_t weights = 0;  ///< Of a conv, without bias.
  std::int64_t ppu = 0;      ///< Lane-cycles of the post-processing unit.
  friend bool operator==(const LayerWork&, const LayerWork&) = default;
};
LayerWork work_of(const workloads::Layer& layer);

/// Of all layers.
LayerWork total_work(const Trace& trace);

/// A contradiction within a trace.
class TraceFault : public std::runtime_error {
 public:
  TraceFault(std::string path, const std::string& what) : std::runtime_error(what), path_(std::move(path)) {}
  const std::string& path() const { return path_; }  ///< Of the field: "layers[7].geometry.kernel".

 private:
  std::string path_;
};

/// Throws TraceFault unless the machine can make sense of the trace: names are unique, operands come before their use,
/// maps agree, windows, places and boxes lie inside their maps and do not overlap where they are written, formats are
/// legal, 2, 4 or 8 bits wide and those that the layers require, and no count is beyond its limit.
void check_trace(const Trace& trace);

/// Throws workloads::InputError "<file>:<line>: <field>: ..." for a file that is no trace, of another version, or that
/// check_trace() refuses.
Trace read_trace(const std::filesystem::path& path);
/// The same of a text; `file` is what messages name.
Trace parse_trace(const std::filesystem::path& file, std::string_view text);

/// The text of a trace: the same for equal traces, a field per line.
std::string trace_text(const Trace& trace);

/// Writes it, or leaves the old file. Throws TraceFault, workloads::OutputError.
void write_trace(const std::filesystem::path& path, const Trace& trace);

}  // namespace lpa::traces

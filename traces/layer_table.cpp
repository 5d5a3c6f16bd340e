#include "traces/layer_table.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "traces/csv.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::traces {
namespace {

using Fault = std::optional<ShapeFault>;

constexpr std::array<std::string_view, 20> table_columns{"idx",  "name",   "kind", "count",  "M",       "N",     "K",
                                                         "in_c", "in_h",   "in_w", "out_c",  "out_h",   "out_w", "kh",
                                                         "kw",   "stride", "pad",  "groups", "weights", "macs"};

constexpr std::array<std::string_view, 3> kind_names{"conv", "linear", "matmul"};  // In the order of ShapeKind.

struct GeometryColumn {
  std::string_view name;
  std::int64_t ConvGeometry::*value;
};
constexpr std::array<GeometryColumn, 11> geometry_columns{{{"in_c", &ConvGeometry::in_c},
                                                           {"in_h", &ConvGeometry::in_h},
                                                           {"in_w", &ConvGeometry::in_w},
                                                           {"out_c", &ConvGeometry::out_c},
                                                           {"out_h", &ConvGeometry::out_h},
                                                           {"out_w", &ConvGeometry::out_w},
                                                           {"kh", &ConvGeometry::kernel_h},
                                                           {"kw", &ConvGeometry::kernel_w},
                                                           {"stride", &ConvGeometry::stride},
                                                           {"pad", &ConvGeometry::pad},
                                                           {"groups", &ConvGeometry::groups}}};

std::string_view name_of(ShapeKind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

Fault range_fault(std::string_view column, std::int64_t value, std::int64_t smallest = 1) {
  if (value >= smallest && value <= largest_extent) return {};
  return ShapeFault{column, fmt::format("{}; {} to {} expected", value, smallest, largest_extent)};
}

Fault name_fault(const std::string& name) {
  const auto forbidden = [](char c) { return c == ',' || c == '"' || (c >= 0 && c < ' ') || c == '\x7f'; };
  if (name.empty()) return ShapeFault{"name", "empty; a layer's name expected"};
  if (std::ranges::any_of(name, forbidden))
    return ShapeFault{"name",
                      fmt::format("{} holds a comma, a quotation mark or a control character", in_quotes(name))};
  return {};
}

/// One direction of a convolution.
struct Axis {
  std::string_view kernel_column, out_column;
  std::int64_t in, kernel, out;
};

Fault axis_fault(const Axis& axis, std::int64_t stride, std::int64_t pad) {
  const std::int64_t padded = axis.in + 2 * pad;
  if (axis.kernel > padded)
    return ShapeFault{axis.kernel_column, fmt::format("a kernel of {} on an input of {}, padding included; at most the "
                                                      "input's size expected",
                                                      axis.kernel, padded)};
  const std::int64_t down = (padded - axis.kernel) / stride + 1;
  const std::int64_t up = (padded - axis.kernel + stride - 1) / stride + 1;
  if (axis.out != down && axis.out != up)
    return ShapeFault{axis.out_column, fmt::format("{}; {} expected of an input of {}, padding included, kernel {} and "
                                                   "stride {}",
                                                   axis.out, down, padded, axis.kernel, stride)};
  return {};
}

/// `what` tells how `expected` comes about.
Fault equality_fault(std::string_view column, std::int64_t value, std::optional<std::int64_t> expected,
                     std::string_view what) {
  if (!expected) return ShapeFault{column, fmt::format("{} is beyond 64 bits", what)};
  if (value == *expected) return {};
  return ShapeFault{column, fmt::format("{}; {} = {} expected", value, what, *expected)};
}

Fault geometry_fault(const LayerShape& layer) {
  const ConvGeometry& g = *layer.geometry;
  for (const auto& [column, value] : geometry_columns)
    if (auto fault = range_fault(column, g.*value, column == "pad" ? 0 : 1)) return fault;
  if (g.in_c % g.groups != 0 || g.out_c % g.groups != 0)
    return ShapeFault{"groups",
                      fmt::format("{}; a divisor of in_c = {} and out_c = {} expected", g.groups, g.in_c, g.out_c)};
  if (auto fault = axis_fault({"kh", "out_h", g.in_h, g.kernel_h, g.out_h}, g.stride, g.pad)) return fault;
  if (auto fault = axis_fault({"kw", "out_w", g.in_w, g.kernel_w, g.out_w}, g.stride, g.pad)) return fault;
  if (auto fault = equality_fault("count", layer.count, g.groups, "groups")) return fault;
  if (auto fault = equality_fault("M", layer.m, product({g.out_h, g.out_w}), "out_h * out_w")) return fault;
  if (auto fault = equality_fault("N", layer.n, g.out_c / g.groups, "out_c / groups")) return fault;
  return equality_fault("K", layer.k, product({g.kernel_h, g.kernel_w, g.in_c / g.groups}), "kh * kw * in_c / groups");
}

CsvRow header_of(const std::vector<CsvRow>& rows, const std::filesystem::path& path) {
  if (rows.empty()) throw workloads::InputError(fmt::format("{}: empty; a layer table expected", path.string()));
  const CsvRow& header = rows.front();
  for (std::size_t i = 0; i < std::min(header.fields.size(), table_columns.size()); ++i)
    if (header.fields[i] != table_columns[i])
      header.fail(
          fmt::format("column {} is named {}; '{}' expected", i + 1, in_quotes(header.fields[i]), table_columns[i]));
  return header;
}

void check_width(const CsvRow& row) {
  if (row.fields.size() != table_columns.size())
    row.fail(fmt::format("{} columns; {} expected", row.fields.size(), table_columns.size()));
}

ShapeKind read_kind(const CsvRow& row) {
  const std::string_view text = row.text("kind");
  const auto found = std::ranges::find(kind_names, text);
  if (found == kind_names.end())
    row.fail("kind", fmt::format("{}; {} expected", in_quotes(text), fmt::join(kind_names, ", ")));
  return static_cast<ShapeKind>(found - kind_names.begin());
}

LayerShape read_row(const CsvRow& row, std::size_t index) {
  check_width(row);
  if (const auto written = row.integer("idx"); written != static_cast<std::int64_t>(index))
    row.fail("idx", fmt::format("{}; {} expected, layers are numbered from 0", written, index));
  LayerShape layer;
  layer.name = row.text("name");
  layer.kind = read_kind(row);
  layer.count = row.integer("count");
  layer.m = row.integer("M");
  layer.n = row.integer("N");
  layer.k = row.integer("K");
  if (layer.kind == ShapeKind::conv) {
    auto& geometry = layer.geometry.emplace();
    for (const auto& [column, value] : geometry_columns) geometry.*value = row.integer(column);
  } else {
    for (const auto& column : geometry_columns)
      if (!row.text(column.name).empty())
        row.fail(column.name,
                 fmt::format("{}; nothing expected, only a conv has a geometry", in_quotes(row.text(column.name))));
  }
  layer.weights = row.integer("weights");
  layer.macs = row.integer("macs");
  if (const auto fault = find_fault(layer)) row.fail(fault->column, fault->what);
  return layer;
}

std::string format_row(const LayerShape& layer, std::size_t index) {
  std::string row = fmt::format("{},{},{},{},{},{},{}", index, layer.name, name_of(layer.kind), layer.count, layer.m,
                                layer.n, layer.k);
  for (const auto& column : geometry_columns)
    row += layer.geometry ? fmt::format(",{}", *layer.geometry.*column.value) : ",";
  return row + fmt::format(",{},{}\n", layer.weights, layer.macs);
}

}  // namespace

std::optional<std::int64_t> product(std::initializer_list<std::int64_t> factors) {
  std::int64_t result = 1;
  for (const std::int64_t factor : factors) {
    if (factor != 0 && result > std::numeric_limits<std::int64_t>::max() / factor) return {};
    result *= factor;
  }
  return result;
}

std::optional<ShapeFault> find_fault(const LayerShape& layer) {
  if (auto fault = name_fault(layer.name)) return fault;
  if (auto fault = range_fault("count", layer.count)) return fault;
  if (auto fault = range_fault("M", layer.m)) return fault;
  if (auto fault = range_fault("N", layer.n)) return fault;
  if (auto fault = range_fault("K", layer.k)) return fault;
  if ((layer.kind == ShapeKind::conv) != layer.geometry.has_value())
    return ShapeFault{"kind", fmt::format("a {} {} a geometry; a conv alone has one", name_of(layer.kind),
                                          layer.geometry ? "with" : "without")};
  if (layer.geometry)
    if (auto fault = geometry_fault(layer)) return fault;
  const auto weights = layer.kind == ShapeKind::matmul ? 0 : product({layer.count, layer.n, layer.k});
  const std::string_view rule = layer.kind == ShapeKind::matmul ? "weights of a matmul" : "count * N * K";
  if (auto fault = equality_fault("weights", layer.weights, weights, rule)) return fault;
  return equality_fault("macs", layer.macs, product({layer.count, layer.m, layer.n, layer.k}), "count * M * N * K");
}

std::vector<LayerShape> read_layer_table(const std::filesystem::path& path) {
  const std::string text = workloads::read_whole_file(path);
  std::vector<CsvRow> rows = split_csv(path, text);
  check_width(header_of(rows, path));
  if (rows.size() == 1) rows.front().fail("no layer follows the header; at least one expected");
  std::vector<LayerShape> layers;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    rows[i].columns = table_columns;
    layers.push_back(read_row(rows[i], i - 1));
  }
  return layers;
}

void write_layer_table(const std::filesystem::path& path, const std::vector<LayerShape>& layers) {
  if (layers.empty()) throw workloads::InputError(fmt::format("{}: no layers; at least one expected", path.string()));
  std::string text = fmt::format("{}\n", fmt::join(table_columns, ","));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (const auto fault = find_fault(layers[i]))
      throw workloads::InputError(fmt::format("{}: layer {} {}: column '{}': {}", path.string(), i,
                                              in_quotes(layers[i].name), fault->column, fault->what));
    text += format_row(layers[i], i);
  }
  workloads::write_file_atomically(path, text);
}

}  // namespace lpa::traces

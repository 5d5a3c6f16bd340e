#include "traces/scalesim.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "traces/csv.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::traces {
namespace {

constexpr std::array<std::string_view, 8> conv_columns{"Layer name",   "IFMAP Height", "IFMAP Width", "Filter Height",
                                                       "Filter Width", "Channels",     "Num Filter",  "Strides"};
constexpr std::array<std::string_view, 4> gemm_columns{"Layer", "M", "N", "K"};

/// Trims the fields and drops what follows a line's last comma if that is nothing or a comment.
void tidy(CsvRow& row) {
  for (auto& field : row.fields) field = trimmed(field);
  if (row.fields.back().empty() || row.fields.back().starts_with('#')) row.fields.pop_back();
}

/// A column's name in small letters without blanks and plural.
std::string plain(std::string_view name) {
  std::string letters;
  for (const char c : name)
    if (c != ' ' && c != '\t') letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (letters.ends_with('s')) letters.pop_back();
  return letters == "layername" ? "layer" : letters;
}

/// The form whose columns the header names.
std::span<const std::string_view> form_of(const CsvRow& header) {
  const auto same_name = [](std::string_view a, std::string_view b) { return plain(a) == plain(b); };
  const std::span<const std::string_view> forms[] = {conv_columns, gemm_columns};
  for (const auto& form : forms)
    if (std::ranges::equal(header.fields, form, same_name)) return form;
  header.fail(fmt::format("header not known; '{}' or '{}' expected", fmt::join(conv_columns, ", "),
                          fmt::join(gemm_columns, ", ")));
}

std::int64_t extent(const CsvRow& row, std::string_view column) {
  const std::int64_t value = row.integer(column);
  if (value < 1 || value > largest_extent) row.fail(column, fmt::format("{}; 1 to {} expected", value, largest_extent));
  return value;
}

/// A product of extents of the row, at most largest_extent.
std::int64_t bounded(const CsvRow& row, std::string_view what, std::initializer_list<std::int64_t> factors) {
  const auto result = product(factors);
  if (!result || *result > largest_extent) row.fail(fmt::format("{} is beyond {}", what, largest_extent));
  return *result;
}

std::int64_t output_extent(const CsvRow& row, std::int64_t in, std::string_view filter_column, std::int64_t filter,
                           std::int64_t stride) {
  if (filter > in) row.fail(filter_column, fmt::format("{}; at most the input's {} expected", filter, in));
  return (in - filter + stride + stride - 1) / stride;
}

LayerShape read_conv(const CsvRow& row) {
  ConvGeometry g;
  g.in_h = extent(row, "IFMAP Height");
  g.in_w = extent(row, "IFMAP Width");
  g.kernel_h = extent(row, "Filter Height");
  g.kernel_w = extent(row, "Filter Width");
  g.in_c = extent(row, "Channels");
  const std::int64_t filters = extent(row, "Num Filter");
  g.stride = extent(row, "Strides");
  g.out_h = output_extent(row, g.in_h, "Filter Height", g.kernel_h, g.stride);
  g.out_w = output_extent(row, g.in_w, "Filter Width", g.kernel_w, g.stride);

  LayerShape layer;
  layer.name = row.fields.front();
  layer.kind = ShapeKind::conv;
  if (layer.name.find("DP") != std::string::npos) g.groups = g.in_c;
  g.out_c = bounded(row, "Channels * Num Filter", {g.groups, filters});
  layer.count = g.groups;
  layer.m = bounded(row, "the number of output positions", {g.out_h, g.out_w});
  layer.n = filters;
  layer.k = bounded(row, "Filter Height * Filter Width * Channels", {g.kernel_h, g.kernel_w, g.in_c / g.groups});
  layer.geometry = g;
  return layer;
}

LayerShape read_gemm(const CsvRow& row) {
  LayerShape layer;
  layer.name = row.fields.front();
  layer.kind = ShapeKind::linear;
  layer.m = extent(row, "M");
  layer.n = extent(row, "N");
  layer.k = extent(row, "K");
  return layer;
}

LayerShape read_row(const CsvRow& row) {
  if (row.fields.size() != row.columns.size())
    row.fail(fmt::format("{} columns; {} expected", row.fields.size(), row.columns.size()));
  LayerShape layer = row.columns.size() == conv_columns.size() ? read_conv(row) : read_gemm(row);
  const auto macs = product({layer.count, layer.m, layer.n, layer.k});
  if (!macs) row.fail("the number of multiply-accumulates is beyond 64 bits");
  layer.macs = *macs;
  layer.weights = layer.macs / layer.m;
  if (const auto fault = find_fault(layer)) row.fail(row.columns.front(), fault->what);
  return layer;
}

}  // namespace

std::vector<LayerShape> read_scalesim_topology(const std::filesystem::path& path) {
  const std::string text = workloads::read_whole_file(path);
  std::vector<CsvRow> rows = split_csv(path, text);
  if (rows.empty()) throw workloads::InputError(fmt::format("{}: empty; a topology expected", path.string()));
  for (auto& row : rows) tidy(row);
  const auto columns = form_of(rows.front());
  std::vector<LayerShape> layers;
  for (auto& row : rows) {
    if (row.line == 1 || row.fields.empty()) continue;
    row.columns = columns;
    layers.push_back(read_row(row));
  }
  if (layers.empty()) rows.front().fail("no layer follows the header; at least one expected");
  return layers;
}

}  // namespace lpa::traces

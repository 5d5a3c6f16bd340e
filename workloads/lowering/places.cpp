#include "workloads/lowering/places.h"

#include <algorithm>

namespace lpa::workloads::lowering {

std::optional<MatrixPlaces> find_places(const Order& order, const Matrices& matrices, std::int64_t inner) {
  const auto [batch, rows, columns] = matrices;
  if (inner < 1 || batch % inner != 0) return std::nullopt;
  const std::int64_t outer = batch / inner, matrix = rows * columns;
  MatrixPlaces places;
  places.offset = order[0];
  const auto distance = [&](std::int64_t steps, std::int64_t element) {
    return steps > 1 ? order[element] - places.offset : 0;
  };
  places.outer_stride = distance(outer, inner * matrix);
  places.inner_stride = distance(inner, matrix);
  places.row_stride = distance(rows, columns);
  places.column_stride = columns > 1 ? distance(columns, 1) : 1;
  if (std::min({places.offset, places.outer_stride, places.inner_stride, places.row_stride, places.column_stride}) < 0)
    return std::nullopt;
  std::int64_t element = 0;
  for (std::int64_t i = 0; i < outer; ++i)
    for (std::int64_t j = 0; j < inner; ++j)
      for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t column = 0; column < columns; ++column)
          if (order[element++] != places.at(i, j, row, column)) return std::nullopt;
  return places;
}

std::int64_t inner_loop(const Order& order, const Matrices& matrices) {
  const std::int64_t matrix = matrices.rows * matrices.columns;
  std::int64_t count = std::min<std::int64_t>(2, matrices.batch);
  const auto first = [&](std::int64_t b) { return std::int64_t{order[b * matrix]}; };
  while (count < matrices.batch && first(count) - first(count - 1) == first(1) - first(0)) ++count;
  return count;
}

}  // namespace lpa::workloads::lowering

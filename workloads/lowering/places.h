// Finds the operands of a product of computed values where they stand.
#pragma once

#include <optional>

#include "workloads/layers.h"
#include "workloads/lowering/order.h"

namespace lpa::workloads::lowering {

/// The matrices that a value of shape [batch, rows, columns] consists of.
struct Matrices {
  std::int64_t batch = 1, rows = 1, columns = 1;
};

/// The matrices' places if they are regular with outer x inner = batch and `inner` products in the inner loop, without
/// a negative distance. The distance of a loop of one step is 0, that of a single column 1.
std::optional<MatrixPlaces> find_places(const Order& order, const Matrices& matrices, std::int64_t inner);

/// How many of the first matrices follow each other at equal distances: the inner loop that the places ask for.
std::int64_t inner_loop(const Order& order, const Matrices& matrices);

}  // namespace lpa::workloads::lowering

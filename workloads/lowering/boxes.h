// The boxes of a copy layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workloads/layers.h"

namespace lpa::workloads::lowering {

/// Boxes that fill element i of a map with element gather[i] of the first source or, from `first_size` on, element
/// gather[i] - first_size of the second; elements with gather[i] < 0 are left out.
std::vector<CopyBox> copy_boxes(std::span<const std::int32_t> gather, std::int64_t first_size);

}  // namespace lpa::workloads::lowering

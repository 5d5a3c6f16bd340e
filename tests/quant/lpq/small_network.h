// A small trained-looking network: convolutions, a residual addition, pools, a classifier.
#pragma once

#include "workloads/dataset.h"
#include "workloads/network.h"

namespace lpa::lpq::testing {

/// 3 x 8 x 8 -> 4 classes; layers conv1, conv2 (adds conv1's output), pool, average, fc. Random weights by seed.
workloads::Network make_small_network(std::uint64_t seed);

/// Random images and labels for it.
workloads::Dataset make_small_dataset(std::uint64_t seed, int count);

}  // namespace lpa::lpq::testing

// Small trained-looking networks: convolutions, a residual addition, pools, a classifier; a transformer.
#pragma once

#include "workloads/dataset.h"
#include "workloads/network.h"

namespace lpa::lpq::testing {

/// 3 x 8 x 8 -> 4 classes; layers conv1, conv2 (adds conv1's output), pool, average, fc. Random weights by seed.
workloads::Network make_small_network(std::uint64_t seed);

/// 3 x 8 x 8 -> 4 classes: four patches and a class token of 8 channels, one block with two heads, GELU between fc1 and
/// fc2, a classifier of the class token.
workloads::Network make_small_transformer(std::uint64_t seed);

/// Random images and labels for them.
workloads::Dataset make_small_dataset(std::uint64_t seed, int count);

}  // namespace lpa::lpq::testing

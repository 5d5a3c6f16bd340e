// The operators as their definitions read: loops over indices in double precision, written apart from the library.
#pragma once

#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads::testing {

struct NaiveWindow {
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1;
  int top = 0, left = 0, bottom = 0, right = 0;
  int dilation_h = 1, dilation_w = 1;
};

/// Input 1xCxHxW, weights OIHW (I per group).
Tensor naive_conv(const Tensor& input, const Tensor& weights, const Tensor& bias, const NaiveWindow& window,
                  int groups);

enum class Pooling { max, average, average_with_padding };
/// `ceil`: the last window may reach beyond the padding, but must start within input and leading padding.
Tensor naive_pool(const Tensor& input, Pooling kind, const NaiveWindow& window, bool ceil);

/// Largest difference relative to 1 + the expected magnitude; infinite if the shapes differ or a value is not finite.
double difference(const Tensor& actual, const Tensor& expected);

}  // namespace lpa::workloads::testing

// The operators as their definitions read: loops over indices in double precision, written apart from the library.
#pragma once

#include <functional>
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

/// [..., M, K] by [..., K, N] with the same other axes.
Tensor naive_matmul(const Tensor& left, const Tensor& right);

/// Along the last axis.
Tensor naive_softmax(const Tensor& input);
Tensor naive_layer_norm(const Tensor& input, const Tensor& scale, const Tensor& shift, double epsilon);

/// Each element by itself.
Tensor naive_map(Tensor input, const std::function<double(double)>& function);
double naive_gelu(double x);

/// A tensor whose elements are a function of their place, and the element at a place.
Tensor naive_tensor(const Shape& shape, const std::function<float(const Shape& place)>& element);
float element_at(const Tensor& tensor, const Shape& place);

/// Largest difference relative to 1 + the expected magnitude; infinite if the shapes differ or a value is not finite.
double difference(const Tensor& actual, const Tensor& expected);

}  // namespace lpa::workloads::testing

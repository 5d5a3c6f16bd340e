#include "tests/workloads/naive_operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpa::workloads::testing {
namespace {

/// Element (0, c, y, x).
float at(const Tensor& t, int c, int y, int x) {
  return t.data.at(static_cast<std::size_t>((c * t.shape[2] + y) * t.shape[3] + x));
}

bool inside(const Tensor& t, int y, int x) {
  return y >= 0 && y < t.shape[2] && x >= 0 && x < t.shape[3];
}

/// Counts window positions by trying them one after another.
int positions(int size, int begin, int end, int kernel, int stride, int dilation, bool ceil) {
  int count = 0;
  for (int start = -begin;; start += stride) {
    const int last = start + dilation * (kernel - 1);
    const bool fits = last < size + end;
    const bool first_beyond = last - stride < size + end - 1 && start < size;  // Reached only by rounding up.
    if (!fits && !(ceil && first_beyond)) return count;
    ++count;
  }
}

}  // namespace

Tensor naive_conv(const Tensor& input, const Tensor& weights, const Tensor& bias, const NaiveWindow& w, int groups) {
  const int in_c = static_cast<int>(input.shape[1]), out_c = static_cast<int>(weights.shape[0]);
  const int in_per_group = in_c / groups, out_per_group = out_c / groups;
  const int height =
      positions(static_cast<int>(input.shape[2]), w.top, w.bottom, w.kernel_h, w.stride_h, w.dilation_h, false);
  const int width =
      positions(static_cast<int>(input.shape[3]), w.left, w.right, w.kernel_w, w.stride_w, w.dilation_w, false);
  Tensor result{{1, out_c, height, width}, {}};
  for (int o = 0; o < out_c; ++o)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        double sum = bias.data.at(static_cast<std::size_t>(o));
        for (int i = 0; i < in_per_group; ++i)
          for (int ky = 0; ky < w.kernel_h; ++ky)
            for (int kx = 0; kx < w.kernel_w; ++kx) {
              const int sy = y * w.stride_h - w.top + ky * w.dilation_h,
                        sx = x * w.stride_w - w.left + kx * w.dilation_w;
              if (!inside(input, sy, sx)) continue;
              const auto weight =
                  static_cast<std::size_t>(((o * in_per_group + i) * w.kernel_h + ky) * w.kernel_w + kx);
              sum += double{at(input, o / out_per_group * in_per_group + i, sy, sx)} * weights.data.at(weight);
            }
        result.data.push_back(static_cast<float>(sum));
      }
  return result;
}

Tensor naive_pool(const Tensor& input, Pooling kind, const NaiveWindow& w, bool ceil) {
  const int height =
      positions(static_cast<int>(input.shape[2]), w.top, w.bottom, w.kernel_h, w.stride_h, w.dilation_h, ceil);
  const int width =
      positions(static_cast<int>(input.shape[3]), w.left, w.right, w.kernel_w, w.stride_w, w.dilation_w, ceil);
  Tensor result{{1, input.shape[1], height, width}, {}};
  for (int c = 0; c < input.shape[1]; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        double sum = 0, largest = -std::numeric_limits<double>::infinity();
        int real = 0;
        for (int ky = 0; ky < w.kernel_h; ++ky)
          for (int kx = 0; kx < w.kernel_w; ++kx) {
            const int sy = y * w.stride_h - w.top + ky * w.dilation_h, sx = x * w.stride_w - w.left + kx * w.dilation_w;
            if (!inside(input, sy, sx)) continue;
            sum += at(input, c, sy, sx);
            largest = std::max<double>(largest, at(input, c, sy, sx));
            ++real;
          }
        const int divisor = kind == Pooling::average ? real : w.kernel_h * w.kernel_w;
        result.data.push_back(static_cast<float>(kind == Pooling::max ? largest : sum / divisor));
      }
  return result;
}

Tensor naive_matmul(const Tensor& left, const Tensor& right) {
  Shape shape = left.shape;
  shape.back() = right.shape.back();
  return naive_tensor(shape, [&](const Shape& place) {
    Shape a = place, b = place;
    double sum = 0;
    for (std::int64_t k = 0; k < left.shape.back(); ++k) {
      a.back() = k;
      b[b.size() - 2] = k;
      sum += double{element_at(left, a)} * element_at(right, b);
    }
    return static_cast<float>(sum);
  });
}

Tensor naive_softmax(const Tensor& input) {
  return naive_tensor(input.shape, [&](Shape place) {
    const double own = element_at(input, place);
    double sum = 0;
    for (place.back() = 0; place.back() < input.shape.back(); ++place.back())
      sum += std::exp(double{element_at(input, place)} - own);
    return static_cast<float>(1 / sum);
  });
}

Tensor naive_layer_norm(const Tensor& input, const Tensor& scale, const Tensor& shift, double epsilon) {
  return naive_tensor(input.shape, [&](Shape place) {
    const double own = element_at(input, place);
    const auto channel = static_cast<std::size_t>(place.back());
    const std::int64_t count = input.shape.back();
    double mean = 0, variance = 0;
    for (place.back() = 0; place.back() < count; ++place.back()) mean += element_at(input, place);
    mean /= static_cast<double>(count);
    for (place.back() = 0; place.back() < count; ++place.back())
      variance += std::pow(element_at(input, place) - mean, 2) / static_cast<double>(count);
    return static_cast<float>((own - mean) / std::sqrt(variance + epsilon) * scale.data[channel] + shift.data[channel]);
  });
}

Tensor naive_map(Tensor input, const std::function<double(double)>& function) {
  for (float& value : input.data) value = static_cast<float>(function(value));
  return input;
}

double naive_gelu(double x) {
  return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
}

Tensor naive_tensor(const Shape& shape, const std::function<float(const Shape& place)>& element) {
  Tensor result{shape, {}};
  Shape place(shape.size(), 0);
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    std::int64_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) place[axis] = rest % shape[axis];
    result.data.push_back(element(place));
  }
  return result;
}

float element_at(const Tensor& tensor, const Shape& place) {
  std::int64_t index = 0;
  for (std::size_t axis = 0; axis < place.size(); ++axis) index = index * tensor.shape[axis] + place[axis];
  return tensor.data.at(static_cast<std::size_t>(index));
}

double difference(const Tensor& actual, const Tensor& expected) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (actual.shape != expected.shape || actual.data.size() != expected.data.size()) return infinite;
  double worst = 0;
  for (std::size_t i = 0; i < actual.data.size(); ++i) {
    const double distance =
        std::abs(double{actual.data[i]} - expected.data[i]) / (1 + std::abs(double{expected.data[i]}));
    if (!std::isfinite(distance)) return infinite;
    worst = std::max(worst, distance);
  }
  return worst;
}

}  // namespace lpa::workloads::testing

#include "quant/lpq/objective.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

constexpr double alike = 1e-6;  ///< Of two unit vectors: squared distance.

/// Brings a vector to length 1; one of zeros stays.
void normalise(std::span<float> vector) {
  double square = 0;
  for (const double x : vector) square += x * x;
  if (!(square > 0)) return;
  const auto factor = static_cast<float>(1 / std::sqrt(square));
  for (float& x : vector) x *= factor;
}

float dot(const float* a, const float* b, std::size_t count) {
  std::array<float, 16> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= count; i += sums.size()) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += a[i + j] * b[i + j];
  }
  float sum = std::accumulate(sums.begin(), sums.end(), 0.0f);
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// log of the sum of e^x.
double log_sum_exp(std::span<const double> x) {
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (const double value : x) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

double divergence(std::span<const float> fp32, std::span<const float> quantized) {
  const std::vector<double> p(fp32.begin(), fp32.end()), q(quantized.begin(), quantized.end());
  const double of_p = log_sum_exp(p), of_q = log_sum_exp(q);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i] - of_p) * ((p[i] - of_p) - (q[i] - of_q));
  return sum;
}

double mean_squared_difference(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum / static_cast<double>(a.size());
}

}  // namespace

Loss::Loss(Objective objective, double temperature, const std::vector<std::size_t>& begins, const Features& fp32)
    : objective_(objective), temperature_(temperature), begins_(begins), fp32_(fp32) {
  if (!contrastive()) return;
  if (fp32.images < 2) {
    throw workloads::InputError(
        "a contrastive objective needs at least 2 calibration images (or another --objective: kl, mse)");
  }
  keys_ = unit_vectors(fp32_);
  const std::size_t size = keys_.size() / fp32.images;
  bool differ = false;
  for (std::size_t i = 1; i < fp32.images && !differ; ++i) {
    differ = 2 - 2 * dot(keys_.data(), keys_.data() + i * size, size) > alike;
  }
  if (!differ) {
    throw workloads::InputError(
        "all calibration images look alike to the network: a contrastive objective cannot use them "
        "(or another --objective: kl, mse)");
  }
}

std::vector<float> Loss::unit_vectors(const Features& features) const {
  const std::size_t first = objective_ == Objective::global_local ? 0 : begins_[begins_.size() - 2];
  const std::size_t size = features.size - first;
  std::vector<float> vectors;
  vectors.reserve(features.images * size);
  for (std::size_t i = 0; i < features.images; ++i) {
    const std::span<const float> all = features.image(i).subspan(first);
    vectors.insert(vectors.end(), all.begin(), all.end());
    const std::span<float> vector(vectors.data() + i * size, size);
    for (std::size_t v = 0; v + 1 < begins_.size(); ++v) {
      if (begins_[v] >= first) normalise(vector.subspan(begins_[v] - first, begins_[v + 1] - begins_[v]));
    }
    normalise(vector);
  }
  return vectors;
}

double Loss::operator()(const Features& quantized) const {
  const std::size_t images = quantized.images;
  double sum = 0;
  if (!contrastive()) {
    const std::size_t first = begins_[begins_.size() - 2];
    for (std::size_t i = 0; i < images; ++i) {
      const auto a = fp32_.image(i).subspan(first), b = quantized.image(i).subspan(first);
      sum += objective_ == Objective::kl ? divergence(a, b) : mean_squared_difference(a, b);
    }
  } else {
    const std::vector<float> queries = unit_vectors(quantized);
    const std::size_t size = queries.size() / images;
    std::vector<double> logits(images);
    for (std::size_t i = 0; i < images; ++i) {
      for (std::size_t j = 0; j < images; ++j) {
        logits[j] = dot(queries.data() + i * size, keys_.data() + j * size, size) / temperature_;
      }
      sum += 2 * temperature_ * (log_sum_exp(logits) - logits[i]);
    }
  }
  const double loss = sum / static_cast<double>(images);
  return std::isfinite(loss) ? std::min(loss, worst) : worst;
}

}  // namespace lpa::lpq

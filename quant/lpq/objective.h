// How much a quantized network's representations lose against the fp32 network's.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lpa::lpq {

enum class Objective {
  global_local,  ///< Contrastive, on the pooled values of all layers and the output.
  global,        ///< Contrastive, on the output alone; pooled, as for the next ones, if it has several positions.
  kl,            ///< Kullback-Leibler divergence of the outputs' softmax, fp32 first.
  mse,           ///< Mean squared difference of the outputs.
};

/// Features of all images: [image][feature], the last value's features being the output.
struct Features {
  std::size_t images = 0, size = 0;
  std::vector<float> data;

  std::span<float> image(std::size_t i) { return std::span(data).subspan(i * size, size); }
  std::span<const float> image(std::size_t i) const { return std::span(data).subspan(i * size, size); }
};

/// Contrastive losses after Evol-Q: every value's features are brought to length 1, and an image's whole vector too;
/// logits are its products with the fp32 vectors of all images over T; the loss is the mean cross-entropy against the
/// image's own, times 2 T. A NaN anywhere makes a loss the worst one.
class Loss {
 public:
  static constexpr double worst = 1e300;  ///< Finite, as files want it.

  /// `begins`: where each value's features begin, and at last the end. Throws workloads::InputError if the loss could
  /// not tell one network from another: contrastive ones on fewer than two images, or on images that all look alike.
  Loss(Objective objective, double temperature, const std::vector<std::size_t>& begins, const Features& fp32);

  double operator()(const Features& quantized) const;

 private:
  bool contrastive() const { return objective_ == Objective::global_local || objective_ == Objective::global; }
  std::vector<float> unit_vectors(const Features& features) const;

  Objective objective_;
  double temperature_;
  std::vector<std::size_t> begins_;
  Features fp32_;
  std::vector<float> keys_;  ///< unit_vectors() of fp32.
};

}  // namespace lpa::lpq

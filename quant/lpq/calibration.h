// What the calibration images tell about a network's values. Internal to the methods that choose formats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workloads/layers.h"
#include "workloads/network.h"

namespace lpa::lpq {

/// Samples of the values that formats are fitted on, and bounds on the sums of products of computed values.
class Calibration {
 public:
  /// For `images` images, of which at most about 200,000 elements of a value are drawn in all.
  Calibration(const workloads::Network& network, const workloads::LayerGraph& graph, std::size_t images,
              std::uint64_t seed);

  /// Takes what is wanted of the network's value `value`. Calls for different images may be concurrent; the result does
  /// not depend on their order.
  void see(std::size_t image, int value, std::span<const float> data);

  const std::vector<float>& samples(int value) const { return samples_[static_cast<std::size_t>(value)].drawn; }

  /// No partial sum of the matmul layer's products exceeded this on any image, before the products are scaled: the
  /// largest norm of a row of the input times that of a column of the stationary operand. 0 if the network has no such
  /// product.
  double largest_sum(std::size_t layer) const;

 private:
  struct Samples {
    std::size_t size = 0;       ///< elements per image
    std::size_t per_image = 0;  ///< elements taken of them
    std::vector<float> drawn;   ///< Every image has its own place.
  };
  /// The largest norm of the rows or columns of a value's matrices.
  struct Norms {
    bool rows = true;
    std::size_t height = 1, width = 1;
    std::vector<double> largest;  ///< By image.
  };
  struct Product {
    int left = -1, right = -1;  ///< Values; -1 if there is none.
    double factor = 1;          ///< Of the product that the layer's sums have.
  };

  void want_samples(int value);
  void want_norms(int value, bool rows);
  Product find_product(const workloads::Layer& layer) const;
  double largest_norm(int value, bool rows) const;

  const workloads::Network& network_;
  std::size_t images_;
  std::uint64_t seed_;
  std::vector<Samples> samples_;           ///< By value.
  std::vector<std::vector<Norms>> norms_;  ///< By value.
  std::vector<Product> products_;          ///< By layer.
};

}  // namespace lpa::lpq

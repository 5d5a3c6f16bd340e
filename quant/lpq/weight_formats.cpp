#include "quant/lpq/weight_formats.h"

#include <algorithm>
#include <cmath>

namespace lpa::lpq {
namespace {

using formats::LpFormat;

constexpr int sf_radius_q8 = 24;  ///< How far from the best sf another one is drawn.
constexpr int sf_limit_q8 = 127 * 256;

}  // namespace

WeightFormatsOfLayer::WeightFormatsOfLayer(const workloads::Layer& layer, const std::vector<int>& bits,
                                           const ChannelScales* scales)
    : bits_(bits), channels_(scales) {
  for (const double weight : layer.weights) mean_square_ += weight * weight;
  mean_square_ /= static_cast<double>(layer.weights.size());
  if (channels_ == nullptr) values_.emplace(layer.weights);
  for (const int n : bits_) {
    best_.emplace(n, channels_ == nullptr ? search_format(*values_, n, Quantizer::offline) : channels_->best(n));
  }
}

double WeightFormatsOfLayer::error(int bits) const {
  return mean_square_ > 0 ? best_.at(bits).mean_squared_error / mean_square_ : 0;
}

LpFormat WeightFormatsOfLayer::mutate(const LpFormat& format, Random& random) {
  if (bits_.size() > 1 && random.chance(0.5)) {
    int n = format.n;
    while (n == format.n) n = bits_[random.below(bits_.size())];
    return best(n);
  }
  LpFormat shape = format;
  if (random.chance(0.5)) shape.es += random.chance(0.5) ? 1 : -1;
  if (random.chance(0.5)) shape.rs += random.chance(0.5) ? 1 : -1;
  return draw_shape(shape, random);
}

LpFormat WeightFormatsOfLayer::draw(Random& random) {
  const int n = bits_[random.below(bits_.size())];
  if (random.chance(0.5)) return best(n);
  const std::vector<LpFormat> shapes = formats::all_lp_formats(n);
  return draw_shape(shapes[random.below(shapes.size())], random);
}

/// A legal format of about this shape, with an sf near the best one.
LpFormat WeightFormatsOfLayer::draw_shape(LpFormat shape, Random& random) {
  shape.es = std::clamp(shape.es, 0, std::max(0, shape.n - 3));
  shape.rs = std::clamp(shape.rs, 1, shape.n - 1);
  const int sf_q8 = best_sf_q8(shape) + random.between(-sf_radius_q8, sf_radius_q8);
  shape.sf_q8 = std::clamp(sf_q8, -sf_limit_q8, sf_limit_q8);
  return shape;
}

int WeightFormatsOfLayer::best_sf_q8(const LpFormat& shape) {
  if (channels_ != nullptr) return channels_->of(shape).sf_q8;
  const auto [found, is_new] = scales_.try_emplace({shape.n, shape.es, shape.rs}, 0);
  if (is_new) found->second = search_scale(*values_, shape, Quantizer::offline).format.sf_q8;
  return found->second;
}

}  // namespace lpa::lpq

// One call of GemmKernel::run(). Not for other users.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quant/formats/gemm.h"
#include "quant/formats/gemm_layout.h"
#include "quant/formats/gemm_plan.h"

namespace lpa::formats {

class GemmRun {
 public:
  /// sums[0] is of position `first`.
  GemmRun(const GemmPlan& plan, const GemmPanel& panel, const GemmWeights& weights, std::size_t first,
          std::span<const Psum> start, std::span<Psum> sums, AccumulateEvents& events);

  void run(std::size_t first, std::size_t end);

 private:
  struct Range {
    std::size_t first = 0, end = 0;
    std::size_t size() const { return end - first; }
  };
  /// Lanes of packed operands: step k of the i-th one is data[k * stride + i].
  struct Operands {
    Range lanes;
    const PackedOperand* data = nullptr;
    std::size_t stride = 0;
    std::vector<PackedOperand> copy;
  };

  Psum& sum(std::size_t position, std::size_t channel) { return sums_[(position - first_) * channels_ + channel]; }
  bool has_nar(const GemmOperands& operands, std::size_t lane) const {
    return !operands.nar_lanes_.empty() && operands.nar_lanes_[lane] != 0;
  }
  bool scalar_channel(std::size_t channel) const { return has_nar(weights_, channel) || start_[channel].nar; }

  /// For positions without NaR.
  void run_fast(Range positions);
  void run_shape(const GemmTileShape& shape, Range positions);
  void run_tiles(const GemmTileShape& shape, Range positions, Range channels);
  std::size_t cost(const GemmTileShape& shape, Range positions) const;
  const GemmTileShape* cheapest(std::span<const GemmTileShape> shapes, Range positions) const;
  void find_bounds(Range channels);

  /// In ascending k, vectorised over positions or channels. Leaves out scalar channels.
  void run_ordered(Range positions, Range channels);
  void run_ordered_clean(Range positions, Range channels);
  void run_scalar(std::size_t position, std::size_t channel);
  Operands lanes(const GemmOperands& operands, Range range) const;
  /// Lane after lane, each with its operands of all steps.
  void copy_rows(const GemmOperands& operands, Range range, std::span<PackedOperand> rows) const;

  const GemmPlan& plan_;
  const GemmPanel& panel_;
  const GemmWeights& weights_;
  std::size_t first_;
  std::size_t depth_;
  std::size_t channels_;
  std::span<const Psum> start_;
  std::span<Psum> sums_;
  AccumulateEvents& events_;
  GemmLayout panel_layout_, weight_layout_;
  std::vector<std::int32_t> start_values_;  ///< Padded.
  std::vector<double> largest_activation_;  ///< Per chunk, in units of a sum.
  std::vector<std::uint32_t> bounds_;       ///< Per chunk, of the channels at hand.
};

}  // namespace lpa::formats

// What the array of the fast model computes: the words of a visit's positions, all steps k at once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "hw_model/control/schedule.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_store.h"
#include "quant/formats/gemm.h"

namespace lpa::hw {

/// Partial sums add up in ascending k whatever the tiles are, so a position's words can be formed when its last vector
/// is issued. Reads the very bytes that are in the weight and input buffers at that time.
class ArrayValues {
 public:
  ArrayValues(const MachineConfig& config, const FillLogic& weights, const FillLogic& inputs, OutputStore& store);

  /// Off: no words are computed, and nothing is counted. From the next layer on.
  void set_values(bool on) { next_values_ = on; }

  /// `layer_wise`: visits do not come in the order of the schedule but in that of batch, band and n-tile, each of all
  /// its positions; all n-tiles of a group must be loaded before its first one is computed, and need not be loaded
  /// again for another band.
  void start(const Schedule& schedule, bool layer_wise = false);
  /// Sums of so many n-tiles are formed together.
  std::int64_t group_tiles() const { return group_tiles_; }
  /// The biases of the tile's visit, and the tile's weights; both must be in the weight buffer.
  void load_biases(const TileCursor& tile);
  void load_tile(const TileCursor& tile);
  /// The words of `count` positions of a visit from `first` on. All tiles of the visit have been loaded, and the
  /// positions' inputs are in the input buffer.
  void compute(const VisitCursor& visit, std::int64_t first, std::int64_t count);

  /// As the processing elements count them, lanes without a channel included.
  const formats::AccumulateEvents& events() const { return events_; }
  /// Products whose operands are both not zero.
  std::uint64_t active_products() const { return active_products_; }

 private:
  /// Weights and start values of a group of n-tiles; visits in the order of the schedule are groups of one.
  struct Channels {
    std::optional<formats::GemmWeights> weights;
    std::vector<formats::Psum> start;
    std::vector<std::int16_t> scale;     ///< The channels' own parts of the encoder's.
    std::vector<std::uint32_t> nonzero;  ///< Weights that are not zero, by k.
  };
  Channels& channels(const VisitCursor& visit) {
    return channels_[static_cast<std::size_t>(layer_wise_ ? visit.n_tile() / group_tiles_ : visit.index() % 2)];
  }
  /// Of an n-tile among the channels of its group.
  std::size_t first_channel(const VisitCursor& visit) const {
    return static_cast<std::size_t>(visit.n_tile() % group_tiles_ * schedule_->tiling().lanes);
  }
  std::int64_t panel_of(const Pass& pass) const;
  void extend_panel(const VisitCursor& visit, std::int64_t end);
  /// Of `count` positions of the panel and weights of which `nonzero` are not zero, by k.
  std::uint64_t count_active(std::int64_t first, std::int64_t count, const std::vector<std::uint32_t>& nonzero) const;
  void read_row(const Pass& pass, std::int64_t k, std::int64_t first, std::int64_t count);

  using Shape = std::array<std::int64_t, 5>;
  using KernelKey = std::tuple<Shape, Shape, std::int64_t>;
  using EncoderKey = std::tuple<Shape, std::int64_t, std::int64_t, std::int64_t>;

  formats::Arithmetic arithmetic_;
  const FillLogic& weight_buffer_;
  const FillLogic& input_buffer_;
  OutputStore& store_;
  bool values_ = true, next_values_ = true;  ///< Of this layer and the next one.

  const Schedule* schedule_ = nullptr;
  std::map<KernelKey, formats::GemmKernel> kernels_;  ///< Of all layers so far.
  std::map<EncoderKey, formats::PsumEncoder> encoders_;
  const formats::GemmKernel* kernel_ = nullptr;
  const formats::PsumEncoder* encoder_ = nullptr;

  bool layer_wise_ = false;
  std::int64_t group_tiles_ = 1;
  std::vector<Channels> channels_;           ///< By half, or by group.
  std::optional<formats::GemmPanel> panel_;  ///< The activations of a band,
  std::int64_t panel_number_ = -1;           ///< this one,
  std::int64_t panel_filled_ = 0;            ///< up to this position.
  std::vector<std::int64_t> nars_;           ///< NaR activations by position.
  /// Activations that are not zero: [position][k], those of the band before this position.
  std::vector<std::uint32_t> nonzero_before_;
  std::vector<std::uint8_t> row_;
  std::vector<formats::Psum> sums_;  ///< [position][channel of the group]
  formats::AccumulateEvents events_;
  std::uint64_t active_products_ = 0;
};

}  // namespace lpa::hw

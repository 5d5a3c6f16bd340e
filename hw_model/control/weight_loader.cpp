#include "hw_model/control/weight_loader.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
namespace lpa::hw {

WeightLoader::WeightLoader(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& buffer)
    : sc_module(name),
      weights("weights", static_cast<unsigned>(config.array.columns)),
      rows_(static_cast<std::size_t>(config.array.rows)),
      columns_(static_cast<std::size_t>(config.array.columns)),
      fold_overlap_(config.array.fold_overlap),
      buffer_(buffer),
      gate_(config.stall, StallPoint::weight_row) {
  for (auto& half : biases_) half.resize(columns_);
  for (auto& half : scales_) half.resize(columns_);
  SC_HAS_PROCESS(WeightLoader);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void WeightLoader::step() {
  ++cycle_;
  tag.write({});
  if (reset.read()) {
    schedule_ = nullptr;
    return;
  }
  if (job.read().number != job_number_) {
    start(job.read());
    return;
  }
  if (schedule_ == nullptr || tile_->done()) return;
  const bool shadows_free = tiles_released.read() >= tile_->index() + (fold_overlap_ ? 0 : 1);
  if (!shadows_free || !row_ready() || gate_.closed(cycle_)) return;
  if (row_ == static_cast<std::int64_t>(rows_) - 1 && accesses_ == 0) tile_begin_ = cycle_;
  ++accesses_;
  const std::int64_t inputs = schedule_->tiling().row_inputs(tile_->k_tile(), row_);
  if (inputs > 0) buffer_.use_port(cycle_, tile_->weight_fetch());
  const std::int64_t columns = schedule_->tiling().tile_columns(tile_->visit().n_tile());
  if (inputs > 0 && accesses_ < buffer_.config().accesses(inputs * columns)) return;
  accesses_ = 0;
  present_row();
}

void WeightLoader::start(const Job& new_job) {
  job_number_ = new_job.number;
  const bool runs = new_job.schedule != nullptr && new_job.schedule->descriptor().uses_array();
  schedule_ = runs ? new_job.schedule : nullptr;
  if (runs) tile_.emplace(*schedule_);
  row_ = static_cast<std::int64_t>(rows_) - 1;
  fetches_released_ = accesses_ = 0;
  tiles_loaded.write(0);
  fetches_released.write(0);
}

bool WeightLoader::row_ready() const {
  return level.read().has(tile_->weight_fetch(), tile_->weights_end());
}

void WeightLoader::present_row() {
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t n_tile = tile_->visit().n_tile();
  const auto used_columns = static_cast<std::size_t>(tiling.tile_columns(n_tile));
  if (row_ == static_cast<std::int64_t>(rows_) - 1 && tile_->first_k()) load_biases();
  const std::int64_t inputs = tiling.row_inputs(tile_->k_tile(), row_);
  const std::int64_t fetch = tile_->weight_fetch();
  const std::int64_t stride = tile_->column_stride();
  for (std::size_t c = 0; c < columns_; ++c) {
    std::uint32_t words = 0;
    for (std::int64_t i = 0; i < inputs && c < used_columns; ++i) {
      const std::int64_t offset = tile_->weight_offset(tiling.k_begin(tile_->k_tile()) + row_ * tiling.inputs + i);
      words |= std::uint32_t{buffer_.byte(fetch, offset + static_cast<std::int64_t>(c) * stride)} << (8 * i);
    }
    weights[c].write(words);
  }
  if (inputs > 0) buffer_.count_read(inputs * static_cast<std::int64_t>(used_columns));
  if (tile_->index() == 0 && row_ == static_cast<std::int64_t>(rows_) - 1) first_row_edge_ = cycle_;
  tag.write({true, static_cast<std::uint16_t>(row_)});
  if (--row_ < 0) finish_tile();
}

void WeightLoader::finish_tile() {
  if (timeline_ != nullptr) {
    timeline_->add(tile_slice(Track::weight_loader, *tile_, tile_begin_, cycle_ + 1));
  }
  row_ = static_cast<std::int64_t>(rows_) - 1;
  ++total_tiles_;
  const std::int64_t fetch = tile_->weight_fetch();
  tile_->next();
  tiles_loaded.write(tile_->index());
  if (tile_->done() || tile_->weight_fetch() != fetch) fetches_released_ = fetch + 1;
  fetches_released.write(fetches_released_);
}

void WeightLoader::load_biases() {
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t n_tile = tile_->visit().n_tile();
  const std::int64_t fetch = tile_->weight_fetch();
  const std::int64_t channels = tiling.tile_channels(n_tile);
  const auto half = static_cast<std::size_t>(tile_->visit().index() % 2);
  auto& biases = biases_[half];
  auto& scales = scales_[half];
  std::ranges::fill(biases, PsumWord{});
  std::ranges::fill(scales, ScaleWord{});
  if (!tile_->has_biases()) return;
  const std::uint8_t* bytes = buffer_.data(fetch) + tile_->bias_offset();
  for (std::int64_t channel = 0; channel < channels; ++channel, bytes += Tiling::bias_bytes) {
    const auto column = static_cast<std::size_t>(channel / tiling.pack);
    const auto lane = static_cast<std::size_t>(channel % tiling.pack);
    biases[column].lane[lane] = read_bias(bytes);
    scales[column].lane[lane] = read_channel_scale(bytes);
  }
  buffer_.count_read(channels * Tiling::bias_bytes);
}

}  // namespace lpa::hw

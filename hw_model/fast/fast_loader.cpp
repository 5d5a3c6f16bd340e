#include "hw_model/fast/fast_loader.h"

#include "hw_model/control/tile_slice.h"
#include "hw_model/fast/array_values.h"

namespace lpa::hw {

FastLoader::FastLoader(const MachineConfig& config, FillLogic& buffer, ArrayValues& values)
    : rows_(config.array.rows),
      fold_overlap_(config.array.fold_overlap),
      buffer_(buffer),
      values_(values),
      gate_(config.stall, StallPoint::weight_row) {}

void FastLoader::step(std::uint64_t cycle, const Job& job, const FillLevel& level, std::int64_t tiles_released) {
  if (job.number != job_number_) {
    start(job);
    return;
  }
  looks_ = false;
  if (schedule_ == nullptr || tile_->done()) return;
  if (!loading_) {
    if (tiles_released < tile_->index() + (fold_overlap_ ? 0 : 1) || !tile_ready(level)) return;
    if (gate_.closed(cycle)) {
      looks_ = true;
      return;
    }
    begin_tile(cycle);
  }
  if (cycle == tile_end_) finish_tile(cycle);
}

void FastLoader::start(const Job& job) {
  job_number_ = job.number;
  const bool runs = job.schedule != nullptr && job.schedule->descriptor().uses_array();
  schedule_ = runs ? job.schedule : nullptr;
  if (runs) tile_.emplace(*schedule_);
  tiles_loaded_ = fetches_released_ = 0;
  loading_ = false;
  looks_ = true;
}

std::uint64_t FastLoader::next(std::uint64_t cycle) const {
  if (schedule_ == nullptr) return never;
  if (looks_) return cycle + 1;
  return loading_ ? tile_end_ : never;
}

bool FastLoader::tile_ready(const FillLevel& level) const {
  return level.has(tile_->weight_fetch(), tile_->weights_end());
}

void FastLoader::begin_tile(std::uint64_t cycle) {
  loading_ = true;
  tile_begin_ = cycle;
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t used = ceil_div(tiling.k_rows(tile_->k_tile()), tiling.inputs);
  const std::int64_t columns = tiling.tile_columns(tile_->visit().n_tile());
  const std::int64_t accesses = buffer_.config().accesses(tiling.inputs * columns);
  // The last row in use comes first; it may have fewer inputs.
  const std::int64_t first_accesses = buffer_.config().accesses(tiling.row_inputs(tile_->k_tile(), used - 1) * columns);
  read_begin_ = edge_after(cycle, rows_ - used);
  tile_end_ = edge_after(read_begin_, first_accesses + (used - 1) * accesses) - 1;
  if (tile_->index() == 0) first_row_edge_ = used < rows_ ? cycle : edge_after(cycle, first_accesses) - 1;
  half_ = static_cast<std::size_t>(tile_->weight_fetch() % 2);
  if (tile_->first_k()) {
    values_.load_biases(*tile_);
    if (tile_->has_biases()) buffer_.count_read(tiling.tile_channels(tile_->visit().n_tile()) * Tiling::bias_bytes);
  }
  values_.load_tile(*tile_);
}

/// The edge after `edges` open ones from `cycle` on.
std::uint64_t FastLoader::edge_after(std::uint64_t cycle, std::int64_t edges) const {
  if (!gate_.enabled()) return cycle + static_cast<std::uint64_t>(edges);
  for (; edges > 0; ++cycle) edges -= gate_.closed(cycle) ? 0 : 1;
  return cycle;
}

void FastLoader::walk(StateWalk& walk) {
  walk.cursor(*tile_);
  walk.tile(tiles_loaded_);
  walk.weight_fetch(fetches_released_);
  walk.plain(loading_);
  walk.plain(looks_);
  walk.next_edge(read_begin_);
  walk.next_edge(tile_end_);
  walk.plain(half_);
}

void FastLoader::finish_tile(std::uint64_t cycle) {
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t columns = tiling.tile_columns(tile_->visit().n_tile());
  const std::int64_t used = ceil_div(tiling.k_rows(tile_->k_tile()), tiling.inputs);
  buffer_.count_read(tiling.row_inputs(tile_->k_tile(), used - 1) * columns);
  buffer_.count_read(tiling.inputs * columns, used - 1);
  ++total_tiles_;
  if (timeline_ != nullptr) {
    timeline_->add(tile_slice(Track::weight_loader, *tile_, tile_begin_, cycle + 1));
  }
  const std::int64_t fetch = tile_->weight_fetch();
  tile_->next();
  tiles_loaded_ = tile_->index();
  if (tile_->done() || tile_->weight_fetch() != fetch) fetches_released_ = fetch + 1;
  loading_ = false;
  looks_ = !tile_->done();
}

}  // namespace lpa::hw

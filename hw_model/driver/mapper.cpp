#include "hw_model/driver/mapper.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"

namespace lpa::driver {
namespace {

using hw::Descriptor;
using hw::LoopOrder;
using hw::MachineConfig;
using hw::Tiling;

/// The largest value of 1..limit for which `fits` holds; it holds up to some value and not above. 0 if it never does.
template <typename Fits>
std::int64_t largest(std::int64_t limit, Fits fits) {
  std::int64_t low = 0;
  while (low < limit) {
    const std::int64_t middle = low + (limit - low + 1) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      limit = middle - 1;
    }
  }
  return low;
}

void choose_band(Descriptor& d, const MachineConfig& config, const std::string& layer) {
  const auto needs = [&](std::int64_t rows) {
    d.band_rows = rows;
    const Tiling tiling(d, config);
    return std::pair{tiling.largest_input_fetch(), tiling.output_half_bytes()};
  };
  const std::int64_t input_half = config.input_buffer.half_bytes();
  const std::int64_t output_half = config.output_buffer.half_bytes();
  const std::int64_t rows = largest(d.out_h, [&](std::int64_t candidate) {
    const auto [input, output] = needs(candidate);
    return input <= input_half && output <= output_half;
  });
  if (rows == 0) {
    const auto [input, output] = needs(1);
    const bool input_is_short = input > input_half;
    throw MachineError(fmt::format(
        "layer '{}': one output row needs {} bytes of the {} buffer, half of which holds {}; raise {}_buffer.kib",
        layer, input_is_short ? input : output, input_is_short ? "input" : "output",
        input_is_short ? input_half : output_half, input_is_short ? "input" : "output"));
  }
  // As few bands as possible, of nearly equal size.
  d.band_rows = hw::ceil_div(d.out_h, hw::ceil_div(d.out_h, rows));
}

void choose_block(Descriptor& d, const MachineConfig& config, const std::string& layer) {
  const Tiling whole(d, config);
  const std::int64_t half = config.weight_buffer.half_bytes();
  const auto fits = [&] { return Tiling(d, config).largest_weight_fetch() <= half; };
  d.k_block = whole.k;
  const std::int64_t tiles = largest(whole.n_tiles, [&](std::int64_t candidate) {
    d.block_tiles = candidate;
    return fits();
  });
  d.block_tiles = std::max<std::int64_t>(tiles, 1);
  if (tiles > 0) return;
  const std::int64_t rows = whole.rows;
  const std::int64_t k_tiles = largest(whole.k_tiles - 1, [&](std::int64_t candidate) {
    d.k_block = candidate * rows;
    return fits();
  });
  if (k_tiles == 0) {
    d.k_block = rows;
    throw MachineError(
        fmt::format("layer '{}': one weight tile needs {} bytes of the weight buffer, half of which holds {}; raise "
                    "weight_buffer.kib",
                    layer, Tiling(d, config).largest_weight_fetch(), half));
  }
  d.k_block = k_tiles * rows;
}

}  // namespace

Traffic traffic(const Descriptor& descriptor, const MachineConfig& config) {
  const hw::Schedule schedule(descriptor, config);
  Traffic bytes;
  for (const hw::Fetch& fetch : schedule.input_fetches()) bytes.input_bytes += fetch.bytes;
  for (const hw::Fetch& fetch : schedule.weight_fetches()) bytes.weight_bytes += fetch.bytes;
  return bytes;
}

void map_layer(Descriptor& descriptor, const MachineConfig& config, const std::string& layer) {
  descriptor.band_rows = descriptor.out_h;
  descriptor.block_tiles = 1;
  descriptor.k_block = descriptor.kernel_h * descriptor.kernel_w * descriptor.in_c;
  choose_band(descriptor, config, layer);
  if (descriptor.uses_array()) choose_block(descriptor, config, layer);

  Descriptor best = descriptor;
  best.loop_order = static_cast<std::int64_t>(LoopOrder::inputs_outer);
  const auto consider = [&](std::int64_t band_rows, LoopOrder order) {
    Descriptor candidate = best;
    candidate.band_rows = band_rows;
    candidate.loop_order = static_cast<std::int64_t>(order);
    if (Tiling(candidate, config).passes() > hw::max_passes) return;
    if (traffic(candidate, config).total() < traffic(best, config).total()) best = candidate;
  };
  consider(descriptor.band_rows, LoopOrder::weights_outer);
  // Bands of a single row leave out the input rows that a stride larger than the window skips.
  if (descriptor.stride_h > (descriptor.kernel_h - 1) * descriptor.dilation_h + 1) {
    consider(1, LoopOrder::inputs_outer);
    consider(1, LoopOrder::weights_outer);
  }
  descriptor = best;
}

}  // namespace lpa::driver

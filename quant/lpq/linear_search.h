// The format of one tensor among those of another accelerator: what search_format() is for LP.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/formats/number_system.h"
#include "quant/lpq/format_search.h"
#include "workloads/layers.h"

namespace lpa::lpq {

/// A linear format, and what it costs.
struct LinearChoice {
  formats::TensorFormat format;
  double mean_squared_error = 0;
};

/// The system's format of that width with the least squared error, the first one of equals; it must have one, and must
/// not be lp. Scales: every power of 2^(1/256) that maps the largest word to 1 ... 1/64 of the largest value.
/// adaptivfloat: the bias of its authors, by the largest value. posit: none. All within |sf| <= 127, or the limit
/// itself. Values that are all zero give sf = 0.
LinearChoice search_linear_format(const ValueStatistics& values, formats::NumberSystem system, int n);

/// The same for weights whose output channels have scales of their own: `channel_sf_q8` gets what each one exceeds the
/// tensor's by, units of 2^-8, at most 8 octaves.
LinearChoice search_linear_channels(const workloads::Layer& layer, formats::NumberSystem system, int n,
                                    std::vector<std::int16_t>& channel_sf_q8);

}  // namespace lpa::lpq

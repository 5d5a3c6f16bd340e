// Topology files of SCALE-Sim (github.com/scalesim-project/SCALE-Sim, versions 2 and 3).
#pragma once

#include <filesystem>
#include <vector>

#include "traces/layer_table.h"

namespace lpa::traces {

/// Reads a topology; its header tells the form. Names in it may differ in case, blanks and plural.
///   Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
///   Layer, M, N, K,
/// A comma ends each line, may be missing, and may have a comment after it that starts with '#'. Blanks around fields
/// and empty lines mean nothing.
///
/// The convolution form gives layers of kind conv: inputs carry no padding, and an output of a direction has
/// ceil((I - F + S) / S) positions, so that the last window may reach beyond the input. A name with "DP" in it makes a
/// depthwise layer, of Num Filter filters for each of its channels. The GEMM form gives layers of kind linear, since it
/// cannot tell products with stored weights from those of activations.
///
/// Throws workloads::InputError with file, line and column; sparsity ratios and batches are not supported.
std::vector<LayerShape> read_scalesim_topology(const std::filesystem::path& path);

}  // namespace lpa::traces

#pragma once

#include <filesystem>

#include "workloads/network.h"

namespace lpa::workloads {

/// Reads an ONNX model of opset 13 to 17 with one float input, whose batch is 1 or symbolic (taken as 1), and one
/// output. Everything that does not depend on the input's values is folded. Batch normalisation and constants that are
/// added or multiply channel by channel go into the Conv, Gemm or LayerNorm before them; layer normalisation and GELU
/// that are written out become one node; chains of operators that only move elements become one Move. Nodes without
/// effect on the output are left out, and the shape of every value is inferred. Throws InputError naming the file and,
/// where there is one, the node.
Network import_onnx(const std::filesystem::path& path);

}  // namespace lpa::workloads

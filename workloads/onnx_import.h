#pragma once

#include <filesystem>

#include "workloads/network.h"

namespace lpa::workloads {

/// Reads an ONNX model of opset 13 to 17 with one float input, whose batch is 1 or symbolic (taken as 1), and one
/// output. Everything that does not depend on the input's values is folded, batch normalisation and constant addends go
/// into the weights and bias of the Conv or Gemm before them, nodes without effect on the output are left out, and the
/// shape of every value is inferred. Throws InputError naming the file and, where there is one, the node.
Network import_onnx(const std::filesystem::path& path);

}  // namespace lpa::workloads

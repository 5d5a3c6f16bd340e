// Operators between a computed value and a constant, most of which go into the parameters of the node before them.
#pragma once

#include <string>

#include "workloads/onnx/network_builder.h"

namespace lpa::workloads::detail {

/// Add or Sub; the value that the result is.
int import_sum(NetworkBuilder& builder, const NodeReader& node, const std::string& output);

/// Mul or Div by a constant; the value that the result is.
int import_scaling(NetworkBuilder& builder, const NodeReader& node, const std::string& output);

/// BatchNormalization, which must be the only user of a Conv or Gemm.
int import_batch_normalization(NetworkBuilder& builder, const NodeReader& node, const std::string& output);

/// Input i as one float a channel: one element (repeated), or `channels` elements along the only axis longer than 1,
/// which is `axis` of a tensor of rank `rank` after broadcasting. Empty if it is neither.
std::vector<float> per_channel(const NodeReader& node, std::size_t i, std::int64_t channels, std::size_t rank,
                               std::size_t axis);

/// Input i, which must be a list of `count` floats.
const std::vector<float>& list(const NodeReader& node, std::size_t i, std::int64_t count);

}  // namespace lpa::workloads::detail

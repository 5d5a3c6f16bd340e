#pragma once

#include <cstddef>
#include <vector>

#include "workloads/onnx/network_builder.h"
#include "workloads/onnx/patterns.h"

namespace lpa::workloads::detail {

/// Appends what an ONNX node computes to the network and returns the value that its output `output` is: a new one, or
/// one that is there if the node changes nothing at inference or went into a node before it (batch normalisation,
/// constants). Throws InputError if the node is not valid or its operator is not supported.
int import_operator(NetworkBuilder& builder, NodeReader& node, std::size_t output);

/// The same for a pattern; `nodes` are readers of Pattern::nodes.
int import_pattern(NetworkBuilder& builder, const Pattern& pattern, const std::vector<NodeReader>& nodes);

/// The operators that import_operator takes, for messages.
extern const char* const supported_operators;

}  // namespace lpa::workloads::detail

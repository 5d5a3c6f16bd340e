#pragma once

#include <functional>

#include "workloads/network.h"
#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

/// Tells whether the node at hand is the only one that uses a value (and the value is not the network's output).
using SoleUse = std::function<bool(int value)>;

/// Appends what an ONNX node computes to the network and returns the index of the value that its first output is: a new
/// one, or that of an input if the node changes nothing at inference or was folded into the node before it (batch
/// normalisation, constant addend). Throws InputError if the node is not valid or its operator is not supported.
int import_operator(Network& network, const NodeReader& node, const std::string& output, const SoleUse& sole_use);

/// The operators that import_operator takes, for messages.
extern const char* const supported_operators;

}  // namespace lpa::workloads::detail

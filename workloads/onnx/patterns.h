// Groups of ONNX nodes that together are one operator of the network: layer normalisation and GELU, as exporters write
// them out for opsets that have no such operator.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "workloads/onnx/node_reader.h"

namespace onnx {
class GraphProto;
}

namespace lpa::workloads::detail {

/// Nodes connected like a pattern, none of whose inner values is used elsewhere. Whether their constants are right is
/// known only when they are folded: check_pattern.
struct Pattern {
  /// Input `input` of node `node` (an index into the graph), which is a constant.
  struct Parameter {
    int node = -1;
    std::size_t input = 0;
    double expected = 0;
  };
  enum class Kind { layer_norm, gelu } kind = Kind::gelu;
  std::string input;                  ///< Name of the value that goes in.
  std::vector<int> nodes;             ///< Ascending. The last one computes the result.
  std::vector<Parameter> parameters;  ///< Those with one right value.
  std::vector<int> means;             ///< layer_norm: the ReduceMean nodes, which must be over the last axis.
  Parameter epsilon;                  ///< layer_norm
};

/// The patterns among the live nodes. x is the input:
///   layer_norm  d / Sqrt(ReduceMean(d * d) + epsilon) with d = x - ReduceMean(x); d * d may be Pow(d, 2)
///   gelu        x * (1 + Erf(x / sqrt(2))) * 0.5, the factors in any order
std::vector<Pattern> find_patterns(const ::onnx::GraphProto& graph, const std::vector<bool>& live);

/// Fails, at the node that deviates, unless the pattern's parameters have the expected values and its means run over
/// the last of `rank` axes. `nodes` are readers of Pattern::nodes, in this order.
void check_pattern(const Pattern& pattern, const std::vector<NodeReader>& nodes, std::size_t rank);

/// layer_norm: the value of its epsilon.
float epsilon_of(const Pattern& pattern, const std::vector<NodeReader>& nodes, std::size_t rank);

}  // namespace lpa::workloads::detail

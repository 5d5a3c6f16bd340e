#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "workloads/network.h"

namespace lpa::workloads {

/// Runs a network in fp32 with oneDNN. The primitives are created once; the weights are copied at construction. One
/// Executor serves one caller at a time; several Executors may run at the same time in threads of the caller.
/// The result depends on the machine's instruction set and, in the last bits, on `threads`, but not on timing.
class Executor {
 public:
  /// Sees, and may change, each value (a row-major tensor of Network::values' shape) as soon as it is there: first the
  /// input, then the nodes' outputs in order. Called for every image in turn.
  using ValueHook = std::function<void(int value, std::span<float> data)>;

  /// `threads`: OpenMP threads per run, at least 1. Throws InputError naming a node that oneDNN cannot run.
  explicit Executor(const Network& network, int threads = 1);
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;
  ~Executor();

  /// The network's output for an input of the network's shape, or of n images (n x C x H x W), which are run one by one
  /// and give n x ... . Throws std::invalid_argument if the input has another shape.
  Tensor run(const Tensor& input, const ValueHook& hook = {});

  /// The same for any values (indices into Network::values), in the order asked for.
  std::vector<Tensor> run(const Tensor& input, std::span<const int> values, const ValueHook& hook = {});

  /// All values, by index.
  std::vector<Tensor> run_all(const Tensor& input);

  /// Runs the nodes first <= i < last on the values as they are, one image's: left by a run or set by value().
  void run_nodes(int first, int last, const ValueHook& hook = {});

  /// The elements of a value of the last image.
  std::span<float> value(int index);

  /// Replaces the weights of a Conv or Gemm node; in the node's order. Throws std::invalid_argument if the node has no
  /// weights or another number of them.
  void set_weights(int node, std::span<const float> weights);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lpa::workloads

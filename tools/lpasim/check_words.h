// The machine's words against those of the software evaluation.
#pragma once

#include "hw_model/driver/simulation.h"
#include "hw_model/machine_config.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::cli {

class WordCheck {
 public:
  /// Keeps references to the graph and the model.
  WordCheck(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model, const hw::MachineConfig& machine);

  /// Throws driver::MachineError for the first word of the image's maps in which the machine differs, and if it counted
  /// other saturations.
  void operator()(std::size_t image, const lpq::WordMap& input, const driver::ImageResult& result) const;

 private:
  const workloads::LayerGraph& graph_;
  lpq::SoftwareMachine software_;
};

}  // namespace lpa::cli

// Many images on several processors at once.
#pragma once

#include <cstddef>
#include <functional>

#include "hw_model/driver/simulation.h"

namespace lpa::driver {

struct ImageInputs {
  std::size_t count = 0;
  /// The network's input words; called for each image when it is about to run.
  std::function<lpq::WordMap(std::size_t image)> image;
};

/// Runs every image on a machine of its own, fresh from reset, `threads` of them at a time. The result does not depend
/// on `threads`.
///
/// SystemC elaborates once per process: each image runs in a child process, which begins as a copy of this one and
/// sends back what it learned. So call it before any SystemC object exists and while this process has a single thread.
/// `options.finished` is called in the children: what it throws ends the run, what it changes is lost.
/// `options.progress` is called here, not for every layer. If `options.cancel` is set, the children end at once and the
/// result holds the finished images. Children never outlive this process.
///
/// A waveform or timeline is of one machine that runs one image after the other: then everything happens in this
/// process. Words are the same; so are cycles with ideal memory, while a DRAM meets each image at another time of its
/// refresh.
///
/// Throws MachineError, hw::ConfigError; std::runtime_error if a child dies.
RunResult run_images(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                     const lpq::QuantizedModel& model, const ImageInputs& inputs, const RunOptions& options,
                     int threads);

}  // namespace lpa::driver

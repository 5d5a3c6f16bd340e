// Between traces and quantized networks.
#pragma once

#include <cstdint>
#include <filesystem>

#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "traces/trace.h"

namespace lpa::lpq {

/// The trace of a quantized network, without words. Layers and constants whose name is taken already, or empty, get
/// "#2", "#3", ... behind it.
traces::Trace to_trace(const workloads::LayerGraph& graph, const QuantizedModel& model);
/// The same of a network's shapes, without formats.
traces::Trace to_trace(const workloads::LayerGraph& graph);

/// The quantized network of a trace. Every word, bias and parameter is zero. Without words it has no weights: enough
/// for a program without data.
QuantizedModel blank_model(const traces::Trace& trace, bool with_words = true);

/// Draws the words of a network that blank_model() made. What is drawn for a layer or constant depends on the seed and
/// its name and format only.
///
/// Real numbers are drawn from 65,536 equally likely quantiles of the normal distribution and rounded to the format:
/// weights of variance 1 / K, biases of 0.01, constants of 1; the magnitude where a constant stands for a rectified
/// layer's result. A layer normalisation's scale is 1 and its shift 0, both plus a number of variance 0.01.
void draw_words(const traces::Trace& trace, std::uint64_t seed, QuantizedModel& model);

/// The network's input, of variance 1.
WordMap draw_input(const traces::Trace& trace, std::uint64_t seed);

/// Writes the words of a trace's network. Throws workloads::OutputError.
void write_words(const std::filesystem::path& file, const traces::Trace& trace, const QuantizedModel& model);

/// Reads them into a network that blank_model() made; constants that stand for layers have none. Throws
/// workloads::InputError naming file and tensor.
void read_words(const std::filesystem::path& file, const traces::Trace& trace, QuantizedModel& model);

}  // namespace lpa::lpq

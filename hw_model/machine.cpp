#include "hw_model/machine.h"

#include <algorithm>

#include "hw_model/block_counters.h"

namespace lpa::hw {
Machine::Machine(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name),
      config_(validated(config)),
      activations_("activations", static_cast<unsigned>(config.array.rows)),
      weights_("weights", static_cast<unsigned>(config.array.columns)),
      psums_in_("psums_in", static_cast<unsigned>(config.array.columns)),
      psums_out_("psums_out", static_cast<unsigned>(config.array.columns)),
      scales_("scales", static_cast<unsigned>(config.array.columns)),
      words_("words", static_cast<unsigned>(config.array.columns)),
      dma_("dma", config_),
      weight_buffer_("weight_buffer", FillKind::weights, config_, dma_.port(DmaEngine::weights)),
      input_buffer_("input_buffer", FillKind::inputs, config_, dma_.port(DmaEngine::inputs)),
      output_buffer_("output_buffer", config_),
      output_port_("output_port", config_, dma_.port(DmaEngine::outputs), output_buffer_.store()),
      loader_("weight_loader", config_, weight_buffer_.logic()),
      sequencer_("sequencer", config_, input_buffer_.logic(), output_buffer_, loader_),
      array_("array", config_.array.rows, config_.array.columns, config_.arithmetic, config_.array.stages,
             config_.multiplier()),
      ppu_("ppu", config_, input_buffer_.logic(), output_buffer_.store(), output_port_.logic()),
      controller_("controller", config_, dma_, [this] { return gather(); }) {
  bind_clocks();
  bind_control();
  bind_data();
  SC_HAS_PROCESS(Machine);
  SC_METHOD(merge_inputs_released);
  sensitive << array_inputs_released_ << ppu_inputs_released_;
}

void Machine::bind_clocks() {
  const auto bind = [this](auto&... blocks) {
    (blocks.clk(clk), ...);
    (blocks.reset(reset_), ...);
  };
  bind(dma_, weight_buffer_, input_buffer_, output_buffer_, output_port_, loader_, sequencer_, array_, ppu_);
  controller_.clk(clk);
  controller_.reset(reset_);
  const auto bind_job = [this](auto&... blocks) { (blocks.job(job_), ...); };
  bind_job(weight_buffer_, input_buffer_, output_buffer_, output_port_, loader_, sequencer_, ppu_, controller_);
}

void Machine::bind_control() {
  controller_.layer_control(layer_control_);
  controller_.irq(irq);
  controller_.cause(cause_);
  controller_.visits_drained(visits_drained_);
  controller_.weight_level(weight_level_);
  controller_.input_level(input_level_);
  array_.control(layer_control_);

  weight_buffer_.level(weight_level_);
  weight_buffer_.released(weights_released_);
  input_buffer_.level(input_level_);
  input_buffer_.released(inputs_released_);

  loader_.level(weight_level_);
  loader_.tiles_released(tiles_released_);
  loader_.tiles_loaded(tiles_loaded_);
  loader_.fetches_released(weights_released_);

  sequencer_.tiles_loaded(tiles_loaded_);
  sequencer_.tiles_released(tiles_released_);
  sequencer_.input_level(input_level_);
  sequencer_.inputs_released(array_inputs_released_);
  sequencer_.sums_returned(sums_returned_);
  sequencer_.words_ready(words_ready_);
  sequencer_.visits_drained(visits_drained_);
  sequencer_.ppu_state(ppu_state_);
  sequencer_.cause(cause_);

  output_buffer_.sums_returned(sums_returned_);
  output_buffer_.words_ready(words_ready_);
  output_port_.visits_drained(visits_drained_);
  output_port_.residual_level(residual_level_);

  ppu_.words_ready(words_ready_);
  ppu_.input_level(input_level_);
  ppu_.residual_level(residual_level_);
  ppu_.visits_drained(visits_drained_);
  ppu_.state(ppu_state_);
  ppu_.inputs_released(ppu_inputs_released_);
}

void Machine::bind_data() {
  sequencer_.tag(bundle_tag_);
  array_.tag_in(bundle_tag_);
  sequencer_.activations(activations_);
  array_.activation_in(activations_);
  sequencer_.psums(psums_in_);
  array_.psum_in(psums_in_);
  sequencer_.scales(scales_);
  array_.scale_in(scales_);
  loader_.tag(weight_tag_);
  array_.weight_tag_in(weight_tag_);
  loader_.weights(weights_);
  array_.weight_in(weights_);
  array_.tag_out(sum_tag_);
  output_buffer_.tag(sum_tag_);
  array_.psum_out(psums_out_);
  output_buffer_.psums(psums_out_);
  array_.word_tag_out(word_tag_);
  output_buffer_.word_tag(word_tag_);
  array_.word_out(words_);
  output_buffer_.words(words_);
}

void Machine::merge_inputs_released() {
  inputs_released_.write(std::max(array_inputs_released_.read(), ppu_inputs_released_.read()));
}

void Machine::trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const {
  using sc_core::sc_trace;
  sc_trace(file, clk, prefix + ".clk");
  sc_trace(file, irq, prefix + ".irq");

  const std::string control = prefix + ".control";
  sc_trace(file, job_, control + ".job");
  sc_trace(file, cause_, control + ".cause");
  sc_trace(file, ppu_state_, control + ".ppu_state");
  sc_trace(file, tiles_loaded_, control + ".tiles_loaded");
  sc_trace(file, tiles_released_, control + ".tiles_released");
  sc_trace(file, sums_returned_, control + ".sums_returned");
  sc_trace(file, words_ready_, control + ".words_ready");
  sc_trace(file, visits_drained_, control + ".visits_drained");

  sc_trace(file, weight_level_, prefix + ".weight_buffer");
  sc_trace(file, weights_released_, prefix + ".weight_buffer.released");
  sc_trace(file, input_level_, prefix + ".input_buffer");
  sc_trace(file, inputs_released_, prefix + ".input_buffer.released");
  sc_trace(file, residual_level_, prefix + ".residual_buffer");
  array_.trace_pins(file, prefix + ".array");
}

void Machine::set_timeline(Timeline* timeline) {
  weight_buffer_.logic().set_timeline(timeline);
  input_buffer_.logic().set_timeline(timeline);
  output_buffer_.set_timeline(timeline);
  output_port_.logic().set_timeline(timeline);
  ppu_.logic().set_timeline(timeline);
  controller_.logic().set_timeline(timeline);
  loader_.set_timeline(timeline);
  sequencer_.set_timeline(timeline);
}

Counters Machine::gather() const {
  Counters sum =
      block_counters(dma_, weight_buffer_.logic(), input_buffer_.logic(), output_buffer_.store(), ppu_.logic());
  sum.macs = sequencer_.macs();
  sum.vectors = sequencer_.vectors();
  sum.tiles = loader_.tiles();
  sum.array_span = sequencer_.array_span();
  sum.saturations += array_.saturations();
  sum.nar_products += array_.nar_products();
  sum.active_products = array_.active_products();
  return sum;
}

}  // namespace lpa::hw

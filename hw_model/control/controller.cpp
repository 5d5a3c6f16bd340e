#include "hw_model/control/controller.h"

#include "hw_model/ppu/ppu_datapath.h"

namespace lpa::hw {

LayerControl to_layer_control(const Tiling& tiling) {
  const Descriptor& d = tiling.d;
  LayerControl control;
  control.weight = to_word_format(d.weight);
  control.activation = to_word_format(d.input);
  control.encoded = to_word_format(d.encoded);
  control.psum_lsb = static_cast<std::int16_t>(d.psum_lsb);
  control.scale_q8 = static_cast<std::int32_t>(d.scale);
  control.inputs = static_cast<std::uint8_t>(tiling.inputs);
  return control;
}

Controller::Controller(const sc_core::sc_module_name& name, const MachineConfig& config, DmaSocket& dma,
                       std::function<Counters()> gather)
    : sc_module(name),
      dma_(dma),
      logic_(config, dma.port(DmaEngine::descriptors), std::move(gather)),
      registers_("registers", logic_) {
  SC_HAS_PROCESS(Controller);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void Controller::step() {
  ++cycle_;
  const std::uint32_t before = logic_.job().number;
  logic_.step(cycle_, {.visits_drained = visits_drained.read(),
                       .weight_level = weight_level.read(),
                       .input_level = input_level.read(),
                       .cause = cause.read(),
                       .memory_failed = dma_.failed_before(cycle_)});
  job.write(logic_.job());
  reset.write(logic_.reset());
  irq.write(logic_.irq());
  if (logic_.job().number == before || logic_.job().schedule == nullptr) return;
  const Tiling& tiling = logic_.job().schedule->tiling();
  if (tiling.d.uses_array()) layer_control.write(to_layer_control(tiling));
}

}  // namespace lpa::hw

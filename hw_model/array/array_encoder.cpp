#include "hw_model/array/array_encoder.h"

namespace lpa::hw {

ArrayEncoder::ArrayEncoder(const sc_core::sc_module_name& name, const datapath::LinearLogConverter& converter,
                           const formats::Arithmetic& arithmetic, const datapath::Stages& stages)
    : sc_core::sc_module(name), converter_(converter), arithmetic_(arithmetic) {
  SC_HAS_PROCESS(ArrayEncoder);
  SC_METHOD(configure);
  sensitive << control;
  if (stages.edge == 0) {
    SC_METHOD(combinational);
    sensitive << tag << psum << configured_;
    dont_initialize();
    return;
  }
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void ArrayEncoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_.attach(tag);
}

void ArrayEncoder::configure() {
  const LayerControl& layer = control.read();
  encoder_.emplace(converter_, arithmetic_, layer.encoded, layer.mode(), layer.psum_lsb, layer.scale_q8);
  lanes_ = static_cast<std::size_t>(datapath::lanes(layer.mode()));
  configured_.notify(sc_core::SC_ZERO_TIME);
}

void ArrayEncoder::clocked() {
  const BundleTag& bundle = *tag_;
  if (!bundle.valid || !bundle.last_k || *reset_) return;
  words.write(encode());
}

void ArrayEncoder::combinational() {
  words.write(tag_->valid && tag_->last_k ? encode() : EncodedWords{});
}

EncodedWords ArrayEncoder::encode() const {
  const PsumWord& sums = psum.read();
  EncodedWords encoded;
  for (std::size_t lane = 0; lane < lanes_; ++lane) encoded.lane[lane] = (*encoder_)(sums.lane[lane]);
  return encoded;
}

}  // namespace lpa::hw

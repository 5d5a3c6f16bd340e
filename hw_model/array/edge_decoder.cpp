#include "hw_model/array/edge_decoder.h"

#include "hw_model/datapath/decoder.h"

namespace lpa::hw {

ActivationDecoder::ActivationDecoder(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
  SC_HAS_PROCESS(ActivationDecoder);
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void ActivationDecoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_.attach(tag);
  decoded_.attach(decoded);
}

void ActivationDecoder::clocked() {
  const BundleTag& bundle = *tag_;
  if (bundle.valid && !*reset_) {
    decoded_.write({datapath::decode_lane(word.read(), control.read().activation), true, bundle.swap});
    offered_ = true;
  } else if (offered_) {
    decoded_.write({});
    offered_ = false;
  }
}

WeightDecoder::WeightDecoder(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
  SC_HAS_PROCESS(WeightDecoder);
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void WeightDecoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_.attach(tag);
  decoded_.attach(decoded);
}

void WeightDecoder::clocked() {
  const WeightTag& row = *tag_;
  if (row.valid && !*reset_) {
    const datapath::WordFormat& format = control.read().weight;
    decoded_.write({datapath::decode(word.read(), format.n, format.es, format.rs), row});
    offered_ = true;
  } else if (offered_) {
    decoded_.write({});
    offered_ = false;
  }
}

}  // namespace lpa::hw

#include "hw_model/array/edge_decoder.h"

#include "hw_model/datapath/decoder.h"

namespace lpa::hw {

ActivationDecoder::ActivationDecoder(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
  SC_HAS_PROCESS(ActivationDecoder);
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void ActivationDecoder::clocked() {
  const BundleTag& bundle = tag.read();
  if (bundle.valid && !reset.read()) {
    decoded.write({datapath::decode_lane(word.read(), control.read().activation), true, bundle.swap});
    offered_ = true;
  } else if (offered_) {
    decoded.write({});
    offered_ = false;
  }
}

WeightDecoder::WeightDecoder(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
  SC_HAS_PROCESS(WeightDecoder);
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void WeightDecoder::clocked() {
  const WeightTag& row = tag.read();
  if (row.valid && !reset.read()) {
    const datapath::WordFormat& format = control.read().weight;
    decoded.write({datapath::decode(word.read(), format.n, format.es, format.rs), row});
    offered_ = true;
  } else if (offered_) {
    decoded.write({});
    offered_ = false;
  }
}

}  // namespace lpa::hw

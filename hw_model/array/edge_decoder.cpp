#include "hw_model/array/edge_decoder.h"

#include "hw_model/datapath/decoder.h"

namespace lpa::hw {

ActivationDecoder::ActivationDecoder(const sc_core::sc_module_name& name, const datapath::Stages& stages)
    : sc_core::sc_module(name) {
  SC_HAS_PROCESS(ActivationDecoder);
  if (stages.edge == 0) {
    SC_METHOD(combinational);
    sensitive << control << tag << word;
    return;
  }
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void ActivationDecoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_.attach(tag);
  decoded_.attach(decoded);
}

ActivationWire ActivationDecoder::decode() const {
  return {datapath::decode_lane(word.read(), control.read().activation), true, tag_->swap};
}

void ActivationDecoder::clocked() {
  if (tag_->valid && !*reset_) {
    decoded_.write(decode());
    offered_ = true;
  } else if (offered_) {
    decoded_.write({});
    offered_ = false;
  }
}

void ActivationDecoder::combinational() {
  decoded_.write(tag_->valid ? decode() : ActivationWire{});
}

WeightDecoder::WeightDecoder(const sc_core::sc_module_name& name, const datapath::Stages& stages)
    : sc_core::sc_module(name) {
  SC_HAS_PROCESS(WeightDecoder);
  if (stages.edge == 0) {
    SC_METHOD(combinational);
    sensitive << control << tag << word;
    return;
  }
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void WeightDecoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_.attach(tag);
  decoded_.attach(decoded);
}

WeightWire WeightDecoder::decode() const {
  const datapath::WordFormat& format = control.read().weight;
  return {datapath::decode(word.read(), format.n, format.es, format.rs), *tag_};
}

void WeightDecoder::clocked() {
  if (tag_->valid && !*reset_) {
    decoded_.write(decode());
    offered_ = true;
  } else if (offered_) {
    decoded_.write({});
    offered_ = false;
  }
}

void WeightDecoder::combinational() {
  decoded_.write(tag_->valid ? decode() : WeightWire{});
}

}  // namespace lpa::hw

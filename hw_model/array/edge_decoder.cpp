#include "hw_model/array/edge_decoder.h"

#include "hw_model/datapath/decoder.h"
#include "hw_model/datapath/linear.h"

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
  const LayerControl& layer = control.read();
  const datapath::WordFormat& format = layer.activation;
  const auto lane_of = [&](int input) {
    const auto word_of_input = static_cast<std::uint8_t>(word.read() >> (input * format.n));
    return format.family == formats::Family::lp ? datapath::decode_lane(word_of_input, format)
                                                : datapath::decode_linear(word_of_input, format);
  };
  ActivationWire wire{lane_of(0), true, tag_->swap};
  for (int i = 1; i < layer.inputs; ++i) wire.further[static_cast<std::size_t>(i - 1)] = lane_of(i);
  return wire;
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
  const LayerControl& layer = control.read();
  const datapath::WordFormat& format = layer.weight;
  const auto word_of = [&](int input) {
    const auto packed = static_cast<std::uint8_t>(word.read() >> (8 * input));
    return format.family == formats::Family::lp ? datapath::decode(packed, format.n, format.es, format.rs)
                                                : datapath::decode_linear_word(packed, format);
  };
  WeightWire wire{word_of(0), *tag_};
  for (int i = 1; i < layer.inputs; ++i) wire.further[static_cast<std::size_t>(i - 1)] = word_of(i);
  return wire;
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

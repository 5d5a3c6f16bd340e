#include "hw_model/array/array_encoder.h"

namespace lpa::hw {
namespace {

/// The first bundle of a tile that completes sums.
bool begins(const BundleTag& tag) {
  return tag.valid && tag.swap && tag.last_k;
}

}  // namespace

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
    SC_METHOD(take_scales);
    sensitive << clk.pos();
    dont_initialize();
    return;
  }
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void ArrayEncoder::end_of_elaboration() {
  reset_.attach(reset);
  tag_in_.attach(tag_in);
  tag_.attach(tag);
}

void ArrayEncoder::configure() {
  const LayerControl& layer = control.read();
  encoder_.emplace(converter_, arithmetic_, layer.encoded, layer.mode(), layer.psum_lsb, layer.scale_q8);
  lanes_ = static_cast<std::size_t>(datapath::lanes(layer.mode()));
  configured_.notify(sc_core::SC_ZERO_TIME);
}

void ArrayEncoder::clocked() {
  if (tag_->valid && tag_->last_k && !*reset_) words.write(encode());
  take_scales();
}

void ArrayEncoder::take_scales() {
  if (*reset_) {
    waiting_.clear();
    scale_ = {};
    return;
  }
  if (begins(*tag_) && !waiting_.empty()) {
    scale_ = waiting_.front();
    waiting_.pop_front();
  }
  if (begins(*tag_in_)) waiting_.push_back(scale.read());
}

void ArrayEncoder::combinational() {
  words.write(tag_->valid && tag_->last_k ? encode() : EncodedWords{});
}

EncodedWords ArrayEncoder::encode() const {
  const PsumWord& sums = psum.read();
  const ScaleWord& scales = begins(*tag_) && !waiting_.empty() ? waiting_.front() : scale_;
  EncodedWords encoded;
  for (std::size_t lane = 0; lane < lanes_; ++lane) {
    encoded.lane[lane] = (*encoder_)(sums.lane[lane], scales.lane[lane]);
  }
  return encoded;
}

}  // namespace lpa::hw

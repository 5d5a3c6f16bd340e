#include "hw_model/array/pe.h"

#include "hw_model/datapath/linear.h"

namespace lpa::hw {

Pe::Pe(const sc_core::sc_module_name& name, const datapath::LogLinearConverter& converter,
       const formats::Arithmetic& arithmetic, const datapath::Stages& stages, datapath::Multiplier multiplier)
    : sc_core::sc_module(name),
      converter_(converter),
      arithmetic_(arithmetic),
      multiplier_(multiplier),
      mul_register_(stages.pe == 2) {
  SC_HAS_PROCESS(Pe);
  SC_METHOD(configure);
  sensitive << control;
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void Pe::end_of_elaboration() {
  reset_.attach(reset);
  activation_.attach(activation_in);
  weight_.attach(weight_in);
  psum_.attach(psum_in);
  next_activation_.attach(activation_out);
  next_weight_.attach(weight_out);
  next_psum_.attach(psum_out);
}

void Pe::configure() {
  const LayerControl& layer = control.read();
  const bool significands = multiplier_ != datapath::Multiplier::logarithms;
  adder_.emplace(converter_, arithmetic_, layer.mode(), layer.psum_lsb, significands);
  lanes_ = static_cast<std::size_t>(datapath::lanes(layer.mode()));
  inputs_ = layer.inputs;
  weight_bits_ = layer.weight.n;
  activation_bits_ = layer.activation.n;
}

void Pe::clocked() {
  if (*reset_) {
    clear();
    return;
  }
  const ActivationWire& activation = *activation_;
  const WeightWire& weight = *weight_;
  if (product_valid_) add();
  if (activation.valid) {
    if (activation.swap) {
      for (std::size_t i = 0; i < inputs_; ++i) active_[i] = shadow_[i];
      if (weight.tag.valid) ++hazards_;
    }
    multiply(activation);
    if (!mul_register_) add();
  }
  product_valid_ = activation.valid && mul_register_;
  if (activation.valid || activation_offered_) next_activation_.write(activation);
  activation_offered_ = activation.valid;
  if (weight.tag.valid || weight_offered_) load(weight);
}

void Pe::clear() {
  product_valid_ = activation_offered_ = weight_offered_ = false;
  active_ = shadow_ = {};
  next_activation_.write({});
  next_weight_.write({});
}

void Pe::add() {
  const PsumWord& sum = *psum_;
  PsumWord& next = next_psum_.next();
  for (std::size_t lane = 0; lane < lanes_; ++lane) {
    formats::Psum result = adder_->add(sum.lane[lane], product_[0][lane], events_);
    for (std::size_t i = 1; i < inputs_; ++i) result = adder_->add(result, product_[i][lane], events_);
    // Member by member: the compiler would copy the struct by way of memory.
    next.lane[lane].value = result.value;
    next.lane[lane].exponent = result.exponent;
    next.lane[lane].nar = result.nar;
  }
  next_psum_.send();
}

void Pe::multiply(const ActivationWire& activation) {
  multiply(0, activation.lane);
  for (std::size_t i = 1; i < inputs_; ++i) multiply(i, activation.further[i - 1]);
}

void Pe::multiply(std::size_t input, const datapath::Lane& activation) {
  for (std::size_t lane = 0; lane < lanes_; ++lane) {
    const datapath::Lane& weight = active_[input].lane[lane];
    const datapath::Product result =
        multiplier_ == datapath::Multiplier::logarithms
            ? datapath::mul(weight, activation)
            : datapath::multiply(multiplier_, weight, weight_bits_, activation, activation_bits_);
    datapath::Product& product = product_[input][lane];
    product.r = result.r;
    product.u = result.u;
    product.negative = result.negative;
    product.zero = result.zero;
    product.nar = result.nar;
    active_products_ += static_cast<std::uint64_t>(!weight.zero && !activation.zero);
  }
}

void Pe::load(const WeightWire& weight) {
  if (weight.tag.valid) {
    shadow_[0] = weight.word;
    for (std::size_t i = 1; i < inputs_; ++i) shadow_[i] = weight.further[i - 1];
  }
  weight_offered_ = weight.tag.valid && weight.tag.hops > 0;
  if (weight_offered_) {
    next_weight_.write({weight.word, {true, static_cast<std::uint16_t>(weight.tag.hops - 1)}, weight.further});
  } else {
    next_weight_.write({});
  }
}

void Pe::trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const {
  using sc_core::sc_trace;
  sc_trace(file, activation_in, prefix + ".activation_in");
  sc_trace(file, weight_in, prefix + ".weight_in");
  sc_trace(file, psum_in, prefix + ".psum_in");
  sc_trace(file, psum_out, prefix + ".psum_out");
  if (mul_register_) sc_trace(file, product_valid_, prefix + ".product_valid");
  for (std::size_t lane = 0; lane < product_[0].size(); ++lane) {
    const std::string number = ".lane" + std::to_string(lane);
    hw::sc_trace(file, active_[0].lane[lane], prefix + ".active_weight" + number);
    hw::sc_trace(file, shadow_[0].lane[lane], prefix + ".shadow_weight" + number);
    if (!mul_register_) continue;
    const std::string product = prefix + ".product" + number;
    sc_trace(file, product_[0][lane].r, product + ".r");
    sc_trace(file, product_[0][lane].u, product + ".u");
    sc_trace(file, product_[0][lane].negative, product + ".negative");
    sc_trace(file, product_[0][lane].zero, product + ".zero");
    sc_trace(file, product_[0][lane].nar, product + ".nar");
  }
}

}  // namespace lpa::hw

#include "hw_model/array/systolic_array.h"

#include <algorithm>

namespace lpa::hw {
namespace {

std::size_t size(int count) {
  return static_cast<std::size_t>(count);
}

}  // namespace

SystolicArray::SystolicArray(const sc_core::sc_module_name& name, int rows, int columns,
                             const formats::Arithmetic& arithmetic, const datapath::Stages& stages,
                             datapath::Multiplier multiplier)
    : sc_core::sc_module(name),
      activation_in("activation_in", size(rows)),
      psum_in("psum_in", size(columns)),
      scale_in("scale_in", size(columns)),
      weight_in("weight_in", size(columns)),
      psum_out("psum_out", size(columns)),
      word_out("word_out", size(columns)),
      rows_(rows),
      columns_(columns),
      stages_(stages),
      log_linear_(arithmetic.converter, arithmetic.lf_bits),
      linear_log_(arithmetic.encoder_log_bits),
      decoded_activation_("decoded_activation", size(rows)),
      decoded_weight_("decoded_weight", size(columns)),
      activation_("activation", size(rows * (columns + 1))),
      weight_("weight", size((rows + 1) * columns)),
      psum_("psum", size((rows + 1) * columns)),
      tag_delay_("tag_delay", latency()) {
  activation_decoders_.init(size(rows),
                            [&stages](const char* n, std::size_t) { return new ActivationDecoder(n, stages); });
  weight_decoders_.init(size(columns), [&stages](const char* n, std::size_t) { return new WeightDecoder(n, stages); });
  activation_skew_.init(size(rows - 1), [](const char* n, std::size_t i) {
    return new SkewColumn<ActivationWire>(n, static_cast<int>(i) + 1);
  });
  weight_skew_.init(size(columns - 1), [](const char* n, std::size_t i) {
    return new SkewColumn<WeightWire>(n, static_cast<int>(i) + 1);
  });
  // The bundle's own register, c of skew and the MUL register's. Where all of these are left out, there is a wire.
  const int first_skewed = injection_depth(0) == 0 ? 1 : 0;
  psum_skew_.init(size(columns - first_skewed), [&](const char* n, std::size_t i) {
    return new SkewColumn<PsumWord>(n, injection_depth(first_skewed + static_cast<int>(i)));
  });
  deskew_.init(size(columns - 1), [columns](const char* n, std::size_t c) {
    return new SkewColumn<PsumWord>(n, columns - 1 - static_cast<int>(c));
  });
  pes_.init(size(rows * columns),
            [&](const char* n, std::size_t) { return new Pe(n, log_linear_, arithmetic, stages, multiplier); });
  encoders_.init(size(columns),
                 [&](const char* n, std::size_t) { return new ArrayEncoder(n, linear_log_, arithmetic, stages); });

  connect_pes();
  connect_west();
  connect_north();
  connect_south();

  SC_HAS_PROCESS(SystolicArray);
  if (stages.edge == 0) {
    SC_METHOD(word_tag_wire);
    sensitive << tag_out;
    return;
  }
  SC_METHOD(word_tag_register);
  sensitive << clk.pos();
  dont_initialize();
}

std::size_t SystolicArray::index(int row, int column) const {
  return size(row * columns_ + column);
}

std::size_t SystolicArray::west_of(int row, int column) const {
  return size(row * (columns_ + 1) + column);
}

template <class Module>
void SystolicArray::connect_clock(Module& module) {
  module.clk(clk);
  module.reset(reset);
}

void SystolicArray::connect_pes() {
  for (int r = 0; r < rows_; ++r) {
    for (int c = 0; c < columns_; ++c) {
      Pe& pe = pes_[index(r, c)];
      connect_clock(pe);
      pe.control(control);
      pe.activation_in(activation_[west_of(r, c)]);
      pe.activation_out(activation_[west_of(r, c + 1)]);
      pe.weight_in(weight_[index(r, c)]);
      pe.weight_out(weight_[index(r + 1, c)]);
      if (r == 0 && injection_depth(c) == 0) {
        pe.psum_in(psum_in[size(c)]);
      } else {
        pe.psum_in(psum_[index(r, c)]);
      }
      if (r == rows_ - 1 && c == columns_ - 1) {
        pe.psum_out(psum_out[size(c)]);  // The last column has no deskew registers.
      } else {
        pe.psum_out(psum_[index(r + 1, c)]);
      }
    }
  }
}

void SystolicArray::connect_west() {
  for (int r = 0; r < rows_; ++r) {
    ActivationDecoder& decoder = activation_decoders_[size(r)];
    connect_clock(decoder);
    decoder.control(control);
    decoder.tag(tag_in);
    decoder.word(activation_in[size(r)]);
    if (r == 0) {
      decoder.decoded(activation_[west_of(0, 0)]);
      continue;
    }
    decoder.decoded(decoded_activation_[size(r)]);
    SkewColumn<ActivationWire>& skew = activation_skew_[size(r - 1)];
    connect_clock(skew);
    skew.in(decoded_activation_[size(r)]);
    skew.out(activation_[west_of(r, 0)]);
  }
}

void SystolicArray::connect_north() {
  for (int c = 0; c < columns_; ++c) {
    WeightDecoder& decoder = weight_decoders_[size(c)];
    connect_clock(decoder);
    decoder.control(control);
    decoder.tag(weight_tag_in);
    decoder.word(weight_in[size(c)]);
    if (c == 0) {
      decoder.decoded(weight_[index(0, 0)]);
    } else {
      decoder.decoded(decoded_weight_[size(c)]);
      SkewColumn<WeightWire>& skew = weight_skew_[size(c - 1)];
      connect_clock(skew);
      skew.in(decoded_weight_[size(c)]);
      skew.out(weight_[index(0, c)]);
    }
    if (injection_depth(c) == 0) continue;
    SkewColumn<PsumWord>& injection = psum_skew_[psum_skew_.size() - size(columns_ - c)];
    connect_clock(injection);
    injection.in(psum_in[size(c)]);
    injection.out(psum_[index(0, c)]);
  }
}

void SystolicArray::connect_south() {
  connect_clock(tag_delay_);
  tag_delay_.in(tag_in);
  tag_delay_.out(tag_out);
  for (int c = 0; c < columns_; ++c) {
    if (c < columns_ - 1) {
      connect_clock(deskew_[size(c)]);
      deskew_[size(c)].in(psum_[index(rows_, c)]);
      deskew_[size(c)].out(psum_out[size(c)]);
    }
    ArrayEncoder& encoder = encoders_[size(c)];
    connect_clock(encoder);
    encoder.control(control);
    encoder.tag_in(tag_in);
    encoder.scale(scale_in[size(c)]);
    encoder.tag(tag_out);
    encoder.psum(psum_out[size(c)]);
    encoder.words(word_out[size(c)]);
  }
}

void SystolicArray::word_tag_register() {
  const BundleTag& tag = tag_out.read();
  const bool encoded = tag.valid && tag.last_k && !reset.read();
  if (encoded || word_offered_) word_tag_out.write(encoded ? tag : BundleTag{});
  word_offered_ = encoded;
}

void SystolicArray::word_tag_wire() {
  const BundleTag& tag = tag_out.read();
  word_tag_out.write(tag.valid && tag.last_k ? tag : BundleTag{});
}

std::uint64_t SystolicArray::saturations() const {
  std::uint64_t total = 0;
  for (const Pe& pe : pes_) total += pe.events().saturations;
  return total;
}

std::uint64_t SystolicArray::nar_products() const {
  std::uint64_t total = 0;
  for (const Pe& pe : pes_) total += pe.events().nar_products;
  return total;
}

std::uint64_t SystolicArray::active_products() const {
  std::uint64_t total = 0;
  for (const Pe& pe : pes_) total += pe.active_products();
  return total;
}

std::uint64_t SystolicArray::hazards() const {
  std::uint64_t total = 0;
  for (const Pe& pe : pes_) total += pe.hazards();
  return total;
}

bool SystolicArray::idle() const {
  // Bundles: the tag takes as long as the slowest word. Weights end in the rows that they are for.
  if (!tag_delay_.settled() || tag_out.read().valid || word_tag_out.read().valid) return false;
  for (const auto& skew : weight_skew_) {
    if (!skew.settled()) return false;
  }
  const auto valid = [](const WeightWire& weight) { return weight.tag.valid; };
  // Without a register stage, what the decoders drive are the input pins: of column 0 the first wire.
  const bool registered = stages_.edge > 0;
  if (registered && std::ranges::any_of(decoded_weight_.values(), valid)) return false;
  return std::none_of(weight_.values().begin() + (registered ? 0 : 1), weight_.values().end(), valid);
}

void SystolicArray::trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const {
  using sc_core::sc_trace;
  sc_trace(file, clk, prefix + ".clk");
  sc_trace(file, reset, prefix + ".reset");
  sc_trace(file, control, prefix + ".control");
  sc_trace(file, tag_in, prefix + ".tag_in");
  sc_trace(file, weight_tag_in, prefix + ".weight_tag_in");
  sc_trace(file, tag_out, prefix + ".tag_out");
  sc_trace(file, word_tag_out, prefix + ".word_tag_out");
  for (int r = 0; r < rows_; ++r) {
    const std::string row = prefix + ".row_" + std::to_string(r);
    sc_trace(file, activation_in[size(r)], row + ".activation_in");
    sc_trace(file, activation_decoders_[size(r)].decoded, row + ".decoder");
    for (int c = 0; c < columns_; ++c) pe(r, c).trace_pins(file, row + ".pe_" + std::to_string(c));
  }
  for (int c = 0; c < columns_; ++c) {
    const std::string column = prefix + ".column_" + std::to_string(c);
    sc_trace(file, weight_in[size(c)], column + ".weight_in");
    sc_trace(file, weight_decoders_[size(c)].decoded, column + ".decoder");
    sc_trace(file, psum_in[size(c)], column + ".psum_in");
    sc_trace(file, scale_in[size(c)], column + ".scale_in");
    sc_trace(file, psum_out[size(c)], column + ".psum_out");
    sc_trace(file, word_out[size(c)], column + ".encoder.word");
  }
}

}  // namespace lpa::hw

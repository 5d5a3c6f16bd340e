#include "hw_model/array/wires.h"

#include <ostream>

#include <systemc>

namespace lpa::hw {
namespace {

using sc_core::sc_trace;  // Of the built-in types; those of this room's types are found by their arguments.

void print(std::ostream& out, const datapath::WordFormat& format) {
  if (format.family != formats::Family::lp) out << formats::to_string(format.family) << ' ';
  out << int{format.n} << ',' << int{format.es} << ',' << int{format.rs}
      << (format.regime == formats::Regime::terminated ? ",terminated" : "");
}

void print(std::ostream& out, const datapath::Lane& lane) {
  if (lane.nar) {
    out << "nar";
  } else if (lane.zero) {
    out << '0';
  } else {
    out << (lane.negative ? '-' : '+') << "2^(" << lane.r << '+' << lane.u << "/64)";
  }
}

void trace(sc_core::sc_trace_file* file, const datapath::WordFormat& format, const std::string& name) {
  sc_trace(file, format.n, name + ".n");
  sc_trace(file, format.es, name + ".es");
  sc_trace(file, format.rs, name + ".rs");
}

std::string lane_name(const std::string& name, std::size_t lane) {
  return name + ".lane" + std::to_string(lane);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const LayerControl& value) {
  out << "w<";
  print(out, value.weight);
  out << "> a<";
  print(out, value.activation);
  out << "> out<";
  print(out, value.encoded);
  return out << "> lsb=" << value.psum_lsb << " scale_q8=" << value.scale_q8;
}

std::ostream& operator<<(std::ostream& out, const BundleTag& value) {
  if (!value.valid) return out << "none";
  return out << '#' << value.index << (value.swap ? " swap" : "") << (value.last_k ? " last_k" : "");
}

std::ostream& operator<<(std::ostream& out, const WeightTag& value) {
  return value.valid ? out << "hops=" << value.hops : out << "none";
}

std::ostream& operator<<(std::ostream& out, const PsumWord& value) {
  for (const formats::Psum& psum : value.lane) {
    if (psum.nar) {
      out << "[nar]";
    } else {
      out << '[' << psum.value << '@' << psum.exponent << ']';
    }
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const EncodedWords& value) {
  for (const std::uint8_t word : value.lane) out << '[' << int{word} << ']';
  return out;
}

std::ostream& operator<<(std::ostream& out, const ScaleWord& value) {
  for (const std::int16_t scale_q8 : value.lane) out << '[' << scale_q8 << ']';
  return out;
}

std::ostream& operator<<(std::ostream& out, const ActivationWire& value) {
  if (!value.valid) return out << "none";
  print(out, value.lane);
  return out << (value.swap ? " swap" : "");
}

std::ostream& operator<<(std::ostream& out, const WeightWire& value) {
  out << value.tag;
  for (const datapath::Lane& lane : value.word.lane) {
    out << ' ';
    print(out, lane);
  }
  return out;
}

void sc_trace(sc_core::sc_trace_file* file, const datapath::Lane& value, const std::string& name) {
  sc_trace(file, value.r, name + ".r");
  sc_trace(file, value.u, name + ".u");
  sc_trace(file, value.negative, name + ".negative");
  sc_trace(file, value.zero, name + ".zero");
  sc_trace(file, value.nar, name + ".nar");
}

void sc_trace(sc_core::sc_trace_file* file, const LayerControl& value, const std::string& name) {
  trace(file, value.weight, name + ".weight");
  trace(file, value.activation, name + ".activation");
  trace(file, value.encoded, name + ".encoded");
  sc_trace(file, value.psum_lsb, name + ".psum_lsb");
  sc_trace(file, value.scale_q8, name + ".scale_q8");
  sc_trace(file, value.inputs, name + ".inputs");
}

void sc_trace(sc_core::sc_trace_file* file, const BundleTag& value, const std::string& name) {
  sc_trace(file, value.valid, name + ".valid");
  sc_trace(file, value.swap, name + ".swap");
  sc_trace(file, value.last_k, name + ".last_k");
  sc_trace(file, value.index, name + ".index");
}

void sc_trace(sc_core::sc_trace_file* file, const WeightTag& value, const std::string& name) {
  sc_trace(file, value.valid, name + ".valid");
  sc_trace(file, value.hops, name + ".hops");
}

void sc_trace(sc_core::sc_trace_file* file, const PsumWord& value, const std::string& name) {
  for (std::size_t i = 0; i < value.lane.size(); ++i) {
    sc_trace(file, value.lane[i].value, lane_name(name, i) + ".value");
    sc_trace(file, value.lane[i].exponent, lane_name(name, i) + ".exponent");
    sc_trace(file, value.lane[i].nar, lane_name(name, i) + ".nar");
  }
}

void sc_trace(sc_core::sc_trace_file* file, const EncodedWords& value, const std::string& name) {
  for (std::size_t i = 0; i < value.lane.size(); ++i) sc_trace(file, value.lane[i], lane_name(name, i));
}

void sc_trace(sc_core::sc_trace_file* file, const ScaleWord& value, const std::string& name) {
  for (std::size_t i = 0; i < value.lane.size(); ++i) sc_trace(file, value.lane[i], lane_name(name, i));
}

void sc_trace(sc_core::sc_trace_file* file, const ActivationWire& value, const std::string& name) {
  sc_trace(file, value.lane, name);
  sc_trace(file, value.valid, name + ".valid");
  sc_trace(file, value.swap, name + ".swap");
}

void sc_trace(sc_core::sc_trace_file* file, const WeightWire& value, const std::string& name) {
  sc_trace(file, value.tag, name);
  for (std::size_t i = 0; i < value.word.lane.size(); ++i) sc_trace(file, value.word.lane[i], lane_name(name, i));
}

}  // namespace lpa::hw

// What travels on the array's signals. Every struct here is a value of an sc_signal: comparable, printable, traceable.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "hw_model/datapath/word.h"
#include "quant/formats/arithmetic.h"

namespace sc_core {
class sc_trace_file;
}

namespace lpa::hw {

/// The controller's wires to decoders, PEs and encoders: constant while anything of a layer is in the array.
struct LayerControl {
  datapath::WordFormat weight;      ///< weight.n is MODE.
  datapath::WordFormat activation;  ///< activation.n: width of an activation word.
  datapath::WordFormat encoded;     ///< Of the encoder's words.
  std::int16_t psum_lsb = 0;        ///< Exponent of a fixed partial sum's least bit.
  std::int32_t scale_q8 = 0;        ///< sf_weight + sf_activation - sf_encoded, in units of 2^-8.
  std::uint8_t inputs = 1;          ///< Activations, and weight words, that a PE takes at a time.

  int mode() const { return weight.n; }
  friend bool operator==(const LayerControl&, const LayerControl&) = default;
};

/// Goes with an input bundle through the array.
struct BundleTag {
  bool valid = false;
  bool swap = false;        ///< First bundle of a tile: every PE takes its weight from the shadow register.
  bool last_k = false;      ///< The sums are complete: encode them.
  std::uint32_t index = 0;  ///< The sender's; not looked at.
  friend bool operator==(const BundleTag&, const BundleTag&) = default;
};

/// Goes with a row of weights.
struct WeightTag {
  bool valid = false;
  std::uint16_t hops = 0;  ///< Rows that the word still has to pass: r for row r.
  friend bool operator==(const WeightTag&, const WeightTag&) = default;
};

/// The partial sums of a column; lanes that the mode does not use mean nothing.
struct PsumWord {
  std::array<formats::Psum, datapath::max_lanes> lane{};

  /// Without branches: most words differ somewhere.
  friend bool operator==(const PsumWord& a, const PsumWord& b) {
    std::uint32_t difference = 0;
    for (std::size_t i = 0; i < a.lane.size(); ++i) {
      difference |= static_cast<std::uint32_t>(a.lane[i].value ^ b.lane[i].value);
      difference |= static_cast<std::uint32_t>(a.lane[i].exponent ^ b.lane[i].exponent);
      difference |= static_cast<std::uint32_t>(a.lane[i].nar != b.lane[i].nar);
    }
    return difference == 0;
  }
};

/// The words of a column's lanes, right-aligned; lanes that the mode does not use are 0.
struct EncodedWords {
  std::array<std::uint8_t, datapath::max_lanes> lane{};
  friend bool operator==(const EncodedWords&, const EncodedWords&) = default;
};

/// What the encoder adds to its scale, by lane: the channels' own parts, units of 2^-8.
struct ScaleWord {
  std::array<std::int16_t, datapath::max_lanes> lane{};
  friend bool operator==(const ScaleWord&, const ScaleWord&) = default;
};

/// Inside the array: decoded activations on their way east. Those behind the layer's number of inputs mean nothing.
struct ActivationWire {
  datapath::Lane lane;  ///< Of the first input.
  bool valid = false;
  bool swap = false;
  std::array<datapath::Lane, datapath::max_inputs - 1> further{};  ///< Of the others, where PEs take several.
  friend bool operator==(const ActivationWire&, const ActivationWire&) = default;
};

/// Inside the array: decoded weight words on their way south. Those behind the layer's number of inputs mean nothing.
struct WeightWire {
  datapath::DecodedWord word;  ///< For the first input.
  WeightTag tag;
  std::array<datapath::DecodedWord, datapath::max_inputs - 1> further{};  ///< For the others.
  friend bool operator==(const WeightWire&, const WeightWire&) = default;
};

std::ostream& operator<<(std::ostream& out, const LayerControl& value);
std::ostream& operator<<(std::ostream& out, const BundleTag& value);
std::ostream& operator<<(std::ostream& out, const WeightTag& value);
std::ostream& operator<<(std::ostream& out, const PsumWord& value);
std::ostream& operator<<(std::ostream& out, const EncodedWords& value);
std::ostream& operator<<(std::ostream& out, const ScaleWord& value);
std::ostream& operator<<(std::ostream& out, const ActivationWire& value);
std::ostream& operator<<(std::ostream& out, const WeightWire& value);

void sc_trace(sc_core::sc_trace_file* file, const datapath::Lane& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const LayerControl& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const BundleTag& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const WeightTag& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const PsumWord& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const EncodedWords& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const ScaleWord& value, const std::string& name);
// Of inputs and words, the first one.
void sc_trace(sc_core::sc_trace_file* file, const ActivationWire& value, const std::string& name);
void sc_trace(sc_core::sc_trace_file* file, const WeightWire& value, const std::string& name);

}  // namespace lpa::hw

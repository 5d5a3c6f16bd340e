// What the post-processing unit computes on words: no SystemC, bit-exact.
#pragma once

#include <cstdint>
#include <map>

#include "hw_model/control/descriptor.h"
#include "hw_model/datapath/converters.h"
#include "hw_model/datapath/encoder.h"
#include "hw_model/datapath/mac.h"

namespace lpa::hw {

/// A number format as the datapath's wires see it.
datapath::WordFormat to_word_format(const FormatFields& format);

/// The unit's operators for one layer. The adder works on real values: an operand's logarithm is 2^es*k + ulfx - sf.
class PpuDatapath {
 public:
  PpuDatapath(const formats::Arithmetic& arithmetic, const Descriptor& descriptor);
  PpuDatapath(const PpuDatapath&) = delete;  // The stages point at the converters.
  PpuDatapath& operator=(const PpuDatapath&) = delete;

  /// Sum of two words of different formats, as a word of the output format.
  std::uint8_t add(std::uint8_t a, const FormatFields& a_format, std::uint8_t b, const FormatFields& b_format);

  /// Negative becomes zero; NaR stays.
  std::uint8_t relu(std::uint8_t word) const;

  /// The larger of two words of the input format in two's complement order; NaR wins.
  std::uint8_t max(std::uint8_t a, std::uint8_t b) const;

  /// Running sum of an average pool over words of the input format, and its quotient by `count` as an output word:
  /// the encoder subtracts log2(count), rounded to 2^-8.
  formats::Psum accumulate(const formats::Psum& sum, std::uint8_t word);
  std::uint8_t average(const formats::Psum& sum, int count);

  const formats::AccumulateEvents& events() const { return events_; }

 private:
  formats::Psum accumulate(const formats::Psum& sum, std::uint8_t word, const FormatFields& format);
  const datapath::Encoder& encoder(int count);

  formats::Arithmetic arithmetic_;
  FormatFields input_, output_;
  datapath::LogLinearConverter to_linear_;
  datapath::LinearLogConverter to_log_;
  datapath::AddStage adder_;
  std::map<int, datapath::Encoder> encoders_;  ///< By the count they divide by.
  formats::AccumulateEvents events_;
};

}  // namespace lpa::hw

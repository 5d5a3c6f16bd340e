// What the post-processing unit computes on single words and on windows of them: no SystemC, bit-exact.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/datapath/encoder.h"
#include "hw_model/datapath/mac.h"
#include "hw_model/ppu/ppu_operand.h"

namespace lpa::hw {

/// The unit's operators for one layer. The adder works on real values: an operand's logarithm is 2^es*k + ulfx - sf.
class PpuDatapath {
 public:
  /// The converters must outlive it.
  PpuDatapath(const PpuConverters& converters, const formats::Arithmetic& arithmetic, const Descriptor& descriptor);

  /// Sum of a word and a residual (of the `addend` format) as a word of the output format. The word is of the `encoded`
  /// format in a product, otherwise of the input's.
  std::uint8_t add(std::uint8_t word, std::uint8_t residual);

  /// Negative becomes zero; NaR stays.
  std::uint8_t relu(std::uint8_t word) const;

  /// The larger of two words of the input format; NaR wins.
  std::uint8_t max(std::uint8_t a, std::uint8_t b) const;

  /// Running sum of an average pool over words of the input format, and its quotient by `count` as an output word:
  /// the encoder subtracts log2(count), rounded to 2^-8.
  formats::Psum accumulate(const formats::Psum& sum, std::uint8_t word);
  std::uint8_t average(const formats::Psum& sum, int count);

  const formats::AccumulateEvents& events() const { return events_; }

 private:
  /// What add() makes of a pair of words.
  struct Sum {
    bool known = false;
    std::uint8_t word = 0;
    std::uint8_t saturations = 0, nars = 0;
  };
  Sum add_pair(std::uint8_t word, std::uint8_t residual);
  formats::Psum accumulate(const formats::Psum& sum, const PpuOperand& operand);
  const datapath::Encoder& encoder(int count);

  const PpuConverters& converters_;
  const formats::Arithmetic& arithmetic_;
  FormatFields input_, output_;
  PpuDecoder word_decoder_, residual_decoder_;  ///< Only of layers that add or average.
  datapath::AddStage adder_;
  std::map<int, datapath::Encoder> encoders_;  ///< By the count they divide by.
  const datapath::Encoder* undivided_ = nullptr;
  std::vector<Sum> sums_;  ///< Of layers that add: by word and residual, each worked out when it is first met.
  formats::AccumulateEvents events_;
};

}  // namespace lpa::hw

// Softmax and layer normalisation over the words of a position (hw_model/README.md, "Post-processing"): no SystemC,
// bit-exact.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/datapath/encoder.h"
#include "hw_model/datapath/mac.h"
#include "hw_model/ppu/ppu_operand.h"

namespace lpa::hw {

/// The unit's operators on rows for one layer.
class RowDatapath {
 public:
  /// `parameters`: of a layer normalisation, norm_term_bytes a channel. The converters must outlive it.
  RowDatapath(const PpuConverters& converters, const formats::Arithmetic& arithmetic, const Descriptor& descriptor,
              std::span<const std::uint8_t> parameters);

  /// Words of the input format to words of the output format, as many as the layer has channels.
  void operator()(std::span<const std::uint8_t> row, std::span<std::uint8_t> result);

  const formats::AccumulateEvents& events() const { return events_; }

 private:
  /// A real number in the log domain.
  struct LogNumber {
    std::int32_t log = 0;  ///< Units of 2^-8.
    bool negative = false;
    bool zero = true;
  };
  struct NormTerm {
    LogNumber scale, shift;
  };
  static LogNumber read_number(const std::uint8_t* bytes);

  void softmax(std::span<const std::uint8_t> row, std::span<std::uint8_t> result) const;
  std::int32_t in_octaves(const PpuOperand& operand) const;
  void normalise(std::span<const std::uint8_t> row, std::span<std::uint8_t> result);
  formats::Psum add(const formats::Psum& sum, const LogNumber& number);
  LogNumber to_log(const formats::Psum& sum) const;
  LogNumber deviation(const PpuOperand& operand, const LogNumber& negative_mean);

  const PpuConverters& converters_;
  bool normalises_;
  std::uint8_t nar_word_;
  PpuDecoder decoder_;
  std::vector<std::int32_t> octaves_;  ///< softmax: x / ln 2 of every word, units of 2^-8.
  std::vector<NormTerm> terms_;
  std::int32_t log_count_ = 0;  ///< log2 of the number of channels.
  std::int64_t epsilon_;
  datapath::AddStage adder_;
  datapath::Encoder encoder_;
  formats::AccumulateEvents events_;
};

}  // namespace lpa::hw

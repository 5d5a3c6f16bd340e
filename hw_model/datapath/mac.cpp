#include "hw_model/datapath/mac.h"

#include <algorithm>

namespace lpa::datapath {

AddStage::AddStage(const LogLinearConverter& converter, formats::PsumKind kind, int fraction_bits, int total_bits,
                   int lsb)
    : lf_(converter.gates()),
      fixed_(kind == formats::PsumKind::fixed),
      lsb_(lsb),
      lf_up_(std::max(0, fraction_bits - converter.lf_bits())),
      lf_down_(std::max(0, converter.lf_bits() - fraction_bits)),
      fixed_point_(converter.lf_bits() + lsb),
      max_((std::int64_t{1} << (total_bits - 1)) - 1) {}

AddStage::AddStage(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic, int mode, int lsb,
                   bool significands)
    : AddStage(converter, arithmetic.psum, arithmetic.widths(mode).fraction_bits,
               arithmetic.psum == formats::PsumKind::fixed
                   ? arithmetic.fixed_bits
                   : arithmetic.widths(mode).integer_bits + arithmetic.widths(mode).fraction_bits,
               lsb) {
  significands_ = significands;
}

AddStage AddStage::for_ppu(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic) {
  return {converter, formats::PsumKind::aligned, arithmetic.ppu.fraction_bits,
          arithmetic.ppu.integer_bits + arithmetic.ppu.fraction_bits, 0};
}

}  // namespace lpa::datapath

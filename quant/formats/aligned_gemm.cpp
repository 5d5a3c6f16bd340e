#include "quant/formats/aligned_gemm.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "quant/formats/aligned_gemm_kernel.h"
#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

constexpr int packed_shift = 8;
constexpr int significand_mask = 127;

BatchParameters make_parameters(const Arithmetic& arithmetic, const Accumulator& scalar, int lsb) {
  BatchParameters p;
  p.aligned = arithmetic.psum == PsumKind::aligned;
  p.vectorised = arithmetic.lf_bits <= 15;  // Table entries of 16 bits, 1.f included.
  p.total_bits = scalar.total_bits();
  const int below = p.aligned ? std::max(0, arithmetic.lf_bits - scalar.fraction_bits()) : 0;
  for (std::size_t i = 0; i < p.lf.size(); ++i) {
    p.lf[i] = scalar.lf_table()[i << (8 - log_fraction_bits)] >> below;
  }
  if (p.aligned) {
    p.place = std::max(0, scalar.fraction_bits() - arithmetic.lf_bits);
    p.largest_product = std::int64_t{*std::max_element(p.lf.begin(), p.lf.end())} << p.place;
    p.vectorised = p.vectorised && p.largest_product <= std::numeric_limits<std::int32_t>::max();
  } else {
    p.unit = arithmetic.lf_bits + lsb;
    p.largest_left_shift = 31 - (arithmetic.lf_bits + 2);  // 1.f may round up to 2.
  }
  return p;
}

}  // namespace

PackedOperand pack(const Operand& operand) {
  if (operand.nar) return packed_nar;
  if (operand.zero) return packed_zero;
  return operand.log * (1 << packed_shift) + (operand.significand - 1) * 2 + (operand.negative ? 1 : 0);
}

Operand unpack(PackedOperand packed) {
  if (packed == packed_nar) return {.log = 0, .negative = false, .zero = false, .nar = true};
  if (packed == packed_zero) return {};
  return {.log = static_cast<std::int16_t>(packed >> packed_shift),
          .negative = (packed & 1) != 0,
          .zero = false,
          .nar = false,
          .significand = static_cast<std::uint8_t>((packed >> 1 & significand_mask) + 1)};
}

std::array<PackedOperand, 256> pack_words(const TensorFormat& format) {
  std::array<PackedOperand, 256> packed;
  packed.fill(packed_zero);
  for (int word = 0; word < format.word_count(); ++word) {
    packed.at(static_cast<std::size_t>(word)) = pack(to_operand(format, static_cast<Word>(word)));
  }
  return packed;
}

OperandPanel::OperandPanel(std::size_t depth, std::size_t positions)
    : depth_(depth),
      positions_(positions),
      stride_((positions + row_multiple - 1) / row_multiple * row_multiple),
      data_(depth * stride_, packed_zero) {}

BatchAccumulator::BatchAccumulator(const Arithmetic& arithmetic, int weight_bits, int lsb, bool linear)
    : scalar_(arithmetic, weight_bits, lsb), parameters_(make_parameters(arithmetic, scalar_, lsb)) {
  parameters_.vectorised = parameters_.vectorised && !linear;
}

void BatchAccumulator::mac_row(std::span<Psum> psums, std::span<const PackedOperand> row, const OperandPanel& panel,
                               AccumulateEvents* events) const {
  if (psums.size() != panel.positions() || row.size() != panel.depth()) {
    throw FormatError(fmt::format("mac_row: {} sums and {} operands do not fit a panel of {} positions and depth {}",
                                  psums.size(), row.size(), panel.positions(), panel.depth()));
  }
  mac_lanes(psums, row.size(), row.data(), panel.depth() == 0 ? nullptr : panel.row(0).data(), panel.stride(), events);
}

void BatchAccumulator::mac_lanes(std::span<Psum> psums, std::size_t depth, const PackedOperand* row,
                                 const PackedOperand* lanes, std::size_t stride, AccumulateEvents* events) const {
  if (depth == 0) return;
  PsumBlock block;
  for (std::size_t first = 0; first < psums.size(); first += PsumBlock::size) {
    const auto sums = psums.subspan(first, std::min(PsumBlock::size, psums.size() - first));
    bool scalar = !parameters_.vectorised;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      block.value[i] = sums[i].value;
      block.exponent[i] = sums[i].exponent;
      scalar = scalar || sums[i].nar;
    }
    std::fill(block.value + sums.size(), std::end(block.value), 0);
    std::fill(block.exponent + sums.size(), std::end(block.exponent), Psum::no_exponent);

    const LaneOperands operands = {row, lanes + first, stride, depth, sums.size()};
    std::uint64_t saturations = 0;
    if (scalar || !accumulate_block(parameters_, operands, block, saturations)) {
      for (std::size_t k = 0; k < depth; ++k) {
        const Operand shared = unpack(row[k]);
        for (std::size_t i = 0; i < sums.size(); ++i) {
          sums[i] = scalar_.mac(sums[i], shared, unpack(operands.lanes[k * stride + i]), events);
        }
      }
      continue;
    }
    if (events != nullptr) events->saturations += saturations;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i].value = block.value[i];
      if (parameters_.aligned) sums[i].exponent = static_cast<std::int16_t>(block.exponent[i]);
    }
  }
}

}  // namespace lpa::formats

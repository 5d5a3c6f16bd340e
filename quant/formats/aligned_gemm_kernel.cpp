#include "quant/formats/aligned_gemm_kernel.h"

#include <algorithm>
#include <cstdlib>

// Highway compiles what follows once per instruction set and chooses at run time. The 128-bit sets would gain little.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/formats/aligned_gemm_kernel.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3
#include <hwy/foreach_target.h>  // IWYU pragma: keep
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lpa::formats::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::int32_t, 16>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

/// Above the exponent of any product of reals and of any bias.
constexpr std::int32_t nar_exponent = 2000;
constexpr int log_bits = log_fraction_bits;  // Of the sum of two packed operands: sign count, fraction, exponent.
constexpr int sign_bits = 8;
constexpr int exponent_shift = sign_bits + log_bits;

/// 2^(i/64) for the index in bits sign_bits and up of the packed product.
class LfTable {
 public:
  explicit LfTable(const std::array<std::int32_t, 64>& lf) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    alignas(64) std::uint16_t entries[64];
    for (std::size_t i = 0; i < 64; ++i) entries[i] = static_cast<std::uint16_t>(lf[i]);
    low_ = _mm512_load_si512(entries);
    high_ = _mm512_load_si512(entries + 32);
#else
    lf_ = lf.data();
#endif
  }

  HWY_INLINE V operator()(D d, V product) const {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    // 64 entries of 16 bits in two registers; the lookup of each lane's upper half is masked away.
    (void)d;
    return V{_mm512_maskz_permutex2var_epi16(0x55555555u, low_, hn::ShiftRight<sign_bits>(product).raw, high_)};
#else
    return hn::GatherIndex(d, lf_, hn::And(hn::ShiftRight<sign_bits>(product), hn::Set(d, 63)));
#endif
  }

 private:
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  __m512i low_;
  __m512i high_;
#else
  const std::int32_t* lf_;
#endif
};

enum class Overflow {
  impossible,  ///< Proved from the number of products.
  clamp,       ///< Sums are narrower than 32 bits.
  wrap,        ///< Sums are 32 bits wide: an addition that overflows has the wrong sign.
};

/// What limits it: the sums depend on their order, so a step needs the sum of the step before, and about 12
/// instructions for 16 products: each is looked up, aligned to its sum's exponent by a shift of its own, and tested for
/// a larger one.
template <bool aligned, Overflow overflow>
struct Kernel {
  D d;
  LfTable lf;
  int place;
  V unit, largest_left_shift, lowest, highest;
  std::uint64_t saturations = 0;

  explicit Kernel(const BatchParameters& p) : lf(p.lf), place(p.place) {
    unit = hn::Set(d, p.unit);
    largest_left_shift = hn::Set(d, p.largest_left_shift);
    const auto limit = static_cast<std::int32_t>((std::int64_t{1} << (p.total_bits - 1)) - 1);
    highest = hn::Set(d, limit);
    lowest = hn::Set(d, -limit - 1);
  }

  /// The psum takes larger exponents: its magnitude is shifted right.
  HWY_NOINLINE bool raise_exponent(V product_exponent, V& value, V& exponent) const {
    const V kept = hn::Max(product_exponent, exponent);
    if (!hn::AllFalse(d, hn::Gt(kept, hn::Set(d, nar_exponent)))) return false;
    const hn::RebindToUnsigned<D> du;
    const V shift = hn::Sub(kept, exponent);
    const auto magnitude = hn::BitCast(du, hn::Abs(value));
    const V shifted = hn::BitCast(d, hn::Shr(magnitude, hn::BitCast(du, hn::Min(shift, hn::Set(d, 31)))));
    const V fitting = hn::IfThenElseZero(hn::Lt(shift, hn::Set(d, 32)), shifted);
    value = hn::IfThenElse(hn::Lt(value, hn::Zero(d)), hn::Neg(fitting), fitting);
    exponent = kept;
    return true;
  }

  /// By at least 0 bits; value >= 0.
  static HWY_INLINE V shift_right(V value, V bits) {
#if HWY_TARGET == HWY_AVX3
    return V{_mm512_srlv_epi32(value.raw, bits.raw)};  // More than 31 bits give 0, as they should.
#else
    return hn::Shr(value, hn::Min(bits, hn::Set(D{}, 31)));
#endif
  }

  /// One product per lane. False if one is not for this kernel.
  HWY_INLINE bool step(V activation, V weight, V& value, V& exponent) {
    const V product = hn::Add(activation, weight);
    const V product_exponent = hn::ShiftRight<exponent_shift>(product);
    V magnitude = lf(d, product);
    if constexpr (aligned) {
      if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(product_exponent, exponent)))) {
        if (!raise_exponent(product_exponent, value, exponent)) return false;
      }
      magnitude = shift_right(hn::ShiftLeftSame(magnitude, place), hn::Sub(exponent, product_exponent));
    } else {
      const V shift = hn::Sub(product_exponent, unit);
      if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(shift, largest_left_shift)))) return false;
      const V left = hn::Max(shift, hn::Zero(d));
      magnitude = shift_right(hn::Shl(magnitude, left), hn::Sub(left, shift));
    }
    const M negative = hn::TestBit(product, hn::Set(d, 1));
    const V addend = hn::IfThenElse(negative, hn::Neg(magnitude), magnitude);
    const V sum = hn::Add(value, addend);
    if constexpr (overflow == Overflow::impossible) {
      value = sum;
    } else if constexpr (overflow == Overflow::clamp) {
      value = hn::Min(hn::Max(sum, lowest), highest);
      count(hn::Ne(value, sum));
    } else {
      // An overflow is a sum whose sign differs from the signs of both terms.
      const M wrong = hn::Lt(hn::And(hn::Xor(value, sum), hn::Xor(addend, sum)), hn::Zero(d));
      value = sum;
      if (count(wrong)) value = hn::IfThenElse(wrong, hn::IfThenElse(negative, lowest, highest), sum);
    }
    return true;
  }

  HWY_INLINE bool count(M saturated) {
    if (HWY_LIKELY(hn::AllFalse(d, saturated))) return false;
    saturations += hn::CountTrue(d, saturated);
    return true;
  }

  /// Four vectors at a time: named variables, because arrays of vectors would live in memory.
  bool run4(const LaneOperands& operands, const PackedOperand* panel, std::int32_t* values, std::int32_t* exponents) {
    const std::size_t lanes = hn::Lanes(d);
    V v0 = hn::Load(d, values), v1 = hn::Load(d, values + lanes);
    V v2 = hn::Load(d, values + 2 * lanes), v3 = hn::Load(d, values + 3 * lanes);
    V e0 = hn::Load(d, exponents), e1 = hn::Load(d, exponents + lanes);
    V e2 = hn::Load(d, exponents + 2 * lanes), e3 = hn::Load(d, exponents + 3 * lanes);
    for (std::size_t k = 0; k < operands.depth; ++k, panel += operands.stride) {
      const V weight = hn::Set(d, operands.row[k]);
      if (!step(hn::LoadU(d, panel), weight, v0, e0) || !step(hn::LoadU(d, panel + lanes), weight, v1, e1) ||
          !step(hn::LoadU(d, panel + 2 * lanes), weight, v2, e2) ||
          !step(hn::LoadU(d, panel + 3 * lanes), weight, v3, e3)) {
        return false;
      }
    }
    hn::Store(v0, d, values), hn::Store(v1, d, values + lanes);
    hn::Store(v2, d, values + 2 * lanes), hn::Store(v3, d, values + 3 * lanes);
    hn::Store(e0, d, exponents), hn::Store(e1, d, exponents + lanes);
    hn::Store(e2, d, exponents + 2 * lanes), hn::Store(e3, d, exponents + 3 * lanes);
    return true;
  }

  bool run1(const LaneOperands& operands, const PackedOperand* panel, std::int32_t* values, std::int32_t* exponents) {
    V value = hn::Load(d, values);
    V exponent = hn::Load(d, exponents);
    for (std::size_t k = 0; k < operands.depth; ++k, panel += operands.stride) {
      if (!step(hn::LoadU(d, panel), hn::Set(d, operands.row[k]), value, exponent)) return false;
    }
    hn::Store(value, d, values);
    hn::Store(exponent, d, exponents);
    return true;
  }

  bool run(const LaneOperands& operands, PsumBlock& block) {
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t first = 0; first < operands.count;) {
      const bool four = operands.count - first > 3 * lanes;
      std::int32_t* const values = block.value + first;
      std::int32_t* const exponents = block.exponent + first;
      const PackedOperand* const panel = operands.lanes + first;
      const bool done = four ? run4(operands, panel, values, exponents) : run1(operands, panel, values, exponents);
      if (!done) return false;
      first += four ? 4 * lanes : lanes;
    }
    return true;
  }
};

template <bool aligned, Overflow overflow>
bool run_kernel(const BatchParameters& parameters, const LaneOperands& operands, PsumBlock& block,
                std::uint64_t& saturations) {
  Kernel<aligned, overflow> kernel(parameters);
  const bool done = kernel.run(operands, block);
  saturations = kernel.saturations;
  return done;
}

bool accumulate(const BatchParameters& parameters, const LaneOperands& operands, PsumBlock& block,
                bool overflow_impossible, std::uint64_t& saturations) {
  const auto run = [&](auto kernel) { return kernel(parameters, operands, block, saturations); };
  const bool wrap = parameters.total_bits == 32;
  if (!parameters.aligned) return run(wrap ? run_kernel<false, Overflow::wrap> : run_kernel<false, Overflow::clamp>);
  if (overflow_impossible) return run(run_kernel<true, Overflow::impossible>);
  return run(wrap ? run_kernel<true, Overflow::wrap> : run_kernel<true, Overflow::clamp>);
}

}  // namespace lpa::formats::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lpa::formats {

HWY_EXPORT(accumulate);

bool accumulate_block(const BatchParameters& parameters, const LaneOperands& operands, PsumBlock& block,
                      std::uint64_t& saturations) {
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < operands.count; ++i) {
    largest = std::max(largest, std::abs(std::int64_t{block.value[i]}));
  }
  const std::int64_t limit = (std::int64_t{1} << (parameters.total_bits - 1)) - 1;
  const auto depth = static_cast<std::int64_t>(operands.depth);
  const bool impossible = largest + depth * parameters.largest_product <= limit;
  return HWY_DYNAMIC_DISPATCH(accumulate)(parameters, operands, block, impossible, saturations);
}

}  // namespace lpa::formats
#endif

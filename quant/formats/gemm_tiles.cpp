#include "quant/formats/gemm_tiles.h"

#include <algorithm>
#include <utility>

// Highway compiles what follows once per instruction set and chooses at run time.
#define HWY_WANT_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/formats/gemm_tiles.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lpa::formats::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::int32_t, 16>;
using DF = hn::CappedTag<float, 16>;
using DU = hn::CappedTag<std::uint32_t, 16>;
using V = hn::Vec<D>;
using VF = hn::Vec<DF>;
constexpr D d;
constexpr DF df;
constexpr DU du;
constexpr std::size_t lanes = HWY_TARGET == HWY_AVX2 ? 8 : 16;

template <std::size_t n>
using Indices = std::make_index_sequence<n>;

template <class T>
HWY_INLINE T load_as(const std::uint8_t* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

/// How many chunks from `chunk` on can be added to sums of at most `largest` without any saturation.
HWY_INLINE std::size_t safe_chunks(const GemmTile& tile, std::size_t chunk, std::uint32_t largest) {
  std::int64_t left = std::int64_t{tile.limit} - largest;
  std::size_t count = 0;
  while (chunk + count < tile.bounds.size() && (left -= tile.bounds[chunk + count]) >= 0) ++count;
  return count;
}

/// Runs a kernel over all chunks: `steps` adds rows to its sums. A kernel is a struct of vectors, always used with
/// constant indices, so that it lives in registers.
template <class Kernel>
bool run_tile(const GemmTile& tile) {
  Kernel kernel;
  kernel.start(tile);
  const std::size_t rows_per_chunk = gemm_chunk / Kernel::steps_per_row;
  std::size_t row = 0;
  for (std::size_t chunk = 0; chunk < tile.bounds.size();) {
    const std::size_t safe = safe_chunks(tile, chunk, kernel.largest());
    if (safe == 0) return false;
    const std::size_t end = std::min(tile.rows, (chunk + safe) * rows_per_chunk);
    kernel.add(tile, row, end);
    row = end;
    chunk += safe;
  }
  kernel.store(tile);
  return true;
}

/// Sums [b][v]: `count_b` lanes of one operand, each broadcast, times `count_v` vectors of the other.
template <std::size_t count_v, std::size_t count_b, bool channels_in_vectors>
struct Sums {
  static constexpr std::size_t size = count_v * count_b;
  static constexpr std::size_t vector_lanes = count_v * lanes;
  static constexpr std::size_t positions = channels_in_vectors ? count_b : vector_lanes;
  static constexpr std::size_t channels = channels_in_vectors ? vector_lanes : count_b;
  V sum[size];

  template <std::size_t... i>
  HWY_INLINE void start(const std::int32_t* from, std::index_sequence<i...>) {
    if constexpr (channels_in_vectors) {
      ((sum[i] = hn::LoadU(d, from + (i % count_v) * lanes)), ...);
    } else {
      ((sum[i] = hn::Set(d, from[i / count_v])), ...);
    }
  }
  template <std::size_t... i>
  HWY_INLINE void store(std::int32_t* to, std::index_sequence<i...>) const {
    (hn::StoreU(sum[i], d, to + (i / count_v) * vector_lanes + (i % count_v) * lanes), ...);
  }
  template <std::size_t... i>
  HWY_INLINE std::uint32_t largest(std::index_sequence<i...>) const {
    auto most = hn::Zero(du);
    ((most = hn::Max(most, hn::BitCast(du, hn::Abs(sum[i])))), ...);
    return hn::GetLane(hn::MaxOfLanes(du, most));
  }
};

template <std::size_t count_v, std::size_t count_b, bool channels_in_vectors>
struct FloatKernel {
  using Tile = Sums<count_v, count_b, channels_in_vectors>;
  static constexpr std::size_t steps_per_row = 1;
  static constexpr auto all = Indices<Tile::size>{};
  Tile sums;

  HWY_INLINE void start(const GemmTile& tile) { sums.start(tile.start, all); }
  HWY_INLINE void store(const GemmTile& tile) const { sums.store(tile.sums, all); }
  HWY_INLINE std::uint32_t largest() const { return sums.largest(all); }

  static HWY_INLINE V product(VF a, VF b, V rounding, V mask) {
    const V rounded = hn::And(hn::Add(hn::BitCast(d, hn::Mul(a, b)), rounding), mask);
#if HWY_TARGET == HWY_AVX2
    return V{_mm256_cvttps_epi32(hn::BitCast(df, rounded).raw)};
#else
    return V{_mm512_cvttps_epi32(hn::BitCast(df, rounded).raw)};
#endif
  }

  template <std::size_t... v>
  HWY_INLINE void load(VF* to, const float* from, std::index_sequence<v...>) {
    ((to[v] = hn::LoadU(df, from + v * lanes)), ...);
  }
  template <std::size_t b, std::size_t... v>
  HWY_INLINE void row(const VF* vectors, VF factor, V rounding, V mask, std::index_sequence<v...>) {
    ((sums.sum[b * count_v + v] = hn::Add(sums.sum[b * count_v + v], product(vectors[v], factor, rounding, mask))),
     ...);
  }
  template <std::size_t... b>
  HWY_INLINE void rows(const VF* vectors, const float* factors, V rounding, V mask, std::index_sequence<b...>) {
    (row<b>(vectors, hn::Set(df, factors[b]), rounding, mask, Indices<count_v>{}), ...);
  }

  HWY_INLINE void add(const GemmTile& tile, std::size_t first, std::size_t end) {
    const V rounding = hn::Set(d, static_cast<std::int32_t>(tile.rounding));
    const V mask = hn::Set(d, static_cast<std::int32_t>(tile.mask));
    const std::uint8_t* panel = tile.panel + first * tile.panel_row;
    const std::uint8_t* weights = tile.weights + first * tile.weights_row;
    for (std::size_t k = first; k < end; ++k, panel += tile.panel_row, weights += tile.weights_row) {
      const auto* vector_side = reinterpret_cast<const float*>(channels_in_vectors ? weights : panel);
      const auto* factor_side = reinterpret_cast<const float*>(channels_in_vectors ? panel : weights);
      VF vectors[count_v];
      load(vectors, vector_side, Indices<count_v>{});
      rows(vectors, factor_side, rounding, mask, Indices<count_b>{});
    }
  }
};

/// `count_b` positions times `count_v` vectors of channels: each activation has a row of products.
template <std::size_t count_v, std::size_t count_b>
struct TableKernel {
  using Tile = Sums<count_v, count_b, true>;
  static constexpr std::size_t steps_per_row = 1;
  static constexpr auto all = Indices<Tile::size>{};
  Tile sums;

  HWY_INLINE void start(const GemmTile& tile) { sums.start(tile.start, all); }
  HWY_INLINE void store(const GemmTile& tile) const { sums.store(tile.sums, all); }
  HWY_INLINE std::uint32_t largest() const { return sums.largest(all); }

  /// The panel has byte offsets into the table.
  static HWY_INLINE V products(const void* table, const std::uint8_t* offset) {
    return hn::Load(d, reinterpret_cast<const std::int32_t*>(static_cast<const std::uint8_t*>(table) +
                                                             load_as<std::uint16_t>(offset)));
  }
  static HWY_INLINE V weight_vector(const std::uint8_t* from) {
#if HWY_TARGET == HWY_AVX2
    return V{_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)))};
#else
    return V{_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))};
#endif
  }
  static HWY_INLINE V look_up(V products_of_activation, V weight) {
#if HWY_TARGET == HWY_AVX2
    // Bits 0 to 2 choose the magnitude; the whole weight is negative or positive.
    const __m256i magnitude = _mm256_permutevar8x32_epi32(products_of_activation.raw, weight.raw);
    return V{_mm256_sign_epi32(magnitude, weight.raw)};
#else
    return V{_mm512_permutexvar_epi32(weight.raw, products_of_activation.raw)};
#endif
  }

  template <std::size_t... v>
  HWY_INLINE void load(V* to, const std::uint8_t* from, std::index_sequence<v...>) {
    ((to[v] = weight_vector(from + v * lanes)), ...);
  }
  template <std::size_t b, std::size_t... v>
  HWY_INLINE void row(const V* weights, V row_of_products, std::index_sequence<v...>) {
    ((sums.sum[b * count_v + v] = hn::Add(sums.sum[b * count_v + v], look_up(row_of_products, weights[v]))), ...);
  }
  template <std::size_t... b>
  HWY_INLINE void rows(const V* weights, const void* table, const std::uint8_t* offsets, std::index_sequence<b...>) {
    (row<b>(weights, products(table, offsets + 2 * b), Indices<count_v>{}), ...);
  }

  HWY_INLINE void add(const GemmTile& tile, std::size_t first, std::size_t end) {
    const std::uint8_t* panel = tile.panel + first * tile.panel_row;
    const std::uint8_t* from = tile.weights + first * tile.weights_row;
    for (std::size_t k = first; k < end; ++k, panel += tile.panel_row, from += tile.weights_row) {
      V weights[count_v];
      load(weights, from, Indices<count_v>{});
      rows(weights, tile.table, panel, Indices<count_b>{});
    }
  }
};

/// Activations' products in `digits` digits, times weights of -1, 0 and 1: four steps in one instruction.
template <std::size_t count_v, std::size_t count_b, bool channels_in_vectors, std::size_t digits>
struct TernaryKernel {
  using Tile = Sums<count_v, count_b, channels_in_vectors>;
  static constexpr std::size_t steps_per_row = 4;
  static constexpr auto all = Indices<Tile::size>{};
  Tile digit[digits];

  HWY_INLINE void start(const GemmTile& tile) {
    digit[0].start(tile.start, all);
    clear(Indices<digits - 1>{});
  }
  template <std::size_t... p>
  HWY_INLINE void clear(std::index_sequence<p...>) {
    (clear_digit(digit[p + 1], all), ...);
  }
  template <std::size_t... i>
  static HWY_INLINE void clear_digit(Tile& sums, std::index_sequence<i...>) {
    ((sums.sum[i] = hn::Zero(d)), ...);
  }

  template <std::size_t i, std::size_t... p>
  HWY_INLINE V total_of(std::index_sequence<p...>) const {
    V total = digit[0].sum[i];
    ((total = hn::Add(total, hn::ShiftLeft<8 * (p + 1)>(digit[p + 1].sum[i]))), ...);
    return total;
  }
  template <std::size_t... i>
  HWY_INLINE Tile total(std::index_sequence<i...>) const {
    Tile sums;
    ((sums.sum[i] = total_of<i>(Indices<digits - 1>{})), ...);
    return sums;
  }
  HWY_INLINE void store(const GemmTile& tile) const { total(all).store(tile.sums, all); }
  HWY_INLINE std::uint32_t largest() const { return total(all).largest(all); }

  static HWY_INLINE V add_products(V sum, V activations, V weights) {
#if HWY_TARGET == HWY_AVX2
    const __m256i pairs = _mm256_maddubs_epi16(activations.raw, weights.raw);
    return hn::Add(sum, V{_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))});
#elif HWY_TARGET == HWY_AVX3
    const __m512i pairs = _mm512_maddubs_epi16(activations.raw, weights.raw);
    return hn::Add(sum, V{_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))});
#else
    // The intrinsic is out of reach: Highway leaves avx512vnni out of what it tells the compiler.
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(activations.raw), "v"(weights.raw));
    return sum;
#endif
  }

  static HWY_INLINE V vector_at(const std::uint8_t* from) {
    return hn::LoadU(d, reinterpret_cast<const std::int32_t*>(from));
  }
  static HWY_INLINE V broadcast(const std::uint8_t* from) {
    return hn::Set(d, load_as<std::int32_t>(from));
  }

  template <std::size_t p, std::size_t... v>
  static HWY_INLINE void load_digit(V (*to)[count_v], const std::uint8_t* from, std::index_sequence<v...>) {
    ((to[p][v] = vector_at(from + v * 4 * lanes)), ...);
  }
  template <std::size_t... p>
  static HWY_INLINE void load(V (*to)[count_v], const std::uint8_t* from, std::size_t plane,
                              std::index_sequence<p...>) {
    (load_digit<p>(to, from + p * plane, Indices<count_v>{}), ...);
  }

  // Vectors of positions.
  template <std::size_t p, std::size_t b, std::size_t... v>
  HWY_INLINE void add_weight(const V (*activations)[count_v], V weight, std::index_sequence<v...>) {
    ((digit[p].sum[b * count_v + v] = add_products(digit[p].sum[b * count_v + v], activations[p][v], weight)), ...);
  }
  template <std::size_t b, std::size_t... p>
  HWY_INLINE void add_channel(const V (*activations)[count_v], V weight, std::index_sequence<p...>) {
    (add_weight<p, b>(activations, weight, Indices<count_v>{}), ...);
  }
  template <std::size_t... b>
  HWY_INLINE void add_channels(const V (*activations)[count_v], const std::uint8_t* weights,
                               std::index_sequence<b...>) {
    (add_channel<b>(activations, broadcast(weights + 4 * b), Indices<digits>{}), ...);
  }

  // Vectors of channels.
  template <std::size_t p, std::size_t b, std::size_t... v>
  HWY_INLINE void add_activation(const V (*weights)[count_v], V activation, std::index_sequence<v...>) {
    ((digit[p].sum[b * count_v + v] = add_products(digit[p].sum[b * count_v + v], activation, weights[0][v])), ...);
  }
  template <std::size_t b, std::size_t... p>
  HWY_INLINE void add_position(const V (*weights)[count_v], const std::uint8_t* panel, std::size_t plane,
                               std::index_sequence<p...>) {
    (add_activation<p, b>(weights, broadcast(panel + p * plane + 4 * b), Indices<count_v>{}), ...);
  }
  template <std::size_t... b>
  HWY_INLINE void add_positions(const V (*weights)[count_v], const std::uint8_t* panel, std::size_t plane,
                                std::index_sequence<b...>) {
    (add_position<b>(weights, panel, plane, Indices<digits>{}), ...);
  }

  /// Takes back the 128 that each digit has too much.
  template <std::size_t... i>
  HWY_INLINE void correct(const std::int32_t* weight_sums, std::int32_t offset, std::index_sequence<i...>) {
    if constexpr (channels_in_vectors) {
      const V factor = hn::Set(d, offset);
      ((digit[0].sum[i] = hn::Sub(digit[0].sum[i], hn::Mul(factor, hn::LoadU(d, weight_sums + (i % count_v) * lanes)))),
       ...);
    } else {
      const V factor = hn::Set(d, offset);
      ((digit[0].sum[i] = hn::Sub(digit[0].sum[i], hn::Mul(factor, hn::Set(d, weight_sums[i / count_v])))), ...);
    }
  }

  HWY_INLINE void add(const GemmTile& tile, std::size_t first, std::size_t end) {
    constexpr std::size_t rows_per_chunk = gemm_chunk / steps_per_row;
    constexpr auto offset = static_cast<std::int32_t>(0x80808080u >> (8 * (4 - digits)));
    const std::uint8_t* panel = tile.panel + first * tile.panel_row;
    const std::uint8_t* weights = tile.weights + first * tile.weights_row;
    while (first < end) {
      correct(tile.weight_sums + first / rows_per_chunk * tile.weight_sums_row, offset, all);
      const std::size_t chunk_end = std::min(end, first + rows_per_chunk);
      for (; first < chunk_end; ++first, panel += tile.panel_row, weights += tile.weights_row) {
        V vectors[channels_in_vectors ? 1 : digits][count_v];
        if constexpr (channels_in_vectors) {
          load(vectors, weights, 0, Indices<1>{});
          add_positions(vectors, panel, tile.panel_plane, Indices<count_b>{});
        } else {
          load(vectors, panel, tile.panel_plane, Indices<digits>{});
          add_channels(vectors, weights, Indices<count_b>{});
        }
      }
    }
  }
};

template <std::size_t v, std::size_t b, bool channels_in_vectors>
constexpr GemmTileShape float_shape() {
  using Tile = Sums<v, b, channels_in_vectors>;
  return {Tile::positions, Tile::channels, !channels_in_vectors, 5 * v * b + v + b,
          run_tile<FloatKernel<v, b, channels_in_vectors>>};
}
template <std::size_t v, std::size_t b>
constexpr GemmTileShape table_shape() {
  using Tile = Sums<v, b, true>;
  return {Tile::positions, Tile::channels, false, 2 * v * b + v + b, run_tile<TableKernel<v, b>>};
}
template <std::size_t v, std::size_t b, bool channels_in_vectors, std::size_t digits>
constexpr GemmTileShape ternary_shape() {
  using Tile = Sums<v, b, channels_in_vectors>;
  return {Tile::positions, Tile::channels, !channels_in_vectors,
          digits * v * b + (channels_in_vectors ? v + digits * b : digits * v + b),
          run_tile<TernaryKernel<v, b, channels_in_vectors, digits>>};
}

// Each list has a shape for 16 positions and channels, which every operand has at least.
const GemmTileSet& tile_set() {
#if HWY_TARGET == HWY_AVX2
  static constexpr GemmTileShape floats[] = {float_shape<2, 4, false>(), float_shape<2, 4, true>(),
                                             float_shape<4, 1, true>(), float_shape<1, 8, false>()};
  static constexpr GemmTileShape tables[] = {table_shape<2, 4>(), table_shape<4, 1>(), table_shape<2, 1>()};
  static constexpr GemmTileShape ternary1[] = {ternary_shape<2, 4, false, 1>(), ternary_shape<2, 1, true, 1>()};
  static constexpr GemmTileShape ternary2[] = {ternary_shape<1, 4, false, 2>(), ternary_shape<2, 1, true, 2>()};
  static constexpr GemmTileShape ternary3[] = {ternary_shape<1, 2, false, 3>(), ternary_shape<2, 1, true, 3>()};
  static constexpr GemmTileShape ternary4[] = {ternary_shape<1, 2, false, 4>(), ternary_shape<2, 1, true, 4>()};
  static constexpr std::size_t entries = 8;
#else
  static constexpr GemmTileShape floats[] = {
      float_shape<2, 8, false>(), float_shape<4, 4, false>(), float_shape<4, 4, true>(), float_shape<4, 1, true>(),
      float_shape<2, 4, true>(),  float_shape<1, 8, false>(), float_shape<1, 4, true>(), float_shape<1, 1, true>()};
  static constexpr GemmTileShape tables[] = {table_shape<4, 4>(), table_shape<1, 8>(), table_shape<1, 16>(),
                                             table_shape<2, 8>(), table_shape<4, 1>(), table_shape<1, 1>()};
  static constexpr GemmTileShape ternary1[] = {ternary_shape<2, 8, false, 1>(), ternary_shape<1, 8, false, 1>(),
                                               ternary_shape<4, 1, true, 1>(), ternary_shape<1, 1, true, 1>()};
  static constexpr GemmTileShape ternary2[] = {ternary_shape<1, 8, false, 2>(), ternary_shape<2, 4, true, 2>(),
                                               ternary_shape<4, 1, true, 2>(), ternary_shape<1, 1, true, 2>()};
  static constexpr GemmTileShape ternary3[] = {ternary_shape<1, 8, false, 3>(), ternary_shape<2, 4, true, 3>(),
                                               ternary_shape<4, 1, true, 3>(), ternary_shape<1, 1, true, 3>()};
  static constexpr GemmTileShape ternary4[] = {ternary_shape<1, 4, false, 4>(), ternary_shape<2, 2, true, 4>(),
                                               ternary_shape<4, 1, true, 4>(), ternary_shape<1, 1, true, 4>()};
  static constexpr std::size_t entries = 16;
#endif
  constexpr std::size_t fast_digits = HWY_TARGET == HWY_AVX3_DL ? 4 : 2;
  static constexpr GemmTileSet set = {floats, tables, entries, {ternary1, ternary2, ternary3, ternary4}, fast_digits};
  return set;
}

#else

const GemmTileSet& tile_set() {
  static constexpr GemmTileSet none;
  return none;
}

#endif

}  // namespace lpa::formats::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lpa::formats {

HWY_EXPORT(tile_set);

const GemmTileSet& gemm_tile_set() {
  return HWY_DYNAMIC_DISPATCH(tile_set)();
}

}  // namespace lpa::formats
#endif

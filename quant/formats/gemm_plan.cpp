#include "quant/formats/gemm_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/gemm_layout.h"

namespace lpa::formats {
namespace {

constexpr double log_unit = 1.0 / (1 << log_fraction_bits);

/// A product's real magnitude is worked out in doubles.
constexpr double rounding_slack = 1 + 1e-9;

double real_magnitude(const Operand& operand) {
  return operand.significand * std::exp2(operand.log * log_unit);
}

GemmMagnitudes magnitudes(const TensorFormat& format) {
  GemmMagnitudes all;
  const GemmCode code_of(format);
  for (int word = 0; word < format.word_count(); ++word) {
    const Operand operand = to_operand(format, static_cast<Word>(word));
    if (operand.zero || operand.nar) continue;
    const double magnitude = real_magnitude(operand);
    all.of_word.at(static_cast<std::size_t>(word)) = magnitude;
    double& of_code = all.up_to_code.at(code_of(static_cast<std::uint8_t>(word)));
    of_code = std::max(of_code, magnitude);
  }
  for (std::size_t code = 1; code < all.up_to_code.size(); ++code) {
    all.up_to_code[code] = std::max(all.up_to_code[code], all.up_to_code[code - 1]);
  }
  return all;
}

/// The largest ratio of a product to the real one.
double converter_excess(const Arithmetic& arithmetic, const Accumulator& scalar) {
  double excess = 1;
  for (std::size_t i = 0; i < scalar.lf_table().size(); ++i) {
    const double real = std::exp2(static_cast<double>(i) / 256 + arithmetic.lf_bits);
    excess = std::max(excess, scalar.lf_table()[i] / real);
  }
  return excess;
}

}  // namespace

class GemmPlan::Products {
 public:
  /// Stands for a product that does not fit in a sum.
  static constexpr std::int32_t too_large = std::numeric_limits<std::int32_t>::min();

  explicit Products(const GemmPlan& plan) : products_(std::size_t{256} * 256) {
    if (plan.linear) {
      multiply(plan);
    } else {
      add_logs(plan);
    }
  }

  /// By weight; with NaR: 0.
  const std::int32_t* row(std::size_t activation) const { return products_.data() + activation * 256; }
  /// The product if it fits in a sum; else 0, which stands for anything.
  std::int32_t operator()(std::size_t weight, std::size_t activation) const {
    const std::int32_t product = row(activation)[weight];
    return product == too_large ? 0 : product;
  }

 private:
  void multiply(const GemmPlan& plan) {
    std::int32_t* to = products_.data();
    for (std::size_t a = 0; a < 256; ++a) {
      const Operand activation = unpack(plan.activation_operands[a]);
      for (std::size_t w = 0; w < 256; ++w) {
        AccumulateEvents events;
        const Psum sum = plan.batch.scalar().mac({0, 0, false}, unpack(plan.weight_operands[w]), activation, &events);
        // Kernels need not have the words that no encoder makes.
        const bool made = w != plan.weight_format.nar_word() && a != plan.activation_format.nar_word();
        *to++ = sum.nar ? 0 : events.saturations != 0 || !made ? too_large : sum.value;
      }
    }
  }

  void add_logs(const GemmPlan& plan) {
    // A product's magnitude depends on the sum of the logs only.
    std::array<Operand, 256> weights, activations;
    std::transform(plan.weight_operands.begin(), plan.weight_operands.end(), weights.begin(), unpack);
    std::transform(plan.activation_operands.begin(), plan.activation_operands.end(), activations.begin(), unpack);
    const auto by_log = [](const Operand& a, const Operand& b) { return a.log < b.log; };
    const auto [low_weight, high_weight] = std::minmax_element(weights.begin(), weights.end(), by_log);
    const auto [low_activation, high_activation] = std::minmax_element(activations.begin(), activations.end(), by_log);
    const int lowest = low_weight->log + low_activation->log;
    std::vector<std::int32_t> magnitudes;
    constexpr int to_q8 = 1 << (8 - log_fraction_bits);
    for (int log = lowest; log <= high_weight->log + high_activation->log; ++log) {
      AccumulateEvents events;
      const Psum sum = plan.batch.scalar().add({0, 0, false}, log * to_q8, false, &events);
      magnitudes.push_back(events.saturations == 0 ? sum.value : too_large);
    }
    std::int32_t* to = products_.data();
    for (const Operand& a : activations) {
      for (const Operand& w : weights) {
        const bool none = a.zero || a.nar || w.zero || w.nar;
        const std::int32_t magnitude = none ? 0 : magnitudes[static_cast<std::size_t>(w.log + a.log - lowest)];
        *to++ = w.negative == a.negative || magnitude == too_large ? magnitude : -magnitude;
      }
    }
  }

  std::vector<std::int32_t> products_;
};

GemmPlan::GemmPlan(const Arithmetic& arithmetic, const TensorFormat& weight, const TensorFormat& activation, int lsb)
    : linear(weight.linear()),
      batch(arithmetic, weight.n, lsb, linear),
      weight_format(weight),
      activation_format(activation),
      weight_operands(pack_words(weight)),
      activation_operands(pack_words(activation)),
      weight_code(weight),
      activation_code(activation),
      weight_magnitudes(magnitudes(weight)),
      activation_magnitudes(magnitudes(activation)) {
  if (weight.linear() != activation.linear() || (linear && arithmetic.psum != PsumKind::fixed)) {
    throw FormatError(fmt::format(
        "products of {} and {} in {} sums: linear words are multiplied by linear ones and "
        "added in fixed sums",
        to_string(weight), to_string(activation), arithmetic.psum == PsumKind::fixed ? "fixed" : "aligned"));
  }
  use_ordered();
  const GemmTileSet& set = gemm_tile_set();
  if (arithmetic.psum != PsumKind::fixed || set.floats.empty()) return;

  limit = (std::uint32_t{1} << (arithmetic.fixed_bits - 1)) - 1;
  product_scale = std::ldexp(linear ? 1 : converter_excess(arithmetic, batch.scalar()) * rounding_slack, -lsb);
  const Products products(*this);
  if (weight.n == 2) {
    use_ternary(products, set);
    if (panel_form.planes > set.fast_digits) use_table(products, set);
  } else if (weight.n == 4) {
    use_table(products, set);
  } else {
    use_floats(arithmetic, lsb, set.floats);
  }
  if (!right(products)) use_ordered();
}

void GemmPlan::prepare(GemmTile& tile) const {
  tile.limit = limit;
  tile.table = table_.data();
  tile.rounding = rounding_;
  tile.mask = mask_;
}

void GemmPlan::use_ordered() {
  name = ordered_name;
  ternary = false;
  const auto form = [](const std::array<PackedOperand, 256>& operands) {
    GemmForm result;
    for (std::size_t word = 0; word < operands.size(); ++word) {
      const PackedOperand operand = operands[word] == packed_nar ? packed_zero : operands[word];
      result.table[0][word] = static_cast<std::uint32_t>(operand);
    }
    return result;
  };
  weight_form = form(weight_operands);
  panel_form = form(activation_operands);
}

void GemmPlan::use_floats(const Arithmetic& arithmetic, int lsb, std::span<const GemmTileShape> shapes) {
  name = "floats";
  const auto form = [](const std::array<PackedOperand, 256>& operands, int shift) {
    GemmForm result;
    for (std::size_t word = 0; word < operands.size(); ++word) {
      const Operand operand = unpack(operands[word]);
      if (operand.zero || operand.nar) continue;
      const double magnitude = std::ldexp(real_magnitude(operand), shift);
      result.table[0][word] =
          std::bit_cast<std::uint32_t>(static_cast<float>(operand.negative ? -magnitude : magnitude));
    }
    return result;
  };
  weight_form = form(weight_operands, 0);
  panel_form = form(activation_operands, -lsb);
  // Products of significands are exact.
  constexpr int float_fraction_bits = 23;
  const int unit = float_fraction_bits - arithmetic.lf_bits;
  rounding_ = linear ? 0 : std::uint32_t{1} << (unit - 1);
  mask_ = linear ? ~std::uint32_t{0} : ~((std::uint32_t{1} << unit) - 1);
  shapes_[0] = shapes;
}

void GemmPlan::use_table(const Products& products, const GemmTileSet& set) {
  name = "table";
  ternary = false;
  const auto nar = static_cast<std::uint8_t>(weight_format.nar_word());
  const auto mask = static_cast<std::uint8_t>(weight_format.word_count() - 1);
  weight_form = {.element_bytes = 1, .interleave = 1, .planes = 1, .table = {}};
  for (std::uint32_t word = 0; word <= mask; ++word) {
    if (word == nar) continue;
    // A table of magnitudes takes its sign from the weight's, which must not be 0 then.
    const bool negative = word > nar;
    const std::uint32_t signed_code = weight_code(static_cast<std::uint8_t>(word)) | (negative ? 0x80u : 0x08u);
    weight_form.table[0][word] = set.table_entries == 16 ? word : signed_code;
  }
  panel_form = {.element_bytes = 2, .interleave = 1, .planes = 1, .table = {}};
  table_.assign(256, {});
  const std::size_t row_bytes = set.table_entries * sizeof(std::int32_t);
  auto* const entries = reinterpret_cast<std::int32_t*>(table_.data());
  for (std::size_t activation = 0; activation < 256; ++activation) {
    panel_form.table[0][activation] = static_cast<std::uint32_t>(activation * row_bytes);
    for (std::size_t word = 0; word < set.table_entries; ++word) {
      entries[activation * set.table_entries + word] = products(word, activation);
    }
  }
  const auto activation_nar = activation_format.nar_word();
  panel_form.table[0][activation_nar] = 0;
  digits_of_code_.fill(0);
  shapes_ = {set.tables};
}

void GemmPlan::use_ternary(const Products& products, const GemmTileSet& set) {
  name = "ternary";
  ternary = true;
  weight_form = {.element_bytes = 1, .interleave = 4, .planes = 1, .table = {}};
  weight_form.table[0][1] = 1;
  weight_form.table[0][3] = 0xff;
  std::array<std::uint8_t, 256> digits{};
  std::size_t most = 1;
  for (std::size_t activation = 0; activation < 256; ++activation) {
    // Digits of -128 to 127, from the least one on.
    std::int64_t left = products(1, activation);
    std::uint8_t count = 0;
    for (std::size_t p = 0; p < 4; ++p) {
      const auto digit = static_cast<std::int8_t>(left & 0xff);
      panel_form.table[p][activation] = static_cast<std::uint32_t>(digit + 128);
      left = (left - digit) / 256;
      if (digit != 0) count = static_cast<std::uint8_t>(p + 1);
    }
    // A last carry is lost modulo 2^32.
    digits[activation] = std::max<std::uint8_t>(1, count);
    most = std::max<std::size_t>(most, digits[activation]);
  }
  panel_form.element_bytes = 1;
  panel_form.interleave = 4;
  panel_form.planes = most;

  const auto mask = static_cast<std::uint8_t>(activation_format.word_count() - 1);
  digits_of_code_.fill(1);
  for (std::size_t word = 0; word <= mask; ++word) {
    std::uint8_t& of_code = digits_of_code_[activation_code(static_cast<std::uint8_t>(word))];
    of_code = std::max(of_code, digits[word]);
  }
  for (std::size_t i = 1; i < digits_of_code_.size(); ++i) {
    digits_of_code_[i] = std::max(digits_of_code_[i], digits_of_code_[i - 1]);
  }
  for (std::size_t p = 0; p < 4; ++p) shapes_[p + 1] = set.ternary[p];
}

bool GemmPlan::right(const Products& products) const {
  for (std::size_t digits = 0; digits < shapes_.size(); ++digits) {
    for (const GemmTileShape& shape : shapes_[digits]) {
      if (digits > panel_form.planes) continue;
      for (std::size_t step = 0; step < panel_form.interleave; ++step) {
        if (!right(products, shape, digits, step)) return false;
      }
    }
  }
  return true;
}

bool GemmPlan::right(const Products& products, const GemmTileShape& shape, std::size_t digits, std::size_t step) const {
  const auto activations = static_cast<std::size_t>(activation_format.word_count());
  const auto weights = static_cast<std::size_t>(weight_format.word_count());
  // No narrower than the widest shape.
  const GemmLayout panel_layout(panel_form, 1, std::max(activations, gemm_widest));
  const GemmLayout weight_layout(weight_form, 1, std::max(weights, gemm_widest));
  const auto fill = [step](const GemmForm& form, const GemmLayout& layout, std::size_t words) {
    std::vector<GemmTableRow> memory(layout.size / sizeof(GemmTableRow));
    auto* const bytes = reinterpret_cast<std::uint8_t*>(memory.data());
    for (std::size_t lane = 0; lane < layout.size / layout.block_bytes * layout.width; ++lane) {
      for (std::size_t i = 0; i < form.interleave; ++i) {
        const std::size_t word = i == step && lane < words ? lane : 0;
        for (std::size_t p = 0; p < form.planes; ++p) {
          const std::size_t at = layout.offset(lane) + p * layout.plane_bytes + i * form.element_bytes;
          for (std::size_t b = 0; b < form.element_bytes; ++b) {
            bytes[at + b] = static_cast<std::uint8_t>(form.table[p][word] >> (8 * b));
          }
        }
      }
    }
    return memory;
  };
  const auto panel = fill(panel_form, panel_layout, activations);
  const auto weight_memory = fill(weight_form, weight_layout, weights);
  constexpr std::array<std::uint32_t, 1> bounds{};
  constexpr std::array<std::int32_t, 64> start{};
  std::array<std::int32_t, 64> weight_sums{};
  std::array<std::int32_t, 64 * 64> sums;
  GemmTile tile;
  prepare(tile);
  tile.panel_row = panel_layout.row_bytes;
  tile.panel_plane = panel_layout.plane_bytes;
  tile.weights_row = weight_layout.row_bytes;
  tile.rows = 1;
  tile.bounds = bounds;
  tile.start = start.data();
  tile.weight_sums = weight_sums.data();
  tile.sums = sums.data();
  for (std::size_t n = 0; n < weights; n += shape.channels) {
    tile.weights = reinterpret_cast<const std::uint8_t*>(weight_memory.data()) + weight_layout.offset(n);
    for (std::size_t i = 0; ternary && i < 64; ++i) {
      weight_sums[i] = n + i < weights ? static_cast<std::int8_t>(weight_form.table[0][n + i]) : 0;
    }
    for (std::size_t m = 0; m < activations; m += shape.positions) {
      tile.panel = reinterpret_cast<const std::uint8_t*>(panel.data()) + panel_layout.offset(m);
      if (!shape.run(tile)) return false;
      for (std::size_t i = 0; i < shape.positions && m + i < activations; ++i) {
        const auto activation = static_cast<std::uint8_t>(m + i);
        if (digits != 0 && digits_of_code_[activation_code(activation)] > digits) {
          continue;
        }
        const std::int32_t* const expected = products.row(m + i) + n;
        const std::int32_t* const found = sums.data() + i * (shape.channels_first ? 1 : shape.channels);
        const std::size_t step_of_channel = shape.channels_first ? shape.positions : 1;
        bool same = true;
        for (std::size_t j = 0; j < shape.channels && n + j < weights; ++j) {
          same = same && (found[j * step_of_channel] == expected[j] || expected[j] == Products::too_large);
        }
        if (!same) return false;
      }
    }
  }
  return true;
}

}  // namespace lpa::formats

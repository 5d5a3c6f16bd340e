// The post-processing unit's softmax and layer normalisation against the golden ones, which are written apart.
#include "hw_model/ppu/row_datapath.h"

#include <random>

#include <gtest/gtest.h>

#include "hw_model/driver/layer_descriptors.h"
#include "quant/formats/row_functions.h"

namespace lpa::hw {
namespace {

using formats::AccumulateEvents;
using formats::Arithmetic;
using formats::LpFormat;
using formats::Word;

FormatFields fields(const LpFormat& format) {
  return {format.n, format.es, format.rs, format.regime == formats::Regime::bounded ? 0 : 1, format.sf_q8};
}

/// A machine's arithmetic, two formats and rows of words, all drawn.
class RandomRows : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    arithmetic = formats::arithmetic_preset(draw(0, 2) == 0 ? "poster" : "wide");
    if (draw(0, 3) == 0) arithmetic.converter = formats::Converter::mitchell;
    arithmetic.lf_bits = draw(4, 16);
    arithmetic.encoder_log_bits = draw(4, 12);
    arithmetic.flush = draw(0, 3) > 0;
    arithmetic.ppu = {draw(4, 16), draw(4, 16)};
    input = draw_format();
    output = draw_format();
    count = draw(1, 3) == 1 ? draw(1, 3) : draw(1, 300);
    descriptor.input = fields(input);
    descriptor.output = fields(output);
    descriptor.in_c = descriptor.out_c = count;
  }

  int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

  LpFormat draw_format() {
    LpFormat format{2 << draw(0, 2), 0, 1, draw(-600, 600)};
    format.es = draw(0, std::max(0, format.n - 3));
    format.rs = draw(1, format.n - 1);
    if (format.rs >= 2 && draw(0, 4) == 0) format.regime = formats::Regime::terminated;
    return format;
  }

  std::vector<std::uint8_t> draw_row() {
    const bool narrow = draw(0, 2) == 0;  // Deviations from the mean are small then.
    const int first = draw(0, input.word_count() - 1);
    const bool nars = draw(0, 9) == 0;
    std::vector<std::uint8_t> row;
    for (int i = 0; i < count; ++i) {
      auto word =
          static_cast<Word>((narrow ? first + draw(0, 3) : draw(0, input.word_count() - 1)) % input.word_count());
      if (word == input.nar_word() && !nars) word = 0;
      row.push_back(static_cast<std::uint8_t>(word));
    }
    return row;
  }

  /// Rows through both, words and events.
  template <typename Golden>
  void expect_equal(const Golden& golden, std::span<const std::uint8_t> parameters) {
    const PpuConverters converters(arithmetic);
    RowDatapath datapath(converters, arithmetic, descriptor, parameters);
    AccumulateEvents events;
    for (int repeat = 0; repeat < 20; ++repeat) {
      const std::vector<std::uint8_t> row = draw_row();
      std::vector<std::uint8_t> result(row.size());
      datapath(row, result);
      const std::vector<Word> words(row.begin(), row.end());
      std::vector<Word> expected(row.size());
      golden(words, expected, events);
      ASSERT_EQ(std::vector<Word>(result.begin(), result.end()), expected) << "row " << repeat;
      ASSERT_EQ(datapath.events().saturations, events.saturations);
      ASSERT_EQ(datapath.events().nar_products, events.nar_products);
    }
  }

  std::mt19937_64 random{GetParam()};
  Arithmetic arithmetic;
  LpFormat input, output;
  int count = 1;
  Descriptor descriptor;
};

TEST_P(RandomRows, SoftmaxEqualsTheGoldenOne) {
  descriptor.op = static_cast<std::int64_t>(LayerOp::softmax);
  expect_equal(formats::SoftmaxRow(arithmetic, input, output), {});
}

TEST_P(RandomRows, LayerNormalisationEqualsTheGoldenOne) {
  descriptor.op = static_cast<std::int64_t>(LayerOp::layer_norm);
  std::normal_distribution<double> normal(0, 2);
  std::vector<formats::NormTerm> terms;
  for (int i = 0; i < count; ++i) {
    const auto number = [&] { return draw(0, 9) == 0 ? formats::LogNumber{} : formats::to_log_number(normal(random)); };
    terms.push_back({number(), number()});
  }
  const bool epsilon = draw(0, 3) > 0;
  const int epsilon_log = -draw(0, 6000);
  descriptor.epsilon = epsilon ? epsilon_log : no_epsilon;
  expect_equal(formats::LayerNormRow(arithmetic, input, output, terms, epsilon ? epsilon_log : formats::no_epsilon),
               driver::pack_norm_terms(terms));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRows, ::testing::Range<std::uint64_t>(1, 201));

}  // namespace
}  // namespace lpa::hw

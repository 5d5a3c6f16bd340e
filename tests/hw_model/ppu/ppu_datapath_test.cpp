#include "hw_model/ppu/ppu_datapath.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "quant/formats/lp_format.h"

namespace lpa::hw {
namespace {

using formats::Accumulator;
using formats::Arithmetic;
using formats::LpFormat;
using formats::PsumEncoder;
using formats::Word;

FormatFields fields(const LpFormat& format) {
  return {format.n, format.es, format.rs, 0, format.sf_q8};
}

/// The golden addition: two operands through the PPU's accumulator and encoder.
class Golden {
 public:
  Golden(const Arithmetic& arithmetic, const LpFormat& output, int log2_count_q8 = 0)
      : adder_(Accumulator::for_ppu(arithmetic)),
        encoder_(PsumEncoder::for_ppu(arithmetic, output, log2_count_q8 - output.sf_q8)) {}

  void add(const LpFormat& format, Word word) {
    const formats::Operand operand = formats::to_operand(format, word);
    if (operand.nar) {
      nar_ = true;
    } else if (!operand.zero) {
      sum_ = adder_.add(sum_, formats::scaled_log_q8(format, operand), operand.negative);
    }
  }
  Word result(const LpFormat& output) const { return nar_ ? output.nar_word() : encoder_(sum_); }

 private:
  Accumulator adder_;
  PsumEncoder encoder_;
  formats::Psum sum_;
  bool nar_ = false;
};

const LpFormat a_format{8, 1, 3, 25};
const LpFormat b_format{8, 0, 7, -311};
const LpFormat output_format{8, 2, 4, 100};

TEST(PpuAdd, EveryPairOfWordsEqualsTheGoldenSum) {
  for (const char* preset : {"wide", "poster"}) {
    const Arithmetic arithmetic = formats::arithmetic_preset(preset);
    Descriptor d;
    d.op = static_cast<std::int64_t>(LayerOp::add);
    d.input = fields(a_format);
    d.addend = fields(b_format);
    d.output = fields(output_format);
    const PpuConverters converters(arithmetic);
    PpuDatapath datapath(converters, arithmetic, d);
    for (int a = 0; a < 256; ++a) {
      for (int b = 0; b < 256; ++b) {
        Golden golden(arithmetic, output_format);
        golden.add(a_format, static_cast<Word>(a));
        golden.add(b_format, static_cast<Word>(b));
        ASSERT_EQ(datapath.add(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)),
                  golden.result(output_format))
            << a << " + " << b;
      }
    }
  }
}

TEST(PpuAdd, OfANarrowAndAWideWordEqualsTheGoldenSum) {
  const Arithmetic arithmetic;
  const LpFormat narrow{4, 1, 2, -77};
  Descriptor d;
  d.op = static_cast<std::int64_t>(LayerOp::add);
  d.input = fields(narrow);
  d.addend = fields(b_format);
  d.output = fields(output_format);
  const PpuConverters converters(arithmetic);
  PpuDatapath datapath(converters, arithmetic, d);
  for (int a = 0; a < 16; ++a) {
    for (int b = 0; b < 256; ++b) {
      Golden golden(arithmetic, output_format);
      golden.add(narrow, static_cast<Word>(a));
      golden.add(b_format, static_cast<Word>(b));
      ASSERT_EQ(datapath.add(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)), golden.result(output_format));
    }
  }
}

TEST(PpuAdd, ANumberAndItsNegativeGiveZero) {
  Descriptor d;
  d.op = static_cast<std::int64_t>(LayerOp::add);
  d.input = d.addend = d.output = fields(a_format);
  const Arithmetic arithmetic;
  const PpuConverters converters(arithmetic);
  PpuDatapath datapath(converters, arithmetic, d);
  for (int word = 1; word < 128; ++word) {
    EXPECT_EQ(datapath.add(static_cast<std::uint8_t>(word), static_cast<std::uint8_t>(256 - word)), 0);
  }
}

TEST(PpuRelu, KeepsZeroNaRAndPositivesOfEveryWidth) {
  for (const int bits : {8, 4, 2}) {
    const LpFormat format{bits, 0, bits - 1, 0};
    Descriptor d;
    d.output = fields(format);
    const Arithmetic arithmetic;
    const PpuConverters converters(arithmetic);
    PpuDatapath datapath(converters, arithmetic, d);
    for (int word = 0; word < format.word_count(); ++word) {
      const auto w = static_cast<std::uint8_t>(word);
      const double value = formats::decode(format, w);
      EXPECT_EQ(datapath.relu(w), value < 0 ? 0 : w);
    }
  }
}

TEST(PpuMax, IsTheLargerValueOrNaRForEveryPair) {
  for (const LpFormat& format : {a_format, LpFormat{4, 1, 2, 9}, LpFormat{2, 0, 1, 0}}) {
    Descriptor d;
    d.input = d.output = fields(format);
    const Arithmetic arithmetic;
    const PpuConverters converters(arithmetic);
    PpuDatapath datapath(converters, arithmetic, d);
    for (int a = 0; a < format.word_count(); ++a) {
      for (int b = 0; b < format.word_count(); ++b) {
        const double x = formats::decode(format, static_cast<Word>(a));
        const double y = formats::decode(format, static_cast<Word>(b));
        const int expected = x != x ? a : y != y ? b : x >= y ? a : b;
        ASSERT_EQ(datapath.max(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)), expected);
      }
    }
  }
}

TEST(PpuAverage, OfRandomWindowsEqualsTheGoldenOne) {
  std::mt19937 random(1);
  const Arithmetic arithmetic;
  Descriptor d;
  d.op = static_cast<std::int64_t>(LayerOp::average_pool);
  d.input = fields(a_format);
  d.output = fields(output_format);
  const PpuConverters converters(arithmetic);
  PpuDatapath datapath(converters, arithmetic, d);
  for (int window = 0; window < 3000; ++window) {
    const int count = 1 + window % 64;
    Golden golden(arithmetic, output_format, formats::log2_q8(count));
    formats::Psum sum;
    for (int i = 0; i < count; ++i) {
      Word word = static_cast<Word>(random() % 256);
      if (word == a_format.nar_word() && window % 5 != 0) word = 0;
      golden.add(a_format, word);
      sum = datapath.accumulate(sum, static_cast<std::uint8_t>(word));
    }
    ASSERT_EQ(datapath.average(sum, count), golden.result(output_format)) << "window " << window;
  }
}

TEST(PpuAverage, OfEqualPowersOfTwoIsThatPower) {
  const LpFormat format{8, 1, 3, 0};
  Descriptor d;
  d.op = static_cast<std::int64_t>(LayerOp::average_pool);
  d.input = d.output = fields(format);
  const Arithmetic arithmetic;
  const PpuConverters converters(arithmetic);
  PpuDatapath datapath(converters, arithmetic, d);
  const auto one = static_cast<std::uint8_t>(formats::encode(format, 1.0, formats::Rounding::nearest_log));
  for (const int count : {1, 2, 4, 16, 64}) {
    formats::Psum sum;
    for (int i = 0; i < count; ++i) sum = datapath.accumulate(sum, one);
    EXPECT_EQ(datapath.average(sum, count), one) << count;
  }
}

}  // namespace
}  // namespace lpa::hw

#include "quant/formats/lp_format.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/quant/formats/oracle.h"

namespace lpa::formats {
namespace {

/// A positive word read as a string of bits, as the format's definition tells it.
struct OracleWord {
  Word word = 0;
  int k = 0;
  double log = 0;  ///< log2|x| + sf, exact.
  bool produced = true;
};

OracleWord read_bits(const LpFormat& format, Word word) {
  std::string bits;
  for (int i = format.n - 2; i >= 0; --i) bits += (word >> i) & 1 ? '1' : '0';
  int run = 1;
  while (run < format.rs && run < static_cast<int>(bits.size()) && bits[static_cast<std::size_t>(run)] == bits[0])
    ++run;
  OracleWord result;
  result.word = word;
  result.k = bits[0] == '1' ? run - 1 : -run;
  std::string rest = bits.substr(static_cast<std::size_t>(run));
  if (run < format.rs && !rest.empty()) rest.erase(0, 1);
  result.log = std::ldexp(result.k, format.es);
  double weight = std::ldexp(1.0, format.es - 1);  // Exponent and fraction bits are one fixed-point number.
  for (const char bit : rest) {
    if (bit == '1') result.log += weight;
    weight /= 2;
  }
  result.produced = format.regime == Regime::bounded || run < format.rs;
  return result;
}

/// All formats of this room's exhaustive tests with these widths.
std::vector<LpFormat> formats(int lowest_n, int highest_n, const std::vector<int>& sfs) {
  std::vector<LpFormat> all;
  for (int n = lowest_n; n <= highest_n; ++n) {
    for (LpFormat format : all_lp_formats(n)) {
      for (const Regime regime : {Regime::bounded, Regime::terminated}) {
        format.regime = regime;
        if (!check(format).empty()) continue;
        for (const int sf : sfs) {
          format.sf_q8 = sf;
          all.push_back(format);
        }
      }
    }
  }
  return all;
}

/// Rounds by looking at every word.
class BruteForce {
 public:
  explicit BruteForce(const LpFormat& format) : format_(format) {
    for (int word = 1; word < 1 << (format.n - 1); ++word) {
      const OracleWord read = read_bits(format, static_cast<Word>(word));
      if (!read.produced) continue;
      words_.push_back(read);
      values_.push_back(decode(format, read.word));
    }
  }

  Word operator()(double x, Rounding rounding, bool flush) const {
    if (!std::isfinite(x)) return static_cast<Word>(1 << (format_.n - 1));
    const double magnitude = std::abs(x);
    const int word = rounding == Rounding::nearest_linear ? linear(magnitude) : log(magnitude, rounding, flush);
    return static_cast<Word>(x < 0 ? ((1 << format_.n) - word) % (1 << format_.n) : word);
  }

  const std::vector<OracleWord>& words() const { return words_; }
  const std::vector<double>& values() const { return values_; }

 private:
  int log(double x, Rounding rounding, bool flush) const {
    const auto smallest =
        std::min_element(words_.begin(), words_.end(), [](auto& a, auto& b) { return a.log < b.log; });
    if (flush && (x == 0 || compare(x, smallest->log - 1) < 0)) return 0;
    if (x == 0) return rounding == Rounding::posit ? 0 : smallest->word;
    const long double wanted = std::log2(static_cast<long double>(x)) + format_.sf_q8 / 256.0L;
    const OracleWord* best = &words_.front();
    for (const OracleWord& other : words_) {
      const long double gain = std::abs(best->log - wanted) - std::abs(other.log - wanted);
      if (gain > 1e-9L) {
        best = &other;
      } else if (gain > -1e-9L && other.word != best->word) {
        // Too near to tell in this precision: on which side of the middle does x lie?
        const int side = compare(x, (best->log + other.log) / 2) * (other.log > best->log ? 1 : -1);
        if (side > 0 || (side == 0 && other.word % 2 == 0)) best = &other;
      }
    }
    return best->word;
  }

  int linear(double x) const {
    int best = 0;
    double best_value = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      bool better = x >= values_[i];  // The values ascend.
      if (!better && x > best_value) {
        const double beyond = x - (best_value / 2 + values_[i] / 2);
        better = beyond > 0;
        if (std::abs(beyond) < 1e-12 * values_[i]) {
          const oracle::Wide exact = oracle::Wide(x) * 2 - (oracle::Wide(best_value) + values_[i]);
          better = exact > 0 || (exact == 0 && best != 0 && words_[i].word % 2 == 0);
        }
      }
      if (better) {
        best = words_[i].word;
        best_value = values_[i];
      }
    }
    return best;
  }

  int compare(double x, double log) const { return oracle::compare_with_exp2(x, log - format_.sf_q8 / 256.0); }

  LpFormat format_;
  std::vector<OracleWord> words_;
  std::vector<double> values_;
};

/// Every word, every midpoint in either sense, the flush limit, and the neighbouring doubles of each; and what is odd.
std::vector<double> interesting_values(const LpFormat& format, const BruteForce& oracle) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> values = {0.0,
                                infinity,
                                std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::denorm_min(),
                                std::numeric_limits<double>::min(),
                                std::numeric_limits<double>::max()};
  const auto add = [&values](double x) {
    values.insert(values.end(), {std::nextafter(x, 0.0), x, std::nextafter(x, infinity)});
  };
  const auto add_log = [&](double log) { add(std::exp2(log - format.sf_q8 / 256.0)); };
  const auto& words = oracle.words();
  for (std::size_t i = 0; i < words.size(); ++i) {
    add(oracle.values()[i]);
    add_log(words[i].log - 1);
    if (i + 1 == words.size()) break;
    add_log((words[i].log + words[i + 1].log) / 2);
    add(oracle.values()[i] / 2 + oracle.values()[i + 1] / 2);
  }
  add(oracle.values().front() / 2);
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  return values;
}

void expect_all_roundings(const LpFormat& format) {
  const BruteForce oracle(format);
  const std::vector<double> values = interesting_values(format, oracle);
  for (const Rounding rounding : {Rounding::nearest_log, Rounding::nearest_linear, Rounding::posit}) {
    for (const bool flush : {false, true}) {
      const LpEncoder encoder(format, rounding, flush);
      for (const double x : values) {
        const Word expected = oracle(x, rounding, flush);
        ASSERT_EQ(encoder(x), expected) << to_string(format) << " rounding " << static_cast<int>(rounding) << " flush "
                                        << flush << " x " << std::hexfloat << x;
      }
    }
  }
}

TEST(LpFormat, DecodesEveryWordOfEveryFormatByItsBits) {
  for (const LpFormat& format : formats(2, 8, {0, -77, 32512})) {
    SCOPED_TRACE(to_string(format));
    const int half = 1 << (format.n - 1);
    for (int word = 1; word < half; ++word) {
      const OracleWord read = read_bits(format, static_cast<Word>(word));
      const WordFields fields = decode_fields(format, static_cast<Word>(word));
      ASSERT_EQ(fields.kind, WordKind::real);
      ASSERT_FALSE(fields.negative);
      ASSERT_EQ(fields.k, read.k) << word;
      ASSERT_EQ(std::ldexp(fields.k, format.es) + fields.e + std::ldexp(fields.fraction, -fields.fraction_bits),
                read.log);
      ASSERT_EQ(log2_q14(format, static_cast<Word>(word)), std::ldexp(read.log, 14));
      const double exact =
          oracle::exp2_q15(static_cast<std::int32_t>(std::ldexp(read.log - format.sf(), 15))).convert_to<double>();
      ASSERT_EQ(decode(format, static_cast<Word>(word)), exact) << word;

      const auto negative = static_cast<Word>(2 * half - word);
      ASSERT_EQ(decode(format, negative), -exact);
      ASSERT_TRUE(decode_fields(format, negative).negative);
      ASSERT_EQ(log2_q14(format, negative), log2_q14(format, static_cast<Word>(word)));
    }
    ASSERT_EQ(decode(format, 0), 0.0);
    ASSERT_TRUE(std::isnan(decode(format, static_cast<Word>(half))));
    ASSERT_EQ(decode_fields(format, 0).kind, WordKind::zero);
    ASSERT_EQ(decode_fields(format, static_cast<Word>(half)).kind, WordKind::nar);
  }
}

TEST(LpFormat, MinposAndMaxposAreTheEndsOfWhatIsProduced) {
  for (const LpFormat& format : formats(2, 10, {0})) {
    std::vector<Word> produced;
    for (int word = 1; word < 1 << (format.n - 1); ++word) {
      if (read_bits(format, static_cast<Word>(word)).produced) produced.push_back(static_cast<Word>(word));
    }
    ASSERT_EQ(format.minpos_word(), produced.front()) << to_string(format);
    ASSERT_EQ(format.maxpos_word(), produced.back()) << to_string(format);
    ASSERT_EQ(produced.size(), static_cast<std::size_t>(produced.back() - produced.front() + 1));
  }
}

TEST(LpFormat, ValuesAscendWithTheWords) {
  for (const LpFormat& format : formats(2, 10, {0})) {
    for (int word = format.minpos_word(); word < format.maxpos_word(); ++word) {
      ASSERT_LT(log2_q14(format, static_cast<Word>(word)), log2_q14(format, static_cast<Word>(word + 1)));
    }
  }
}

TEST(LpRounding, EqualsBruteForceForNarrowFormats) {
  for (const LpFormat& format : formats(2, 6, {0, -77, 13, 32512}))
    ASSERT_NO_FATAL_FAILURE(expect_all_roundings(format));
}

TEST(LpRounding, EqualsBruteForceFor7Bits) {
  for (const LpFormat& format : formats(7, 7, {0, -77})) ASSERT_NO_FATAL_FAILURE(expect_all_roundings(format));
}

TEST(LpRounding, EqualsBruteForceFor8Bits) {
  for (const LpFormat& format : formats(8, 8, {0, 1021})) ASSERT_NO_FATAL_FAILURE(expect_all_roundings(format));
}

TEST(LpRounding, EqualsBruteForceFor11Bits) {
  ASSERT_NO_FATAL_FAILURE(expect_all_roundings({.n = 11, .es = 5, .rs = 10, .sf_q8 = -3}));
}

TEST(LpRounding, WideWordsRoundToTheNearerNeighbour) {
  std::mt19937 random(5);
  for (const LpFormat format : {LpFormat{.n = 16, .es = 0, .rs = 1, .sf_q8 = 3}, LpFormat{.n = 16, .es = 2, .rs = 15},
                                LpFormat{.n = 13, .es = 5, .rs = 4, .sf_q8 = -999}}) {
    for (int i = 0; i < 2000; ++i) {
      const auto lower = static_cast<Word>(
          format.minpos_word() + random() % static_cast<unsigned>(format.maxpos_word() - format.minpos_word()));
      const auto upper = static_cast<Word>(lower + 1);
      const std::int32_t middle_q15 = log2_q14(format, lower) + log2_q14(format, upper) - format.sf_q8 * 128;
      const oracle::Wide middle = oracle::exp2_q15(middle_q15);
      const double nearest = middle.convert_to<double>();
      for (const double x : {std::nextafter(nearest, 0.0), nearest, std::nextafter(nearest, 1e300)}) {
        const int side = oracle::Wide(x).compare(middle);
        const Word expected = side > 0 || (side == 0 && upper % 2 == 0) ? upper : lower;
        ASSERT_EQ(encode(format, x, Rounding::nearest_log), expected) << to_string(format) << " seed 5, word " << lower;
      }
    }
  }
}

TEST(LpRounding, EncodeEqualsTheEncoderWithThresholds) {
  std::mt19937_64 random(11);
  std::vector<LpFormat> some = formats(2, 16, {0, 100});
  std::shuffle(some.begin(), some.end(), random);
  some.resize(60);
  for (const LpFormat& format : some) {
    for (const Rounding rounding : {Rounding::nearest_log, Rounding::nearest_linear, Rounding::posit}) {
      const bool flush = random() % 2 == 0;
      const LpEncoder encoder(format, rounding, flush);
      for (int i = 0; i < 200; ++i) {
        const double x =
            std::ldexp(std::uniform_real_distribution<>(-2, 2)(random), static_cast<int>(random() % 40) - 20);
        ASSERT_EQ(encode(format, x, rounding, flush), encoder(x)) << to_string(format) << " seed 11, x " << x;
      }
      for (int word = 0; word < format.word_count(); word += 1 + format.word_count() / 300) {
        const Word w = static_cast<Word>(word);
        const int magnitude = w > format.nar_word() ? format.word_count() - w : w;
        if (magnitude < format.minpos_word() || magnitude > format.maxpos_word()) continue;
        ASSERT_EQ(encode(format, decode(format, w), rounding, flush), w) << to_string(format);
      }
    }
  }
}

// The worked examples of the format's page.
std::vector<double> positive_logs(const LpFormat& format) {
  std::vector<double> logs;
  for (int word = 1; word <= format.maxpos_word(); ++word) {
    logs.push_back(log2_q14(format, static_cast<Word>(word)) / 16384.0);
  }
  return logs;
}

TEST(LpExamples, FourBitsWithoutExponent) {
  EXPECT_THAT(positive_logs({.n = 4, .es = 0, .rs = 2}), testing::ElementsAre(-1.5, -1, -0.5, 0, 0.5, 1, 1.5));
}

TEST(LpExamples, FourBitsWithExponent) {
  EXPECT_THAT(positive_logs({.n = 4, .es = 1, .rs = 2}), testing::ElementsAre(-3, -2, -1, 0, 1, 2, 3));
}

TEST(LpExamples, EightBitsSpanTwelveOctavesEitherWay) {
  const auto logs = positive_logs({.n = 8, .es = 2, .rs = 3});
  EXPECT_EQ(logs.front(), -11.75);
  EXPECT_EQ(logs.back(), 11.75);
}

TEST(LpExamples, TwoBitsAreTernary) {
  const LpFormat format{.n = 2, .es = 0, .rs = 1, .sf_q8 = 768};
  EXPECT_EQ(decode(format, 0), 0.0);
  EXPECT_EQ(decode(format, 1), 0.125);
  EXPECT_TRUE(std::isnan(decode(format, 2)));
  EXPECT_EQ(decode(format, 3), -0.125);
}

TEST(LpExamples, ScaleFactorMovesTowardsSmallMagnitudes) {
  EXPECT_EQ(decode({.n = 8, .es = 1, .rs = 3, .sf_q8 = 256}, 0x40), 0.5);
}

TEST(LpExamples, TerminatedRunsStopOneShort) {
  const LpFormat format{.n = 8, .es = 1, .rs = 3, .regime = Regime::terminated};
  EXPECT_EQ(decode_fields(format, format.maxpos_word()).k, 1);
  EXPECT_EQ(decode_fields(format, format.minpos_word()).k, -2);
}

TEST(LpRounding, SpecialValuesOfEachMode) {
  const LpFormat format{.n = 8, .es = 1, .rs = 3};
  EXPECT_EQ(encode(format, 0, Rounding::nearest_log), format.minpos_word());
  EXPECT_EQ(encode(format, 0, Rounding::nearest_log, true), 0);
  EXPECT_EQ(encode(format, 0, Rounding::posit), 0);
  EXPECT_EQ(encode(format, 1e-300, Rounding::posit), format.minpos_word());
  EXPECT_EQ(encode(format, 1e-300, Rounding::posit, true), 0);
  EXPECT_EQ(encode(format, 1e-300, Rounding::nearest_linear), 0);
  EXPECT_EQ(encode(format, -1e300, Rounding::nearest_linear), format.word_count() - format.maxpos_word());
  EXPECT_EQ(encode(format, -INFINITY, Rounding::nearest_linear), format.nar_word());
}

TEST(LpText, RoundTrips) {
  for (const LpFormat& format : formats(2, 16, {0, 1, -77, 32512})) {
    ASSERT_EQ(parse_lp_format(to_string(format)), format) << to_string(format);
  }
  EXPECT_EQ(to_string(LpFormat{.n = 8, .es = 1, .rs = 3, .sf_q8 = -64}), "LP<8,1,3,-0.25>");
  EXPECT_EQ(to_string(LpFormat{.n = 8, .es = 1, .rs = 3, .regime = Regime::terminated}), "LP<8,1,3,0,terminated>");
}

TEST(LpText, RoundsTheScaleFactorToItsGrid) {
  EXPECT_EQ(parse_lp_format("LP< 8, 1, 3, 0.001 >").sf_q8, 0);
  EXPECT_EQ(parse_lp_format("LP<8,1,3,0.003>").sf_q8, 1);
}

struct BadText {
  const char* text;
  const char* message;
};

class LpTextErrors : public testing::TestWithParam<BadText> {};

TEST_P(LpTextErrors, NameTheFieldAndWhatWouldBeRight) {
  try {
    parse_lp_format(GetParam().text);
    FAIL() << "no exception";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().text));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, LpTextErrors,
    testing::Values(BadText{"", "it must look like"}, BadText{"LP<8,1>", "LP<n,es,rs,sf>"},
                    BadText{"posit<8,1>", "LP<n,es,rs,sf>"}, BadText{"LP<8,1,3,0", "it must look like"},
                    BadText{"LP<eight,1,3,0>", "n is \"eight\" but must be an integer"},
                    BadText{"LP<17,1,3,0>", "n is 17 but must be 2..16"},
                    BadText{"LP<8,6,3,0>", "es is 6 but must be 0..5 for n = 8"},
                    BadText{"LP<4,2,3,0>", "es is 2 but must be 0..1 for n = 4"},
                    BadText{"LP<8,1,8,0>", "rs is 8 but must be 1..7 for n = 8"},
                    BadText{"LP<8,1,0,0>", "rs is 0 but must be 1..7 for n = 8"},
                    BadText{"LP<8,1,1,0,terminated>", "rs is 1 but must be 2..7 for n = 8 and a terminated regime"},
                    BadText{"LP<2,0,1,0,terminated>", "n is 2 but must be 3..16 for a terminated regime"},
                    BadText{"LP<8,1,3,x>", "sf is \"x\" but must be a number"},
                    BadText{"LP<8,1,3,nan>", "sf is nan but must be -127..127"},
                    BadText{"LP<8,1,3,128>", "sf is 128 but must be -127..127"},
                    BadText{"LP<8,1,3,0,open>", "regime is \"open\" but must be bounded or terminated"}));

TEST(LpFormats, AreAllLegalAndAllDifferent) {
  std::size_t count = 0;
  for (int n = 2; n <= 16; ++n) {
    for (const LpFormat& format : all_lp_formats(n)) {
      EXPECT_EQ(check(format), "");
      ++count;
    }
  }
  // Sum over n of (limit of es + 1) * (n - 1).
  EXPECT_EQ(count, 1u + 2 + 6 + 12 + 20 + 30 + 6u * (7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15));
}

}  // namespace
}  // namespace lpa::formats

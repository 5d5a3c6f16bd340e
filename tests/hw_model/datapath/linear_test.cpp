#include "hw_model/datapath/linear.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "hw_model/datapath/encoder.h"
#include "hw_model/datapath/mac.h"
#include "quant/formats/arithmetic.h"
#include "quant/formats/number_system.h"

namespace lpa::datapath {
namespace {

using formats::Arithmetic;
using formats::NumberSystem;
using formats::Psum;
using formats::TensorFormat;
using formats::Word;

std::vector<TensorFormat> formats_of_system(NumberSystem system) {
  std::vector<TensorFormat> all;
  for (const int bits : {8, 4, 2}) {
    for (const TensorFormat& format : formats_of(system, bits)) all.push_back(format);
  }
  return all;
}

std::vector<TensorFormat> linear_formats() {
  std::vector<TensorFormat> all;
  for (const auto system :
       {NumberSystem::integer, NumberSystem::ant, NumberSystem::adaptivfloat, NumberSystem::posit}) {
    for (const TensorFormat& format : formats_of_system(system)) all.push_back(format);
  }
  return all;
}

Arithmetic fixed(int bits = 32) {
  Arithmetic arithmetic = formats::arithmetic_preset("fixed");
  arithmetic.fixed_bits = bits;
  return arithmetic;
}

Lane lane_of(const TensorFormat& format, int word) {
  return decode_linear(static_cast<std::uint8_t>(word), to_word_format(format));
}

double value(const Lane& lane) {
  return lane.zero ? 0 : (lane.negative ? -1 : 1) * std::ldexp(lane.u, lane.r);
}

TEST(LinearDecoder, EveryWordHasItsValue) {
  for (const TensorFormat& format : linear_formats()) {
    for (int word = 0; word < format.word_count(); ++word) {
      const Lane lane = lane_of(format, word);
      const double expected = formats::decode(format, static_cast<Word>(word));
      ASSERT_EQ(lane.nar, std::isnan(expected)) << to_string(format) << ' ' << word;
      if (lane.nar) continue;
      ASSERT_EQ(lane.zero, expected == 0) << to_string(format) << ' ' << word;
      ASSERT_EQ(value(lane), expected) << to_string(format) << ' ' << word;
    }
  }
}

TEST(LinearDecoder, APackedWordHasItsLanes) {
  for (const TensorFormat& format : linear_formats()) {
    for (int byte = 0; byte < 256; ++byte) {
      const DecodedWord decoded = decode_linear_word(static_cast<std::uint8_t>(byte), to_word_format(format));
      for (int i = 0; i < max_lanes; ++i) {
        const int word = (byte >> (i * format.n)) % format.word_count();
        const Lane expected = i < lanes(format.n) ? lane_of(format, word) : Lane{};
        ASSERT_EQ(decoded.lane.at(static_cast<std::size_t>(i)), expected) << to_string(format) << ' ' << byte;
      }
    }
  }
}

TEST(Fusing, PartsGiveEveryProductOfIntegers) {
  for (const int part : {2, 4}) {
    for (const int a_bits : {8, 4, 2}) {
      for (const int b_bits : {8, 4, 2}) {
        if (a_bits < part || b_bits < part) continue;
        for (int a = -(1 << (a_bits - 1)); a < 1 << (a_bits - 1); ++a) {
          for (int b = -(1 << (b_bits - 1)); b < 1 << (b_bits - 1); ++b) {
            ASSERT_EQ(fused_product(a, a_bits, b, b_bits, part), a * b) << a << " * " << b << " in parts of " << part;
          }
        }
      }
    }
  }
}

/// All pairs of words of a machine.
template <class Check>
void for_products(NumberSystem system, Check check) {
  for (const TensorFormat& weight : formats_of_system(system)) {
    for (const TensorFormat& activation : formats_of_system(system)) {
      for (int w = 0; w < weight.word_count(); ++w) {
        for (int a = 0; a < activation.word_count(); ++a) check(weight, w, activation, a);
      }
    }
  }
}

TEST(LinearMultiplier, EveryProductOfEveryMachine) {
  const auto check_all = [](NumberSystem system, Multiplier multiplier) {
    for_products(system, [&](const TensorFormat& weight, int w, const TensorFormat& activation, int a) {
      const Lane x = lane_of(weight, w), y = lane_of(activation, a);
      const Product product = multiply(multiplier, x, weight.n, y, activation.n);
      ASSERT_EQ(product.nar, x.nar || y.nar);
      if (product.nar) return;
      ASSERT_EQ(product.zero, x.zero || y.zero);
      if (product.zero) return;
      const double result = (product.negative ? -1 : 1) * std::ldexp(product.u, product.r);
      ASSERT_EQ(result, value(x) * value(y))
          << to_string(weight) << ' ' << w << ", " << to_string(activation) << ' ' << a;
    });
  };
  check_all(NumberSystem::integer, Multiplier::significands);
  check_all(NumberSystem::integer, Multiplier::bricks);
  check_all(NumberSystem::ant, Multiplier::nibbles);
  check_all(NumberSystem::adaptivfloat, Multiplier::significands);
  check_all(NumberSystem::posit, Multiplier::significands);
}

TEST(LinearAdder, EveryProductAddsAsTheGoldenAccumulatorHasIt) {
  const LogLinearConverter converter(formats::Converter::exact_table, 8);
  for (const auto system :
       {NumberSystem::integer, NumberSystem::ant, NumberSystem::adaptivfloat, NumberSystem::posit}) {
    for (const int bits : {32, 10}) {
      for (const int lsb : {-6, 0, 3}) {
        const formats::Accumulator golden(fixed(bits), 8, lsb);
        const AddStage adder(converter, fixed(bits), 8, lsb, true);
        const Psum before{bits == 10 ? -300 : 7, 0, false};
        for_products(system, [&](const TensorFormat& weight, int w, const TensorFormat& activation, int a) {
          formats::AccumulateEvents events, expected_events;
          const Product product =
              multiply(Multiplier::significands, lane_of(weight, w), weight.n, lane_of(activation, a), activation.n);
          const Psum expected = golden.mac(before, to_operand(weight, static_cast<Word>(w)),
                                           to_operand(activation, static_cast<Word>(a)), &expected_events);
          ASSERT_EQ(adder.add(before, product, events), expected) << to_string(weight) << ' ' << w << ' ' << a;
          ASSERT_EQ(events.saturations, expected_events.saturations);
          ASSERT_EQ(events.nar_products, expected_events.nar_products);
        });
      }
    }
  }
}

TEST(LinearEncoder, GivesTheGoldenEncodersWords) {
  const unsigned seed = 27;
  std::mt19937_64 random(seed);
  const LinearLogConverter converter(8);
  for (const TensorFormat& format : linear_formats()) {
    for (int i = 0; i < 1000; ++i) {
      const int lsb = static_cast<int>(random() % 40) - 25, scale_q8 = static_cast<int>(random() % 16384) - 8192;
      const Encoder encoder(converter, fixed(), to_word_format(format), 8, lsb, scale_q8);
      const formats::PsumEncoder golden(fixed(), format, 8, lsb, scale_q8);
      const auto check = [&](std::int32_t sum, bool nar, int channel_q8) {
        const Psum psum{sum, 0, nar};
        ASSERT_EQ(encoder(psum, static_cast<std::int16_t>(channel_q8)), golden(psum, channel_q8))
            << to_string(format) << ", sum " << sum << ", lsb " << lsb << ", scale " << scale_q8 << " + " << channel_q8
            << ", seed " << seed;
      };
      for (int j = 0; j < 60; ++j) {
        const auto magnitude = static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) >> (random() % 32));
        check(magnitude, false, static_cast<int>(random() % 2048) - 1024);
      }
      check(std::numeric_limits<std::int32_t>::min(), false, 0);
      check(std::numeric_limits<std::int32_t>::max(), false, 0);
      check(0, false, 0);
      check(0, true, 0);
    }
  }
}

TEST(LinearEncoder, BehindThePostProcessingUnitGivesTheGoldenEncodersWords) {
  for (const TensorFormat& format : linear_formats()) {
    for (const int log_bits : {4, 8, 12}) {
      Arithmetic arithmetic = fixed();
      arithmetic.encoder_log_bits = log_bits;
      const LinearLogConverter converter(log_bits);
      const Encoder encoder = Encoder::for_ppu(converter, arithmetic, to_word_format(format), 100);
      const formats::PsumEncoder golden = formats::PsumEncoder::for_ppu(arithmetic, format, 100);
      for (int log = -25 * 256; log <= 25 * 256; ++log) {
        for (const bool negative : {false, true}) {
          const std::int32_t fine = log * (1 << (Encoder::log_bits - 8));
          ASSERT_EQ(encoder.word(fine, negative), golden.from_log(negative, log)) << to_string(format) << ' ' << log;
        }
      }
      std::mt19937_64 random(3);
      for (int i = 0; i < 20000; ++i) {
        const auto magnitude = static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) >> (random() % 32));
        const Psum psum{magnitude, static_cast<std::int16_t>(static_cast<int>(random() % 30) - 15), false};
        ASSERT_EQ(encoder(psum), golden(psum)) << to_string(format) << ' ' << psum.value << ' ' << psum.exponent;
      }
    }
  }
}

}  // namespace
}  // namespace lpa::datapath

#include "quant/lpq/software_machine.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/quant/lpq/naive_machine.h"
#include "tests/quant/lpq/random_model.h"

namespace lpa::lpq {
namespace {

using formats::AccumulateEvents;
using formats::Arithmetic;
using formats::LpFormat;
using testing::make_random_model;
using testing::RandomModel;
using testing::run_naively;

struct NamedArithmetic {
  const char* name;
  Arithmetic arithmetic;
};

std::vector<NamedArithmetic> arithmetics() {
  Arithmetic narrow = formats::arithmetic_preset("fixed");
  narrow.fixed_bits = 14;
  Arithmetic mitchell = formats::arithmetic_preset("wide");
  mitchell.converter = formats::Converter::mitchell;
  mitchell.flush = false;
  mitchell.encoder_log_bits = 5;
  Arithmetic tight = formats::arithmetic_preset("poster");
  tight.ppu = {.integer_bits = 2, .fraction_bits = 5};
  return {{"wide", formats::arithmetic_preset("wide")},   {"poster", formats::arithmetic_preset("poster")},
          {"fixed", formats::arithmetic_preset("fixed")}, {"14-bit fixed", narrow},
          {"mitchell without flush", mitchell},           {"poster with a narrow post-processing unit", tight}};
}

struct Seen {
  std::set<std::pair<int, formats::Word>> words;  ///< by output width
  std::set<workloads::LayerKind> kinds;
  std::set<int> weight_bits;
  std::set<workloads::Activation::Kind> curves;  ///< of layers on the array
  int residuals = 0, grouped = 0, dilated = 0, strided = 0;
  int masked_products = 0, residual_products = 0, constants = 0, converting_copies = 0;
  std::uint64_t saturations = 0, nar_products = 0;
};

void expect_agreement(std::uint64_t seed, bool nar_input, const NamedArithmetic& named, Seen& seen,
                      formats::NumberSystem numbers = formats::NumberSystem::lp) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + named.name + (nar_input ? ", with NaR" : ""));
  const RandomModel random = make_random_model(seed, nar_input, numbers);
  AccumulateEvents expected_events, events, end_events;
  const auto expected = run_naively(random.graph, random.model, named.arithmetic, random.input, expected_events);
  const SoftwareMachine machine(random.graph, random.model, named.arithmetic);
  const auto maps = machine.run(random.input, &events);
  ASSERT_EQ(maps.size(), expected.size());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    ASSERT_EQ(maps[i], expected[i]) << "layer " << i << " of kind " << static_cast<int>(random.graph.layers[i].kind);
  }
  EXPECT_EQ(events.saturations, expected_events.saturations);
  EXPECT_EQ(events.nar_products, expected_events.nar_products);
  EXPECT_EQ(machine.run_to_end(random.input, &end_events), maps.back());
  EXPECT_EQ(end_events.saturations, events.saturations);

  for (std::size_t i = 0; i < maps.size(); ++i) {
    const workloads::Layer& layer = random.graph.layers[i];
    for (const auto word : maps[i].words) seen.words.emplace(random.model.layers[i].output.n, word);
    seen.kinds.insert(layer.kind);
    if (layer.uses_array()) seen.curves.insert(layer.activation.kind);
    if (layer.kind == workloads::LayerKind::matmul) {
      seen.masked_products += workloads::is_constant(layer.addend);
      seen.residual_products += layer.addend >= workloads::network_input;
    }
    seen.constants += workloads::is_constant(layer.addend);
    seen.converting_copies += layer.kind == workloads::LayerKind::copy && !random.model.layers[i].tables[0].empty();
    if (layer.kind != workloads::LayerKind::conv) continue;
    seen.weight_bits.insert(random.model.layers[i].weight.n);
    seen.residuals += layer.addend != workloads::no_operand;
    seen.grouped += layer.geometry.groups > 1;
    seen.dilated += layer.geometry.dilation_h > 1 && layer.geometry.kernel_h > 1;
    seen.strided += layer.geometry.stride_w > 1;
  }
  seen.saturations += events.saturations;
  seen.nar_products += events.nar_products;
}

TEST(SoftwareMachine, ComputesTheWordsAndEventsOfTheRulesOnRandomGraphs) {
  Seen seen;
  for (const NamedArithmetic& named : arithmetics()) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) expect_agreement(seed, false, named, seen);
  }
  // The graphs must have been worth the comparison.
  EXPECT_EQ(seen.kinds.size(), 8U);
  EXPECT_EQ(seen.curves.size(), 4U);
  EXPECT_GT(seen.masked_products, 20);
  EXPECT_GT(seen.residual_products, 5);
  EXPECT_GT(seen.constants, 50);
  EXPECT_GT(seen.converting_copies, 50);
  EXPECT_EQ(seen.weight_bits, (std::set<int>{2, 4, 8}));
  EXPECT_GT(seen.words.size(), 200U);
  EXPECT_GT(seen.residuals, 20);
  EXPECT_GT(seen.grouped, 20);
  EXPECT_GT(seen.dilated, 20);
  EXPECT_GT(seen.strided, 20);
  EXPECT_GT(seen.saturations, 100U);
  EXPECT_EQ(seen.nar_products, 0U);
}

TEST(SoftwareMachine, ComputesTheWordsOfOtherMachinesOnRandomGraphs) {
  for (const std::string& name : formats::number_system_names()) {
    SCOPED_TRACE(name);
    const auto numbers = formats::parse_number_system(name);
    if (numbers == formats::NumberSystem::lp) continue;
    Seen seen;
    for (const NamedArithmetic& named : arithmetics()) {
      if (named.arithmetic.psum != formats::PsumKind::fixed) continue;
      for (std::uint64_t seed = 300; seed < 340; ++seed) expect_agreement(seed, seed % 8 == 0, named, seen, numbers);
    }
    EXPECT_EQ(seen.kinds.size(), 8U);
    EXPECT_EQ(seen.curves.size(), 4U);
    EXPECT_GT(seen.words.size(), 200U);
    EXPECT_EQ(seen.nar_products > 0, numbers == formats::NumberSystem::posit);
  }
}

TEST(SoftwareMachine, SpreadsANotARealAsTheRulesSay) {
  Seen seen;
  for (const NamedArithmetic& named : arithmetics()) {
    for (std::uint64_t seed = 100; seed < 110; ++seed) expect_agreement(seed, true, named, seen);
  }
  EXPECT_GT(seen.nar_products, 50U);
}

TEST(SoftwareMachine, RejectsArithmeticThatCannotBe) {
  const RandomModel random = make_random_model(1, false);
  Arithmetic arithmetic = formats::arithmetic_preset("wide");
  arithmetic.lf_bits = 17;
  EXPECT_THROW(SoftwareMachine(random.graph, random.model, arithmetic), formats::FormatError);
}

TEST(SoftwareMachine, RejectsAModelOfAnotherNumberOfLayers) {
  RandomModel random = make_random_model(1, false);
  random.model.layers.pop_back();
  EXPECT_THROW(SoftwareMachine(random.graph, random.model, formats::arithmetic_preset("wide")), formats::FormatError);
}

TEST(QuantizeInput, RoundsToTheNearestValueAndTurnsChannelsInnermost) {
  const LpFormat format{.n = 8, .es = 1, .rs = 3, .sf_q8 = 40};
  workloads::Tensor image{.shape = {1, 2, 2, 3}, .data = {}};
  for (int i = 0; i < 12; ++i) image.data.push_back(static_cast<float>(0.37 * i - 2));
  const WordMap map = quantize_input(image, format);
  EXPECT_EQ(map.height, 2);
  EXPECT_EQ(map.width, 3);
  EXPECT_EQ(map.channels, 2);
  for (std::size_t c = 0; c < 2; ++c) {
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(map.words.at(i * 2 + c),
                formats::encode(format, image.data[c * 6 + i], formats::Rounding::nearest_linear));
    }
  }
}

TEST(Dequantize, IsTheInverseOfQuantizingWordsValues) {
  const LpFormat format{.n = 4, .es = 0, .rs = 2, .sf_q8 = -13};
  WordMap map{.height = 2, .width = 4, .channels = 2, .words = {}};
  for (formats::Word word = 0; word < 16; ++word)
    map.words.push_back(word == format.nar_word() ? formats::Word{0} : word);
  const workloads::Tensor tensor = dequantize(map, format);
  EXPECT_EQ(tensor.shape, (workloads::Shape{1, 2, 2, 4}));
  EXPECT_FLOAT_EQ(tensor.data.at(8 + 3), static_cast<float>(formats::decode(format, 7)));  // channel 1, pixel 3
  EXPECT_EQ(quantize_input(tensor, format), map);
}

TEST(Argmax, ComparesFlintByTheirMagnitudes) {
  const formats::TensorFormat flint(formats::Family::flint, 4, 0, 0);
  // 5 is 8 and 4 is 16; with the sign bit they are negative.
  EXPECT_EQ(argmax({.height = 1, .width = 1, .channels = 4, .words = {7, 5, 4, 12}}, flint), 2);
  EXPECT_EQ(argmax({.height = 1, .width = 1, .channels = 3, .words = {12, 13, 15}}, flint), 2);
}

TEST(Argmax, TakesTheLargestValueTheFirstOfEqualsAndNeverNotAReal) {
  const LpFormat format{.n = 4, .es = 0, .rs = 2};
  const auto best = [&format](std::vector<formats::Word> words) {
    return argmax({.height = 1, .width = 1, .channels = static_cast<int>(words.size()), .words = std::move(words)},
                  format);
  };
  EXPECT_EQ(best({15, 9, 0, 14}), 2);  // -minpos, -maxpos, zero, less than -minpos
  EXPECT_EQ(best({1, 7, 7, 3}), 1);
  EXPECT_EQ(best({8, 9, 10}), 2);  // NaR, -maxpos, next to -maxpos
  EXPECT_EQ(best({8, 8}), 0);
}

}  // namespace
}  // namespace lpa::lpq

#include "hw_model/cost/constants.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/input_error.h"

namespace lpa::cost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using workloads::InputError;

std::string entry(const std::string& changed = "", const std::string& value = "") {
  std::string text;
  for (const auto& [key, usual] : {std::pair{"name", R"("dram.read")"},
                                   {"value", "2"},
                                   {"low", "1"},
                                   {"high", "3"},
                                   {"unit", R"("pJ/bit")"},
                                   {"node", R"("28 nm")"},
                                   {"source", R"("a book, page 7")"},
                                   {"scaling", R"("none")"}}) {
    const std::string& now = key == changed ? value : usual;
    if (now.empty()) continue;
    text += (text.empty() ? "" : ", ") + ('"' + std::string(key) + "\": ") + now;
  }
  return "{" + text + "}";
}

std::string file(const std::string& entries) {
  return R"({"constants": [)" + entries + "]}";
}

std::string error_of(const std::string& text) {
  try {
    Constants::parse(text, "costs.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Constants, EveryShippedOneHasASourceAndARange) {
  const Constants& constants = Constants::shipped();
  EXPECT_EQ(constants.all().size(), 8u + 7u + 16u + 3u);
  for (const auto& [name, constant] : constants.all()) {
    EXPECT_GT(constant.low, 0) << name;
    EXPECT_LE(constant.low, constant.value) << name;
    EXPECT_GE(constant.high, constant.value) << name;
    EXPECT_GE(constant.source.size(), 12u) << name << ": no reader would find that";
    EXPECT_FALSE(constant.scaling.empty()) << name;
  }
}

TEST(Constants, DerivedOnesAreWhatTheirEntriesSay) {
  const Constants& constants = Constants::shipped();
  // Stillmaker and Baas: energy as a polynomial of the supply voltage.
  const double v = 0.9;
  const double nm45 = 1.103 * v * v - 0.362 * v + 0.2767, nm32 = 0.9559 * v * v - 0.7823 * v + 0.471,
               nm20 = 0.373 * v * v - 0.1582 * v + 0.04104;
  const double nm28 = nm32 * std::pow(nm20 / nm32, std::log(32.0 / 28) / std::log(32.0 / 20));
  EXPECT_NEAR(constants["logic.energy_scaling"], nm28 / nm45, 5e-4);
  EXPECT_NEAR(constants.all().find("logic.energy_scaling")->second.high, nm32 / nm45, 5e-4);
  EXPECT_NEAR(constants.all().find("logic.energy_scaling")->second.low, 28.0 * 28 / (45 * 45), 5e-4);
  EXPECT_DOUBLE_EQ(constants["dram.background"], 0.969 * 500);  // nJ times MHz are mW.
  EXPECT_NEAR(constants["cell.full_adder"], 3.04 * 1.4, 1e-9);
  EXPECT_NEAR(constants["cell.flip_flop"], 3.23 * 1.4, 1e-9);
}

TEST(Constants, AnEntryWithoutASourceIsRefused) {
  EXPECT_EQ(error_of(file(entry())), "");
  for (const char* field : {"source", "value", "low", "high", "unit", "node", "scaling"}) {
    EXPECT_EQ(error_of(file(entry(field))), std::string("costs.json: 'dram.read': '") + field + "' is missing");
  }
  EXPECT_EQ(error_of(file(entry("source", R"("")"))), "costs.json: 'dram.read': 'source' is \"\", expected a text");
  EXPECT_EQ(error_of(file(entry("name"))), "costs.json: constants[0]: 'name' is missing");
}

TEST(Constants, ValuesArePositiveAndInTheirRange) {
  for (const char* number : {"0", "-1", "\"2\"", "null", "1e999"}) {
    EXPECT_NE(error_of(file(entry("value", number))), "") << number;
  }
  EXPECT_THAT(error_of(file(entry("low", "2.5"))), AllOf(HasSubstr("'value' is 2"), HasSubstr("2.5 to 3")));
  EXPECT_THAT(error_of(file(entry("high", "1.5"))), HasSubstr("'value' is 2"));
}

TEST(Constants, OtherFilesAreRefusedInOneLine) {
  EXPECT_THAT(error_of("{"), HasSubstr("costs.json: not JSON"));
  EXPECT_THAT(error_of("[]"), HasSubstr("array 'constants'"));
  EXPECT_THAT(error_of(R"({"constants": {}})"), HasSubstr("array 'constants'"));
  EXPECT_THAT(error_of(file("7")), HasSubstr("constants[0]: expected an object"));
  EXPECT_THAT(error_of(file(entry() + "," + entry())), HasSubstr("'dram.read' is there twice"));
  EXPECT_EQ(error_of(file("")), "");
}

TEST(Constants, AFileReplacesWhatItNames) {
  const Constants& shipped = Constants::shipped();
  const Constants changed = shipped.with(Constants::parse(file(entry()), "costs.json"), "costs.json");
  for (const auto& [name, constant] : changed.all()) {
    EXPECT_EQ(constant.value, name == "dram.read" ? 2 : shipped[name]) << name;
  }
  const auto error_with = [&](const std::string& field, const std::string& value) -> std::string {
    try {
      shipped.with(Constants::parse(file(entry(field, value)), "costs.json"), "costs.json");
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_with("name", R"("dram.reed")"), HasSubstr("did you mean 'dram.read'?"));
  EXPECT_THAT(error_with("unit", R"("nJ/bit")"), AllOf(HasSubstr("'nJ/bit'"), HasSubstr("expected 'pJ/bit'")));
}

TEST(Constants, DrawsStayInTheRangesAndDependOnTheSeedOnly) {
  const Constants& shipped = Constants::shipped();
  std::set<double> seen;
  int below = 0;
  constexpr int draws = 400;
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const Constants drawn = shipped.drawn(seed);
    for (const auto& [name, constant] : shipped.all()) {
      EXPECT_GE(drawn[name], constant.low * (1 - 1e-12)) << name;
      EXPECT_LE(drawn[name], constant.high * (1 + 1e-12)) << name;
    }
    EXPECT_EQ(drawn["dram.read"], shipped.drawn(seed)["dram.read"]);
    seen.insert(drawn["dram.read"]);
    below += drawn["dram.read"] < shipped["dram.read"] ? 1 : 0;
  }
  EXPECT_EQ(seen.size(), draws);
  EXPECT_GT(below, draws / 2 - 60) << "the value is the median";
  EXPECT_LT(below, draws / 2 + 60);
}

}  // namespace
}  // namespace lpa::cost

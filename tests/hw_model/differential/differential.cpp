// Random layers on random machines, pin-level model against fast model: words, counters and the edges of every tile,
// transfer and stall must be equal. Usage: lpasim_differential [--seed S] [--count N]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <systemc>

#include "tests/hw_model/differential/run_case.h"

namespace {

using lpa::driver::ModelKind;
using lpa::test::Case;
using lpa::test::Choices;
using lpa::test::Record;
using lpa::test::RunningCase;

/// What a run of cases has covered.
struct Coverage {
  std::uint64_t cases = 0, layers = 0, tiles = 0, cycles = 0, skipped = 0;
  std::array<std::uint64_t, lpa::hw::cause_count> causes{};
  std::uint64_t saturations = 0, nars = 0;

  void add(const Case& test, const Record& record) {
    ++cases;
    layers += test.layers.size();
    tiles += record.counters.tiles;
    cycles += record.counters.cycles;
    skipped += record.skipped;
    saturations += record.counters.saturations;
    nars += record.counters.nar_products;
    for (std::size_t i = 0; i < causes.size(); ++i) causes[i] += record.counters.by_cause[i];
  }
  void print() const {
    fmt::print("{} cases, {} layers, {} tiles, {} cycles (", cases, layers, tiles, cycles);
    for (std::size_t i = 0; i < causes.size(); ++i) {
      fmt::print("{}{} {}", i == 0 ? "" : ", ", lpa::hw::cause_names[i], causes[i]);
    }
    fmt::print("), {} saturations, {} NaR products, {} cycles skipped by the fast model: no difference\n", saturations,
               nars, skipped);
  }
};

/// Runs a case on the pin-level model and on the fast one, with and without a timeline. How they differ.
std::string compare(const Case& test, Record& expected) {
  RunningCase pin(test, ModelKind::pin);
  RunningCase fast(test, ModelKind::fast);
  RunningCase untraced(test, ModelKind::fast, false);
  expected = pin.take();
  std::string what = difference(expected, fast.take());
  const Record last = untraced.take();
  expected.skipped = last.skipped;
  const std::string without_timeline = difference(expected, last);
  if (what.empty() && !without_timeline.empty()) what = "without a timeline, " + without_timeline;
  return what;
}

/// The case of these choices, and how the models differ on it.
std::string try_case(const std::vector<std::uint32_t>& choices, Case& test) {
  Choices given(choices);
  test = lpa::test::make_case(given);
  if (test.layers.empty()) return {};
  Record expected;
  return compare(test, expected);
}

/// Lowers one choice after the other as long as the models still differ.
std::vector<std::uint32_t> shrink(std::vector<std::uint32_t> choices) {
  Case test;
  int attempts = 0;
  for (bool smaller = true; smaller && attempts < 2000;) {
    smaller = false;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      for (const std::uint32_t value : {0u, choices[i] / 2, choices[i] - 1}) {
        if (choices[i] == 0 || value >= choices[i]) continue;
        std::vector<std::uint32_t> candidate = choices;
        candidate[i] = value;
        ++attempts;
        if (try_case(candidate, test).empty()) continue;
        choices = std::move(candidate);
        smaller = true;
        break;
      }
    }
  }
  return choices;
}

void report(std::uint64_t seed, const std::vector<std::uint32_t>& choices) {
  Case test;
  std::string what = try_case(choices, test);
  fmt::print("seed {}: {}\n{}", seed, what, to_string(test));
  fmt::print("  repeat: lpasim_differential --seed {} --count 1\nShrinking ...\n", seed);
  std::fflush(stdout);
  const std::vector<std::uint32_t> small = shrink(choices);
  what = try_case(small, test);
  fmt::print("smallest: {}\n{}  repeat: lpasim_differential --choices {}\n", what, to_string(test),
             fmt::join(small, ","));
}

int run(std::uint64_t seed, std::uint64_t count, bool progress) {
  Coverage coverage;
  for (std::uint64_t i = 0; i < count; ++i) {
    Choices choices(seed + i);
    const Case test = lpa::test::make_case(choices);
    if (test.layers.empty()) continue;
    Record expected;
    if (!compare(test, expected).empty()) {
      report(seed + i, choices.made());
      return 1;
    }
    coverage.add(test, expected);
    if (progress && i % 50 == 49) {
      fmt::print(stderr, "\r{} of {}", i + 1, count);
      std::fflush(stderr);
    }
  }
  if (progress) fmt::print(stderr, "\n");
  coverage.print();
  return 0;
}

std::vector<std::uint32_t> parse_choices(const std::string& text) {
  std::vector<std::uint32_t> choices;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    choices.push_back(static_cast<std::uint32_t>(std::stoul(text.substr(at, comma - at))));
    at = comma + 1;
  }
  return choices;
}

}  // namespace

// libsystemc brings a main() of its own; each case is simulated in a process of its own.
int main(int argc, char** argv) {
  namespace po = boost::program_options;
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  po::options_description options("Random layers on random machines, pin-level against fast model");
  options.add_options()("help,h", "this text")("seed", po::value<std::uint64_t>()->default_value(1),
                                               "of the first case")(
      "count", po::value<std::uint64_t>()->default_value(200), "cases; seeds follow each other")(
      "choices", po::value<std::string>(), "run the one case that these choices make")("quiet", "no progress");
  try {
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, options), values);
    po::notify(values);
    if (values.contains("help")) {
      std::cout << options;
      return 0;
    }
    if (values.contains("choices")) {
      Case test;
      const std::string what = try_case(parse_choices(values["choices"].as<std::string>()), test);
      fmt::print("{}{}\n", to_string(test), what.empty() ? "no difference" : what);
      return what.empty() ? 0 : 1;
    }
    const bool progress = isatty(STDERR_FILENO) != 0 && !values.contains("quiet");
    return run(values["seed"].as<std::uint64_t>(), values["count"].as<std::uint64_t>(), progress);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lpasim_differential: {}\n", error.what());
    return 2;
  }
}

int sc_main(int, char**) {
  return 0;
}

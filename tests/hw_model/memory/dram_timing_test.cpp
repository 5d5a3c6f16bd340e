// Every timing of the DRAM where it alone decides: as long as it is, a clock more if it is a clock longer, and
// forbidden a clock earlier.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/hw_model/memory/dram_lab.h"
#include "tests/hw_model/memory/dram_trace.h"

namespace lpa::hw {
namespace {

using test::dram_lab;
using test::DramBench;
using test::Kind;
using test::LabPlace;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Request {
  LabPlace place;
  bool write;
  std::int64_t arrival;
};

struct TimingCase {
  const char* name;
  const char* rule;  ///< As the judge calls it.
  int DramDevice::*timing;
  std::vector<Request> requests;
  Kind from, to;  ///< The distance measured: from the last `from` before the last `to`, ...
  int back = 1;   ///< ... or from the one so many before.
  std::function<int(const DramDevice&)> expected;
  std::function<void(DramConfig&)> adjust = [](DramConfig&) {};
};

void PrintTo(const TimingCase& c, std::ostream* out) {
  *out << c.name;
}

test::DramTrace run(const DramConfig& config, const TimingCase& c) {
  DramBench bench(config);
  for (const Request& r : c.requests) bench.serve(r.place.address(config.ranks), 64, r.write, r.arrival);
  return bench.trace();
}

std::int64_t distance(test::DramTrace trace, const TimingCase& c) {
  std::ranges::stable_sort(trace, {}, &test::TracedCommand::cycle);
  auto to = trace.rbegin();
  while (to != trace.rend() && to->kind != c.to) ++to;
  int back = c.back;
  auto from = to;
  while (from != trace.rend() && back > 0) {
    ++from;
    if (from != trace.rend() && from->kind == c.from) --back;
  }
  if (from == trace.rend()) throw std::logic_error("no such pair of commands");
  return to->cycle - from->cycle;
}

class DramTimingOf : public ::testing::TestWithParam<TimingCase> {};

TEST_P(DramTimingOf, BindsFromBothSides) {
  const TimingCase& c = GetParam();
  DramConfig config = dram_lab();
  c.adjust(config);
  config.validate();
  const test::DramTrace trace = run(config, c);
  EXPECT_EQ(distance(trace, c), c.expected(config.device));
  EXPECT_THAT(test::violations(trace, config), IsEmpty());
  EXPECT_THAT(test::late_commands(trace, config), IsEmpty());

  DramConfig longer = config;
  ++(longer.device.*c.timing);
  EXPECT_EQ(distance(run(longer, c), c), distance(trace, c) + 1);
  EXPECT_THAT(test::violations(run(longer, c), longer), IsEmpty());
  EXPECT_THAT(test::violations(trace, longer), Contains(StartsWith(c.rule))) << "a clock earlier than allowed";

  DramConfig shorter = config;
  --(shorter.device.*c.timing);
  EXPECT_EQ(distance(run(shorter, c), c), distance(trace, c) - 1);
}

constexpr LabPlace at(int group, int bank, std::uint64_t row = 0) {
  return {0, group, bank, row, 0};
}

void two_ranks(DramConfig& config) {
  config.ranks = 2;
}
void refreshing(DramConfig& config) {
  config.refresh = true;
}
void refreshing_closed(DramConfig& config) {
  config.refresh = true;
  config.page_policy = PagePolicy::closed;
}

// Requests at 0 open rows; at 200 all of a rank's first rules are over.
const TimingCase cases[] = {
    {"tRCD",
     "tRCD",
     &DramDevice::rcd,
     {{at(0, 0), false, 0}},
     Kind::activate,
     Kind::read,
     1,
     [](auto& d) { return d.rcd; }},
    {"tRCD_write",
     "tRCD",
     &DramDevice::rcd,
     {{at(0, 0), true, 0}},
     Kind::activate,
     Kind::write,
     1,
     [](auto& d) { return d.rcd; }},
    {"tRP",
     "tRP",
     &DramDevice::rp,
     {{at(0, 0), false, 0}, {at(0, 0, 1), false, 200}},
     Kind::precharge,
     Kind::activate,
     1,
     [](auto& d) { return d.rp; }},
    {"tRAS",
     "tRAS",
     &DramDevice::ras,
     {{at(0, 0), false, 0}, {at(0, 0, 1), false, 0}},
     Kind::activate,
     Kind::precharge,
     1,
     [](auto& d) { return d.ras; }},
    {"tRC",
     "tRC",
     &DramDevice::rc,
     {{at(0, 0), false, 0}, {at(0, 0, 1), false, 0}},
     Kind::activate,
     Kind::activate,
     1,
     [](auto& d) { return d.rc; }},
    {"tRTP",
     "tRTP",
     &DramDevice::rtp,
     {{at(0, 0), false, 0}, {at(0, 0), false, 200}, {at(0, 0, 1), false, 200}},
     Kind::read,
     Kind::precharge,
     1,
     [](auto& d) { return d.rtp; }},
    {"tWR",
     "tWR",
     &DramDevice::wr,
     {{at(0, 0), true, 0}, {at(0, 0, 1), false, 0}},
     Kind::write,
     Kind::precharge,
     1,
     [](auto& d) { return d.cwl + 2 + d.wr; }},
    {"tCCD_S",
     "tCCD_S",
     &DramDevice::ccd_s,
     {{at(0, 0), false, 0}, {at(1, 0), false, 0}, {at(0, 0), false, 200}, {at(1, 0), false, 200}},
     Kind::read,
     Kind::read,
     1,
     [](auto& d) { return d.ccd_s; }},
    {"tCCD_L",
     "tCCD_L",
     &DramDevice::ccd_l,
     {{at(0, 0), false, 0}, {at(0, 1), false, 0}, {at(0, 0), false, 200}, {at(0, 1), false, 200}},
     Kind::read,
     Kind::read,
     1,
     [](auto& d) { return d.ccd_l; }},
    {"tCCD_S_write",
     "tCCD_S",
     &DramDevice::ccd_s,
     {{at(0, 0), true, 0}, {at(1, 0), true, 0}, {at(0, 0), true, 200}, {at(1, 0), true, 200}},
     Kind::write,
     Kind::write,
     1,
     [](auto& d) { return d.ccd_s; }},
    {"tCCD_L_write",
     "tCCD_L",
     &DramDevice::ccd_l,
     {{at(0, 0), true, 0}, {at(0, 1), true, 0}, {at(0, 0), true, 200}, {at(0, 1), true, 200}},
     Kind::write,
     Kind::write,
     1,
     [](auto& d) { return d.ccd_l; }},
    {"tCCD_L_across",
     "tCCD_L",
     &DramDevice::ccd_l,  // Of the group, though another group was served in between.
     {{at(0, 0), false, 0},
      {at(1, 0), false, 0},
      {at(0, 0), false, 200},
      {at(1, 0), false, 200},
      {at(0, 0), false, 200}},
     Kind::read,
     Kind::read,
     2,
     [](auto& d) { return d.ccd_l; },
     [](auto& c) { c.device.ccd_l = 10; }},
    {"tRRD_S",
     "tRRD_S",
     &DramDevice::rrd_s,
     {{at(0, 0), false, 0}, {at(1, 0), false, 0}},
     Kind::activate,
     Kind::activate,
     1,
     [](auto& d) { return d.rrd_s; }},
    {"tRRD_L",
     "tRRD_L",
     &DramDevice::rrd_l,
     {{at(0, 0), false, 0}, {at(0, 1), false, 0}},
     Kind::activate,
     Kind::activate,
     1,
     [](auto& d) { return d.rrd_l; }},
    {"tFAW",
     "tFAW",
     &DramDevice::faw,
     {{at(0, 0), false, 0}, {at(1, 0), false, 0}, {at(0, 1), false, 0}, {at(1, 1), false, 0}, {at(0, 2), false, 0}},
     Kind::activate,
     Kind::activate,
     4,
     [](auto& d) { return d.faw; }},
    {"tWTR_S",
     "tWTR_S",
     &DramDevice::wtr_s,
     {{at(0, 0), false, 0}, {at(1, 0), false, 0}, {at(0, 0), true, 200}, {at(1, 0), false, 200}},
     Kind::write,
     Kind::read,
     1,
     [](auto& d) { return d.cwl + 2 + d.wtr_s; }},
    {"tWTR_L",
     "tWTR_L",
     &DramDevice::wtr_l,
     {{at(0, 0), false, 0}, {at(0, 1), false, 0}, {at(0, 0), true, 200}, {at(0, 1), false, 200}},
     Kind::write,
     Kind::read,
     1,
     [](auto& d) { return d.cwl + 2 + d.wtr_l; }},
    {"tWTR_L_across",
     "tWTR_L",
     &DramDevice::wtr_l,  // Of the group, though another group was read in between.
     {{at(0, 0), false, 0},
      {at(1, 0), false, 0},
      {at(0, 0), true, 200},
      {at(1, 0), false, 200},
      {at(0, 0), false, 200}},
     Kind::write,
     Kind::read,
     1,
     [](auto& d) { return d.cwl + 2 + d.wtr_l; }},
    {"tRTW",
     "tRTW",
     &DramDevice::rtw,
     {{at(0, 0), false, 0}, {at(0, 0), false, 200}, {at(0, 0), true, 200}},
     Kind::read,
     Kind::write,
     1,
     [](auto& d) { return d.rtw; }},
    {"rank_switch",
     "rank switch",
     &DramDevice::rank_switch,
     {{{0, 0, 0, 0, 0}, false, 0},
      {{1, 0, 0, 0, 0}, false, 0},
      {{0, 0, 0, 0, 0}, false, 200},
      {{1, 0, 0, 0, 0}, false, 200}},
     Kind::read,
     Kind::read,
     1,
     [](auto& d) { return 2 + d.rank_switch; },
     two_ranks},
    {"rank_switch_write",
     "rank switch",
     &DramDevice::rank_switch,
     {{{0, 0, 0, 0, 0}, true, 0},
      {{1, 0, 0, 0, 0}, true, 0},
      {{0, 0, 0, 0, 0}, true, 200},
      {{1, 0, 0, 0, 0}, true, 200}},
     Kind::write,
     Kind::write,
     1,
     [](auto& d) { return 2 + d.rank_switch; },
     two_ranks},
    {"rank_switch_turn",
     "rank switch",
     &DramDevice::rank_switch,
     {{{0, 0, 0, 0, 0}, true, 0},
      {{1, 0, 0, 0, 0}, true, 0},
      {{0, 0, 0, 0, 0}, true, 200},
      {{1, 0, 0, 0, 0}, false, 200}},
     Kind::write,
     Kind::read,
     1,
     [](auto& d) { return d.cwl + 2 + d.rank_switch - d.cl; },
     two_ranks},
    {"tRPab",
     "tRPab",
     &DramDevice::rp_all,
     {{at(0, 0), false, 0}, {at(0, 0), false, 2100}},
     Kind::precharge_all,
     Kind::refresh,
     1,
     [](auto& d) { return d.rp_all; },
     refreshing},
    {"tRFC",
     "tRFC",
     &DramDevice::rfc,
     {{at(0, 0), false, 2001}},
     Kind::refresh,
     Kind::activate,
     1,
     [](auto& d) { return d.rfc; },
     refreshing},
    {"tRC_to_refresh",
     "tRC",
     &DramDevice::rc,
     {{at(0, 0), false, 1975}, {at(0, 0), false, 2001}},
     Kind::activate,
     Kind::refresh,
     1,
     [](auto& d) { return d.rc; },
     refreshing_closed},
    {"tRP_to_refresh",
     "tRP",
     &DramDevice::rp,
     {{at(0, 0), true, 1970}, {at(0, 0), false, 2001}},
     Kind::precharge,
     Kind::refresh,
     1,
     [](auto& d) { return d.rp; },
     refreshing_closed},
    {"tREFI",
     "tREFI",
     &DramDevice::refi,
     {{at(0, 0), false, 5000}},
     Kind::refresh,
     Kind::refresh,
     1,
     [](auto& d) { return d.refi; },
     refreshing},
};

INSTANTIATE_TEST_SUITE_P(Lab, DramTimingOf, ::testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(DramLatency, OfAReadIsActivateClAndItsBurst) {
  for (const int cl : {11, 12}) {
    DramConfig config = dram_lab();
    config.device.cl = cl;
    EXPECT_EQ(DramBench(config).serve(0, 64, false, 7), 7 + 10 + cl + 2);
  }
}

TEST(DramLatency, OfAWriteIsActivateCwlAndItsBurst) {
  for (const int cwl : {8, 9}) {
    DramConfig config = dram_lab();
    config.device.cwl = cwl;
    EXPECT_EQ(DramBench(config).serve(0, 64, true, 7), 7 + 10 + cwl + 2) << "posted: tWR is not waited for";
  }
}

TEST(DramLatency, GrowsWithTheBurstLength) {
  DramConfig config = dram_lab();
  config.device.bus_bytes = 8;
  config.device.burst_length = 8;
  EXPECT_EQ(DramBench(config).serve(0, 64, false, 0), 10 + 11 + 4);
}

TEST(DramLatency, IsExactInPicoseconds) {
  DramConfig config = dram_lab();
  config.device.clock_mhz = 1200;  // 833.3 ps
  // 23 clocks after clock 0, 1 and 1: 19166.6, 20000 and 20000 ps.
  EXPECT_EQ(DramTiming(config).serve(0, 64, false, 0), 19167u);
  EXPECT_EQ(DramTiming(config).serve(0, 64, false, 1), 20000u);
  EXPECT_EQ(DramTiming(config).serve(0, 64, false, 833), 20000u);
  EXPECT_EQ(DramTiming(config).serve(0, 64, false, 834), 20834u) << "clock 1 begins at 833.3 ps";
  // Half an hour later, still.
  EXPECT_EQ(DramTiming(config).serve(0, 64, false, 1'800'000'000'000'000 + 1), 1'800'000'000'020'000u);
}

}  // namespace
}  // namespace lpa::hw

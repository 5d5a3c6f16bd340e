#include "hw_model/counters.h"

#include <set>

#include <gtest/gtest.h>

namespace lpa::hw {
namespace {

TEST(Counters, EveryCounterHasARegisterOfItsOwn) {
  for (std::size_t i = 0; i < counter_count; ++i) {
    std::array<std::uint64_t, counter_count> registers{};
    registers[i] = 7;
    const Counters counters = from_registers(registers);
    EXPECT_NE(counters, Counters{}) << counter_names[i];
    EXPECT_EQ(to_registers(counters), registers) << counter_names[i];
  }
  EXPECT_EQ(std::set<std::string_view>(counter_names.begin(), counter_names.end()).size(), counter_count);
}

TEST(Counters, CausesStandInTheirOrderBehindCycles) {
  for (std::size_t i = 0; i < cause_count; ++i) EXPECT_EQ(counter_names[1 + i], cause_names[i]);
}

TEST(Counters, AddUpOneByOne) {
  std::array<std::uint64_t, counter_count> a{};
  for (std::size_t i = 0; i < counter_count; ++i) a[i] = (i + 1) << 40;
  Counters sum = from_registers(a);
  sum += from_registers(a);
  for (std::size_t i = 0; i < counter_count; ++i) EXPECT_EQ(to_registers(sum)[i], 2 * a[i]) << counter_names[i];
}

}  // namespace
}  // namespace lpa::hw

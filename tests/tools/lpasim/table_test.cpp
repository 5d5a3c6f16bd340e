#include "tools/lpasim/table.h"

#include <gtest/gtest.h>

namespace lpa::cli {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({"name", "count"});
  table.add({"a", "1"});
  table.add({"longer", "12,345"});
  EXPECT_EQ(table.text(),
            "name     count\n"
            "a            1\n"
            "longer  12,345\n");
}

TEST(Table, FillsUpShortRows) {
  Table table({"a", "b", "c"});
  table.add({"x"});
  EXPECT_EQ(table.text(), "a  b  c\nx\n");
}

TEST(Grouped, SeparatesThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(grouped(18446744073709551615U), "18,446,744,073,709,551,615");
}

TEST(Percent, IsOfTheFraction) {
  EXPECT_EQ(percent(1.0), "100.0 %");
  EXPECT_EQ(percent(0.12345), "12.3 %");
}

}  // namespace
}  // namespace lpa::cli

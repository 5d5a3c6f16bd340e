#include "tools/lpasim/result_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/lpasim/temporary_folder.h"
#include "tools/lpasim/range.h"

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

void write(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

/// Exit code and message of the error that opening the file ends with.
std::string open_error(const fs::path& target, const fs::path& out, bool force = false) {
  try {
    ResultFile file("--vcd", target, out);
    const OutputFolder folder(out, false, {});
    file.open(folder, force, ".vcd");
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + ": " + error.what();
  }
  return "no error";
}

TEST(ResultFile, OutsideTheFolderAppearsWithCommitOnly) {
  const TemporaryFolder home;
  const OutputFolder folder(home.path() / "R", false, {});
  ResultFile file("--vcd", home.path() / "w.trace", home.path() / "R");
  EXPECT_FALSE(file.in_folder());
  file.open(folder, false, ".vcd");
  EXPECT_TRUE(file.empty());
  EXPECT_EQ(file.staging().extension(), ".vcd");
  write(file.staging(), "waves");
  EXPECT_FALSE(file.empty());
  EXPECT_FALSE(fs::exists(home.path() / "w.trace"));
  file.commit();
  EXPECT_EQ(home.read("w.trace"), "waves");
}

TEST(ResultFile, InsideTheFolderAppearsWithIt) {
  const TemporaryFolder home;
  OutputFolder folder(home.path() / "R", false, {});
  ResultFile file("--vcd", home.path() / "R" / "w.trace", home.path() / "." / "R" / "");
  EXPECT_TRUE(file.in_folder());
  EXPECT_EQ(file.name(), "w.trace");
  file.open(folder, false, ".vcd");
  write(file.staging(), "waves");
  file.commit();
  EXPECT_FALSE(fs::exists(home.path() / "R"));
  folder.commit();
  EXPECT_THAT(names_in(home.path() / "R"), testing::ElementsAre("w.trace"));
}

TEST(ResultFile, LeavesNothingWithoutCommit) {
  const TemporaryFolder home;
  home.write("w.vcd", "old");
  {
    const OutputFolder folder(home.path() / "R", false, {});
    ResultFile file("--vcd", home.path() / "w.vcd", home.path() / "R");
    file.open(folder, true, ".vcd");
    write(file.staging(), "half");
  }
  EXPECT_THAT(names_in(home.path()), testing::ElementsAre("w.vcd"));
  EXPECT_EQ(home.read("w.vcd"), "old");
}

TEST(ResultFile, ReplacesOnlyWithForce) {
  const TemporaryFolder home;
  const fs::path old = home.write("w.vcd", "old");
  EXPECT_EQ(open_error(old, home.path() / "R"), "2: --vcd " + old.string() + ": exists already; --force replaces it");
  const OutputFolder folder(home.path() / "R", false, {});
  ResultFile file("--vcd", old, home.path() / "R");
  file.open(folder, true, ".vcd");
  write(file.staging(), "new");
  file.commit();
  EXPECT_EQ(home.read("w.vcd"), "new");
}

TEST(ResultFile, RefusesWhatCannotBeAFileOfResults) {
  const TemporaryFolder home;
  const fs::path out = home.path() / "R";
  EXPECT_THAT(open_error(home.path(), out), testing::StartsWith("2: --vcd " + home.path().string() + ": is a folder"));
  EXPECT_THAT(open_error(out, out), testing::HasSubstr("is a folder"));
  EXPECT_THAT(open_error(out / "", out), testing::HasSubstr("is a folder"));
  EXPECT_THAT(open_error(out / "deep" / "w.vcd", out), testing::HasSubstr("has no folders of its own"));
  EXPECT_THAT(open_error(home.path() / "nowhere" / "w.vcd", out),
              testing::HasSubstr("cannot be written: No such file"));
  EXPECT_THAT(open_error("/dev/null", out, true), testing::HasSubstr("is not a regular file"));
  EXPECT_THAT(names_in(home.path()), testing::IsEmpty());
}

std::string range_of(const std::string& text, std::uint64_t longest = UINT64_MAX) {
  const Command command{
      .name = "test", .summary = "", .options = {{.name = "at", .placeholder = "A:B", .description = ""}}};
  try {
    const Range result = range(parse_arguments(command, {"--at", text}), "at", longest);
    return std::to_string(result.first) + " to " + std::to_string(result.end);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Range, IsTwoWholeNumbersInOrder) {
  EXPECT_EQ(range_of("0:1"), "0 to 1");
  EXPECT_EQ(range_of("100:18446744073709551615"), "100 to 18446744073709551615");
  for (const char* text :
       {"1", "1:", ":1", "1:1", "2:1", "1:2:3", "-1:2", "1:2x", "1 :2", "a:b", "1:18446744073709551616"}) {
    EXPECT_THAT(range_of(text), testing::HasSubstr("is not valid, expected A:B with whole numbers A < B")) << text;
  }
}

TEST(Range, IsNoLongerThanAllowed) {
  EXPECT_EQ(range_of("5:15", 10), "5 to 15");
  EXPECT_EQ(range_of("5:16", 10),
            "option '--at': '5:16' is not valid, expected A:B with whole numbers A < B <= A + 10");
}

}  // namespace
}  // namespace lpa::cli

#include "tools/lpasim/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/lpasim/temporary_folder.h"
#include "tools/lpasim/error.h"

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> contents{"result.txt"};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

/// Exit code and message of the error that opening the folder ends with.
std::string open_error(const fs::path& target, bool force) {
  try {
    const OutputFolder folder(target, force, contents);
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + ": " + error.what();
  }
  return "no error";
}

TEST(OutputFolder, AppearsWithCommitOnly) {
  const TemporaryFolder home;
  OutputFolder folder(home.path() / "R", false, contents);
  folder.write("result.txt", "new");
  EXPECT_FALSE(fs::exists(home.path() / "R"));
  folder.commit();
  EXPECT_EQ(home.read("R/result.txt"), "new");
}

TEST(OutputFolder, LeavesNothingWithoutCommit) {
  const TemporaryFolder home;
  {
    const OutputFolder folder(home.path() / "deep" / "er" / "R", false, contents);
    folder.write("result.txt", "half");
  }
  EXPECT_THAT(names_in(home.path()), testing::IsEmpty());
}

TEST(OutputFolder, CreatesTheFoldersAboveIt) {
  const TemporaryFolder home;
  {
    OutputFolder folder(home.path() / "deep" / "er" / "R", false, contents);
    folder.write("result.txt", "new");
    folder.commit();
  }
  EXPECT_EQ(home.read("deep/er/R/result.txt"), "new");
  EXPECT_THAT(names_in(home.path() / "deep" / "er"), testing::ElementsAre("R"));
}

TEST(OutputFolder, RefusesAnExistingFolder) {
  const TemporaryFolder home;
  const fs::path target = home.path() / "R";
  fs::create_directory(target);
  EXPECT_EQ(open_error(target, false), "2: --out " + target.string() + ": exists already; --force replaces it");
}

TEST(OutputFolder, ForceReplacesAnOldResult) {
  const TemporaryFolder home;
  fs::create_directory(home.path() / "R");
  home.write("R/result.txt", "old");
  {
    OutputFolder folder(home.path() / "R", true, contents);
    folder.write("result.txt", "new");
    EXPECT_EQ(home.read("R/result.txt"), "old");
    folder.commit();
  }
  EXPECT_EQ(home.read("R/result.txt"), "new");
  EXPECT_THAT(names_in(home.path()), testing::ElementsAre("R"));
}

TEST(OutputFolder, AFailedRunLeavesTheOldResult) {
  const TemporaryFolder home;
  fs::create_directory(home.path() / "R");
  home.write("R/result.txt", "old");
  {
    const OutputFolder folder(home.path() / "R", true, contents);
    folder.write("result.txt", "half");
  }
  EXPECT_EQ(home.read("R/result.txt"), "old");
  EXPECT_THAT(names_in(home.path()), testing::ElementsAre("R"));
}

TEST(OutputFolder, ForceReplacesNoFolderThatHoldsOtherFiles) {
  const TemporaryFolder home;
  fs::create_directory(home.path() / "R");
  home.write("R/thesis.tex", "years of work");
  EXPECT_EQ(open_error(home.path() / "R", true),
            "2: --out " + (home.path() / "R").string() +
                ": holds 'thesis.tex', which is no result of this command; not replaced");
  EXPECT_EQ(home.read("R/thesis.tex"), "years of work");
}

TEST(OutputFolder, ForceReplacesNoFile) {
  const TemporaryFolder home;
  const auto file = home.write("R", "a file");
  EXPECT_EQ(open_error(file, true), "2: --out " + file.string() + ": exists and is not a folder");
  EXPECT_EQ(home.read("R"), "a file");
}

TEST(OutputFolder, ATrailingSlashMeansTheSameFolder) {
  const TemporaryFolder home;
  OutputFolder folder(home.path() / "R/", false, contents);
  folder.write("result.txt", "new");
  folder.commit();
  EXPECT_EQ(home.read("R/result.txt"), "new");
}

TEST(OutputFolder, AFolderThatCannotBeCreatedIsAnErrorAtOnce) {
  const TemporaryFolder home;
  const auto file = home.write("file", "");
  EXPECT_THAT(open_error(file / "R", false), testing::StartsWith("2: --out " + (file / "R").string()));
  EXPECT_THAT(open_error("/proc/none/R", false), testing::StartsWith("2: --out /proc/none/R: cannot be written: "));
}

}  // namespace
}  // namespace lpa::cli

#include "workloads/atomic_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST(AtomicFile, WritesAndReplacesAndLeavesNothingElse) {
  const TemporaryFolder folder;
  const std::string binary("a\0b\n", 4);
  write_file_atomically(folder / "f", binary);
  EXPECT_EQ(read_bytes(folder / "f"), binary);
  write_file_atomically(folder / "f", "");
  EXPECT_EQ(read_bytes(folder / "f"), "");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, FailureNamesFileAndReasonAndKeepsTheOldState) {
  const TemporaryFolder folder;
  const auto attempt = [&](const std::filesystem::path& path) {
    return message_of<OutputError>([&] { write_file_atomically(path, "new"); });
  };
  EXPECT_THAT(attempt(folder / "missing" / "f"),
              HasSubstr("missing/f: cannot create a file in its folder: No such file"));

  std::filesystem::create_directory(folder / "taken");
  write_bytes(folder / "taken" / "inner", "old");
  EXPECT_THAT(attempt(folder / "taken"), HasSubstr("taken: cannot replace the file: "));
  EXPECT_EQ(read_bytes(folder / "taken" / "inner"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u) << "the temporary file must be gone";
}

TEST(AtomicFile, FullDiskIsReported) {
  // A limit on the file size stands for the full disk.
  const TemporaryFolder folder;
  write_bytes(folder / "f", "old");
  const auto write_in_child = [&] {
    rlimit limit{};
    limit.rlim_cur = limit.rlim_max = 16;
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    const std::string message =
        message_of<OutputError>([&] { write_file_atomically(folder / "f", std::string(1000, 'x')); });
    const bool named = message == (folder / "f").string() + ": cannot write: File too large";
    _exit(named && read_bytes(folder / "f") == "old" && files_in(folder.path()) == 1 ? 7 : 1);
  };
  EXPECT_EXIT(write_in_child(), ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace lpa::workloads::testing

#include "hw_model/waveform.h"

#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/machine_bench.h"

namespace lpa::hw {
namespace {

TEST(Waveform, HoldsTheWindowAndEveryPe) {
  const MachineConfig config;
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "waveform_test.vcd";
  {
    test::MachineBench bench(config);
    const Waveform waveform("waveform", bench.machine, {file, 100, 50});
    bench.run([&](driver::Host& host) {
      const Descriptor d = test::gemm(config, 40, 16, 32);
      host.write_memory(test::weights_at, test::unit_weights(d, config));
      host.run(test::descriptor_at, {d});
    });
  }
  std::ifstream in(file);
  std::set<std::string> names;  // Without the scopes they stand in.
  int variables = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "$var") {
      std::string kind, width, id, name;
      words >> kind >> width >> id >> name;
      names.insert(name);
      ++variables;
    }
    if (word.starts_with('#')) {
      last = std::stoull(word.substr(1));
      if (first == 0) first = last;
    }
  }
  EXPECT_GE(first, 100u * 2000) << "in picoseconds, 2 ns a cycle";
  EXPECT_LE(last, 150u * 2000);
  EXPECT_GE(last, 149u * 2000 - 2000) << "something moves in every cycle of a running layer";
  EXPECT_TRUE(names.contains("cause"));
  EXPECT_GT(variables, 64 * 10);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace lpa::hw

#include "traces/scalesim_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;
using workloads::InputError;
using workloads::testing::message_of;
using workloads::testing::write_bytes;

/// Line 1 to 19; every key that upstream's own files have.
const std::string whole = R"([general]
run_name = scale_example_run_32x32_ws

[architecture_presets]
ArrayHeight:    32
ArrayWidth:     16
IfmapSramSzkB:   64
FilterSramSzkB:  65
OfmapSramSzkB:   66
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Bandwidth : 10
Dataflow : ws
MemoryBanks:   1
ReadRequestBuffer: 32
WriteRequestBuffer: 32

[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 100
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 100
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2

[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40

[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
)";

class ScalesimConfiguration : public ::testing::Test {
 protected:
  ScalesimConfig read(const std::string& text) {
    write_bytes(file_, text);
    return read_scalesim_config(file_);
  }
  /// The error without the file's name.
  std::string error(const std::string& text) {
    const std::string message = message_of<InputError>([&] { read(text); });
    EXPECT_THAT(message, StartsWith(file_.string() + ":"));
    return message.substr(std::min(message.size(), file_.string().size() + 1));
  }
  /// The whole file with one piece of it replaced.
  static std::string with(const std::string& what, const std::string& by) {
    const auto at = whole.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return std::string(whole).replace(at, what.size(), by);
  }
  std::string error_with(const std::string& what, const std::string& by) { return error(with(what, by)); }

  workloads::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "scale.cfg";
};

TEST_F(ScalesimConfiguration, OfAWholeFileIsReadWithTheLinesOfItsNumbers) {
  const ScalesimConfig config = read(whole);
  EXPECT_EQ(config.path, file_);
  EXPECT_EQ(config.run_name, "scale_example_run_32x32_ws");
  EXPECT_EQ(config.rows.value, 32);
  EXPECT_EQ(config.columns.value, 16);
  EXPECT_EQ(config.ifmap_kib.value, 64);
  EXPECT_EQ(config.filter_kib.value, 65);
  EXPECT_EQ(config.ofmap_kib.value, 66);
  EXPECT_EQ(config.rows.key, "ArrayHeight");
  EXPECT_EQ(config.rows.line, 5u);
  EXPECT_EQ(config.ofmap_kib.line, 9u);
  EXPECT_FALSE(config.bandwidth.has_value()) << "CALC";
}

TEST_F(ScalesimConfiguration, WithUserHasABandwidth) {
  const ScalesimConfig config = read(with("CALC", "USER"));
  ASSERT_TRUE(config.bandwidth.has_value());
  EXPECT_EQ(config.bandwidth->value, 10);
  EXPECT_EQ(config.bandwidth->line, 13u);
}

TEST_F(ScalesimConfiguration, MayBeAsShortAsVersion2AndOrderedAtWill) {
  const ScalesimConfig config = read(
      "[run_presets]\nInterfaceBandwidth=CALC\n[architecture_presets]\nDataflow=ws\nArrayHeight=8\nArrayWidth=4\n"
      "IfmapSramSzkB=1\nFilterSramSzkB=2\nOfmapSramSzkB=3\n[general]\nrun_name=a=b : c");
  EXPECT_EQ(config.rows.value, 8);
  EXPECT_EQ(config.columns.value, 4);
  EXPECT_EQ(config.run_name, "a=b : c");
}

TEST_F(ScalesimConfiguration, TakesCommentsIndentsLineEndsAndLettersAsConfigparserDoes) {
  std::string text = "# a comment\n  ; another one, indented\n\n" + with("ArrayHeight:    32", "  ARRAYHEIGHT=32\t ");
  text = text.replace(text.find("ArrayWidth"), 10, "arraywidth");
  std::string lines;
  for (const char c : text) lines += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const ScalesimConfig config = read(lines);
  EXPECT_EQ(config.rows.value, 32);
  EXPECT_EQ(config.rows.line, 8u);
  EXPECT_EQ(config.columns.value, 16);
}

TEST_F(ScalesimConfiguration, OfADataflowThatIsNotModelledIsRefused) {
  EXPECT_EQ(error_with(": ws", ": os"), "14: 'Dataflow': 'os'; only ws, weight-stationary, is supported");
  EXPECT_EQ(error_with(": ws", ": is"), "14: 'Dataflow': 'is'; only ws, weight-stationary, is supported");
  EXPECT_EQ(error_with(": ws", ":"), "14: 'Dataflow': ''; only ws, weight-stationary, is supported");
}

TEST_F(ScalesimConfiguration, WhatWouldChangeTheResultMustBeOff) {
  for (const char* off : {"false", "FALSE", "no", "off", "0"}) {
    EXPECT_NO_THROW(read(with("SparsitySupport : false", std::string("SparsitySupport : ") + off))) << off;
  }
  EXPECT_EQ(error_with("SparsitySupport : false", "SparsitySupport : true"),
            "30: 'SparsitySupport': 'true'; only False is supported");
  EXPECT_EQ(error_with("IfmapCustomLayout: False", "IfmapCustomLayout: True"),
            "20: 'IfmapCustomLayout': 'True'; only False is supported");
  EXPECT_EQ(error_with("FilterCustomLayout: False", "FilterCustomLayout: 1"),
            "24: 'FilterCustomLayout': '1'; only False is supported");
  EXPECT_EQ(error_with("UseRamulatorTrace: False", "UseRamulatorTrace: True"),
            "38: 'UseRamulatorTrace': 'True'; only False is supported");
}

TEST_F(ScalesimConfiguration, ANumberThatIsNoneIsNamed) {
  const std::string expected = "; a whole number of at least 1 expected";
  EXPECT_EQ(error_with(":    32", ":"), "5: 'ArrayHeight': ''" + expected);
  EXPECT_EQ(error_with(":    32", ": 0"), "5: 'ArrayHeight': '0'" + expected);
  EXPECT_EQ(error_with(":    32", ": -8"), "5: 'ArrayHeight': '-8'" + expected);
  EXPECT_EQ(error_with(":     16", ": 1x"), "6: 'ArrayWidth': '1x'" + expected);
  EXPECT_EQ(error_with(":   64", ": 6.4"), "7: 'IfmapSramSzkB': '6.4'" + expected);
  EXPECT_EQ(error_with(":  65", ": 99999999999999999999"), "8: 'FilterSramSzkB': '99999999999999999999'" + expected);
  EXPECT_EQ(error_with(":   66", ": 64 # kB"), "9: 'OfmapSramSzkB': '64 # kB'" + expected);
  const std::string user = with("CALC", "USER");
  EXPECT_EQ(error(std::string(user).replace(user.find(": 10\n"), 4, ": 10, 10")),
            "13: 'Bandwidth': '10, 10'" + expected);
}

TEST_F(ScalesimConfiguration, AMissingKeyIsNamedWithItsSection) {
  EXPECT_EQ(error_with("run_name = scale_example_run_32x32_ws", ""), " key 'run_name' of section [general] is missing");
  for (const char* line : {"ArrayHeight:    32", "ArrayWidth:     16", "IfmapSramSzkB:   64", "FilterSramSzkB:  65",
                           "OfmapSramSzkB:   66", "Dataflow : ws"}) {
    const std::string name(line, std::string_view(line).find_first_of(" :"));
    EXPECT_EQ(error_with(line, ""), " key '" + name + "' of section [architecture_presets] is missing");
  }
  EXPECT_EQ(error_with("InterfaceBandwidth: CALC", ""),
            " key 'InterfaceBandwidth' of section [run_presets] is missing");
  const std::string user = with("CALC", "USER");
  EXPECT_EQ(error(std::string(user).replace(user.find("Bandwidth : 10"), 14, "")),
            " key 'Bandwidth' of section [architecture_presets] is missing");
}

TEST_F(ScalesimConfiguration, TheInterfacesBandwidthIsCalcOrUser) {
  EXPECT_EQ(error_with("CALC", "calc"), "37: 'InterfaceBandwidth': 'calc'; CALC or USER expected");
}

TEST_F(ScalesimConfiguration, UnknownKeysAndSectionsAreRefused) {
  EXPECT_EQ(error_with("MemoryBanks", "MemoryBank"),
            "15: 'MemoryBank': key not known in section [architecture_presets]");
  EXPECT_EQ(error_with("BlockSize", "ArrayHeight"), "33: 'ArrayHeight': key not known in section [sparsity]");
  EXPECT_EQ(error_with("[layout]", "[gpu]"), "19: section [gpu] is not known");
  EXPECT_EQ(error_with("[layout]", "[]"), "19: section [] is not known");
}

TEST_F(ScalesimConfiguration, KeysAndSectionsStandThereOnce) {
  EXPECT_EQ(error_with("Dataflow : ws", "Dataflow : ws\ndataflow : ws"), "15: 'Dataflow': given twice");
  EXPECT_EQ(error_with("[layout]", "[general]"), "19: section [general] is there twice");
}

TEST_F(ScalesimConfiguration, ALineThatIsNothingIsNamed) {
  const std::string expected = " is not a '[section]', 'key = value' or 'key: value'";
  EXPECT_EQ(error_with("Dataflow : ws", "Dataflow ws"), "14: 'Dataflow ws'" + expected);
  EXPECT_EQ(error_with("Dataflow : ws", ": ws"), "14: ': ws'" + expected);
  EXPECT_EQ(error_with("[layout]", "[layout"), "19: '[layout': ']' expected at the end");
  EXPECT_EQ(error("run_name = a\n" + whole), "1: 'run_name' stands before the first [section]");
  EXPECT_EQ(error_with("Dataflow : ws\n", "Dataflow : ws\n  and more : of it\n"),
            "15: a value that goes on in the next line is not supported");
  EXPECT_THAT(error(""), EndsWith("key 'run_name' of section [general] is missing"));
}

TEST_F(ScalesimConfiguration, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(message_of<InputError>([&] { read_scalesim_config(folder_ / "none.cfg"); }),
              EndsWith("none.cfg: no such file"));
}

}  // namespace
}  // namespace lpa::traces::testing

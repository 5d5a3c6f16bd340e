#include "traces/layer_table.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using workloads::InputError;
using workloads::testing::message_of;
using workloads::testing::write_bytes;

using Fields = std::vector<std::string>;

const Fields header{"idx",   "name",  "kind",  "count", "M",  "N",      "K",   "in_c",   "in_h",    "in_w",
                    "out_c", "out_h", "out_w", "kh",    "kw", "stride", "pad", "groups", "weights", "macs"};
// A depthwise 3x3 convolution of 8 channels on 10x12 pixels, a linear layer and a product of 3 heads.
const Fields conv{"0", "dw", "conv", "8", "120", "1", "9", "8", "10", "12",
                  "8", "10", "12",   "3", "3",   "1", "1", "8", "72", "8640"};
const Fields linear{"0", "fc", "linear", "1", "7", "5", "4", "", "", "", "", "", "", "", "", "", "", "", "20", "140"};
const Fields matmul{"0", "qk", "matmul", "3", "7", "7", "4", "", "", "", "", "", "", "", "", "", "", "", "0", "588"};

Fields changed(Fields row, std::string_view column, const std::string& value) {
  row.at(static_cast<std::size_t>(std::ranges::find(header, column) - header.begin())) = value;
  return row;
}

class LayerTable : public ::testing::Test {
 protected:
  std::vector<LayerShape> read(const std::vector<Fields>& lines) {
    std::string text;
    for (const Fields& line : lines) text += fmt::format("{}\n", fmt::join(line, ","));
    write_bytes(file_, text);
    return read_layer_table(file_);
  }
  std::string error(const std::vector<Fields>& lines) {
    return message_of<InputError>([&] { read(lines); });
  }
  std::string row_error(const Fields& row) { return error({header, row}); }
  std::string text_error(const std::string& text) {
    write_bytes(file_, text);
    return message_of<InputError>([&] { read_layer_table(file_); });
  }

  workloads::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "net.csv";
};

TEST_F(LayerTable, ReadsEveryColumn) {
  const LayerShape dw{.name = "dw",
                      .kind = ShapeKind::conv,
                      .count = 8,
                      .m = 120,
                      .n = 1,
                      .k = 9,
                      .geometry = ConvGeometry{.in_c = 8,
                                               .in_h = 10,
                                               .in_w = 12,
                                               .out_c = 8,
                                               .out_h = 10,
                                               .out_w = 12,
                                               .kernel_h = 3,
                                               .kernel_w = 3,
                                               .stride = 1,
                                               .pad = 1,
                                               .groups = 8},
                      .weights = 72,
                      .macs = 8640};
  const LayerShape fc{.name = "fc",
                      .kind = ShapeKind::linear,
                      .count = 1,
                      .m = 7,
                      .n = 5,
                      .k = 4,
                      .geometry = {},
                      .weights = 20,
                      .macs = 140};
  const LayerShape qk{.name = "qk",
                      .kind = ShapeKind::matmul,
                      .count = 3,
                      .m = 7,
                      .n = 7,
                      .k = 4,
                      .geometry = {},
                      .weights = 0,
                      .macs = 588};
  EXPECT_THAT(read({header, conv, changed(linear, "idx", "1"), changed(matmul, "idx", "2")}), ElementsAre(dw, fc, qk));
}

TEST_F(LayerTable, ReadsLinesThatEndWithCarriageReturn) {
  write_bytes(file_, fmt::format("{}\r\n{}\r\n", fmt::join(header, ","), fmt::join(linear, ",")));
  EXPECT_EQ(read_layer_table(file_), read({header, linear}));
}

TEST_F(LayerTable, TellsWhatIsNotAWholeNumberInAnyColumn) {
  for (const std::string& column : header) {
    if (column == "name" || column == "kind") continue;
    for (const std::string value : {"1x", "x", " 1", "1 ", "+1", "1.0", "0x1", "-", "1e3", "99999999999999999999"}) {
      const std::string message = row_error(changed(conv, column, value));
      EXPECT_THAT(message, StartsWith(fmt::format("{}:2: column '{}': '{}' is ", file_.string(), column, value)));
      EXPECT_THAT(message, Not(HasSubstr("\n")));
    }
    EXPECT_THAT(row_error(changed(conv, column, "")),
                EndsWith(fmt::format(":2: column '{}': empty; a whole number expected", column)));
  }
}

TEST_F(LayerTable, TellsWhatIsOutOfRangeInAnyColumn) {
  for (const std::string& column : header) {
    if (column == "name" || column == "kind") continue;
    for (const std::string value : {"-1", "2147483648"})
      EXPECT_THAT(row_error(changed(conv, column, value)),
                  StartsWith(fmt::format("{}:2: column '{}': {}; ", file_.string(), column, value)));
    if (column == "idx" || column == "pad") continue;
    EXPECT_THAT(row_error(changed(conv, column, "0")), HasSubstr(fmt::format("column '{}': 0; ", column)));
  }
  EXPECT_THAT(row_error(changed(conv, "stride", "0")), EndsWith("column 'stride': 0; 1 to 2147483647 expected"));
  EXPECT_THAT(row_error(changed(conv, "pad", "-1")), EndsWith("column 'pad': -1; 0 to 2147483647 expected"));
}

TEST_F(LayerTable, RefusesARowWithAnyNumberOffByOne) {
  for (const Fields& row : {conv, linear, matmul})
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (header[i] == "name" || header[i] == "kind" || row[i].empty()) continue;
      EXPECT_THAT(row_error(changed(row, header[i], std::to_string(std::stoi(row[i]) + 1))), HasSubstr(" expected"))
          << row[1] << ", column " << header[i];
    }
}

TEST_F(LayerTable, TellsWhichRuleAConvolutionBreaks) {
  const auto why = [&](std::string_view column, const std::string& value) {
    return row_error(changed(conv, column, value));
  };
  EXPECT_THAT(why("count", "4"), EndsWith("column 'count': 4; groups = 8 expected"));
  EXPECT_THAT(why("M", "119"), EndsWith("column 'M': 119; out_h * out_w = 120 expected"));
  EXPECT_THAT(why("N", "8"), EndsWith("column 'N': 8; out_c / groups = 1 expected"));
  EXPECT_THAT(why("K", "72"), EndsWith("column 'K': 72; kh * kw * in_c / groups = 9 expected"));
  EXPECT_THAT(why("groups", "3"), EndsWith("column 'groups': 3; a divisor of in_c = 8 and out_c = 8 expected"));
  EXPECT_THAT(why("in_w", "13"),
              EndsWith("column 'out_w': 12; 13 expected of an input of 15, padding included, kernel 3 and stride 1"));
  EXPECT_THAT(why("kh", "13"), EndsWith("column 'kh': a kernel of 13 on an input of 12, padding included; at most the "
                                        "input's size expected"));
  EXPECT_THAT(why("weights", "0"), EndsWith("column 'weights': 0; count * N * K = 72 expected"));
  EXPECT_THAT(why("macs", "8641"), EndsWith("column 'macs': 8641; count * M * N * K = 8640 expected"));
}

TEST_F(LayerTable, LetsTheLastWindowReachBeyondTheInputOrNot) {
  // Windows of 3 rows at a stride of 3: of an input of 8 rows the third window needs one more, of 9 rows it fits.
  const auto read_output = [&](const std::string& in, const std::string& out) {
    return row_error({"0", "c", "conv", "1", out, "1", "3", "1", in,  "1",
                      "1", out, "1",    "3", "1", "3", "0", "1", "3", std::to_string(3 * std::stoi(out))});
  };
  for (const auto& [in, out] : {std::pair{"8", "2"}, {"8", "3"}, {"9", "3"}})
    EXPECT_EQ(read_output(in, out), "no error") << in << " rows";
  EXPECT_THAT(read_output("8", "1"), HasSubstr("column 'out_h': 1; 2 expected"));
  EXPECT_THAT(read_output("8", "4"), HasSubstr("column 'out_h': 4; 2 expected"));
  EXPECT_THAT(read_output("9", "2"), HasSubstr("column 'out_h': 2; 3 expected"));
  EXPECT_THAT(read_output("9", "4"), HasSubstr("column 'out_h': 4; 3 expected"));
}

TEST_F(LayerTable, RefusesAGeometryOfWhatIsNoConvolution) {
  for (std::size_t i = 7; i < 18; ++i)
    EXPECT_THAT(row_error(changed(linear, header[i], "1")),
                EndsWith(fmt::format(":2: column '{}': '1'; nothing expected, only a conv has a geometry", header[i])));
}

TEST_F(LayerTable, RefusesNamesAndKindsItDoesNotKnow) {
  EXPECT_THAT(row_error(changed(conv, "name", "")), EndsWith(":2: column 'name': empty; a layer's name expected"));
  EXPECT_THAT(row_error(changed(conv, "name", "\"dw\"")),
              HasSubstr(":2: column 'name': '\"dw\"' holds a comma, a quo"));
  EXPECT_THAT(row_error(changed(conv, "kind", "Conv")),
              EndsWith(":2: column 'kind': 'Conv'; conv, linear, matmul expected"));
}

TEST_F(LayerTable, RefusesRowsOutOfOrder) {
  EXPECT_THAT(error({header, linear, linear}), EndsWith(":3: column 'idx': 0; 1 expected, layers are numbered from 0"));
}

TEST_F(LayerTable, RefusesMacsBeyond64Bits) {
  const std::string big = "2147483647";
  Fields row = linear;
  for (const char* column : {"M", "N", "K"}) row = changed(row, column, big);
  row = changed(changed(row, "weights", "4611686014132420609"), "macs", "1");
  EXPECT_THAT(row_error(row), EndsWith(":2: column 'macs': count * M * N * K is beyond 64 bits"));
  EXPECT_THAT(row_error(changed(row, "count", big)), EndsWith(":2: column 'weights': count * N * K is beyond 64 bits"));
}

TEST_F(LayerTable, RefusesAHeaderWithAnyOtherName) {
  for (std::size_t i = 0; i < header.size(); ++i)
    EXPECT_THAT(error({changed(header, header[i], "x"), conv}),
                EndsWith(fmt::format(":1: column {} is named 'x'; '{}' expected", i + 1, header[i])));
}

TEST_F(LayerTable, RefusesGarbageAroundTheRows) {
  Fields longer = conv, shorter = conv, long_header = header;
  longer.emplace_back();
  shorter.pop_back();
  long_header.emplace_back("note");
  EXPECT_THAT(row_error(longer), EndsWith(":2: 21 columns; 20 expected"));
  EXPECT_THAT(row_error(shorter), EndsWith(":2: 19 columns; 20 expected"));
  EXPECT_THAT(error({long_header, conv}), EndsWith(":1: 21 columns; 20 expected"));
  EXPECT_THAT(error({header, conv, {}}), EndsWith(":3: 1 columns; 20 expected"));
  EXPECT_THAT(error({header, conv, {"end"}}), EndsWith(":3: 1 columns; 20 expected"));
  EXPECT_THAT(error({header}), EndsWith(":1: no layer follows the header; at least one expected"));
  EXPECT_THAT(text_error(""), EndsWith("net.csv: empty; a layer table expected"));
}

TEST_F(LayerTable, RefusesAFileCutWithinARow) {
  const std::string text = fmt::format("{}\n{}\n", fmt::join(header, ","), fmt::join(conv, ","));
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_NE(text_error(text.substr(0, size)), "no error") << size << " bytes";
}

TEST_F(LayerTable, KeepsMessagesShortAndOnOneLine) {
  EXPECT_THAT(row_error(changed(conv, "M", std::string(1000, '7'))),
              EndsWith(fmt::format("column 'M': '{}...' is beyond 64 bits", std::string(40, '7'))));
  EXPECT_THAT(row_error(changed(conv, "kind", "a\tb\x1b")), HasSubstr("'a?b?'"));
}

TEST_F(LayerTable, NamesAFileThatIsNotThere) {
  EXPECT_EQ(message_of<InputError>([&] { read_layer_table(folder_ / "none.csv"); }),
            (folder_ / "none.csv").string() + ": no such file");
}

TEST_F(LayerTable, IsNotWrittenWithAFault) {
  const auto write_error = [&](const std::vector<LayerShape>& layers) {
    return message_of<InputError>([&] { write_layer_table(folder_ / "out.csv", layers); });
  };
  const LayerShape good = read({header, conv}).front();
  LayerShape bare = good, comma = good, small = good;
  bare.geometry.reset();
  comma.name = "a,b";
  small.macs = 1;
  EXPECT_THAT(write_error({}), EndsWith("out.csv: no layers; at least one expected"));
  EXPECT_THAT(write_error({bare}),
              EndsWith("layer 0 'dw': column 'kind': a conv without a geometry; a conv alone has one"));
  EXPECT_THAT(write_error({good, comma}), HasSubstr("out.csv: layer 1 'a,b': column 'name': 'a,b' holds a comma"));
  EXPECT_THAT(write_error({small}), EndsWith("column 'macs': 1; count * M * N * K = 8640 expected"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.csv"));
  EXPECT_THROW(write_layer_table(folder_ / "none" / "out.csv", {good}), workloads::OutputError);
}

}  // namespace
}  // namespace lpa::traces::testing

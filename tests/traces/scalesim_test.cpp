#include "traces/scalesim.h"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using workloads::InputError;
using workloads::testing::message_of;
using workloads::testing::write_bytes;

const std::string conv_header =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";
const std::string gemm_header = "Layer, M, N, K,\n";

class Scalesim : public ::testing::Test {
 protected:
  std::vector<LayerShape> read(const std::string& text) {
    write_bytes(file_, text);
    return read_scalesim_topology(file_);
  }
  std::string error(const std::string& text) {
    return message_of<InputError>([&] { read(text); });
  }

  workloads::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "topology.csv";
};

/// The products that SCALE-Sim v3 reports for its topology of ResNet-18, whose maps are not padded.
TEST_F(Scalesim, MakesTheProductsThatScaleSimReports) {
  struct Case {
    std::string row;
    std::array<std::int64_t, 3> mnk;
  };
  const std::vector<Case> cases{{"224,224,7,7,3,64,2", {12100, 64, 147}},  {"56,56,3,3,64,64,1", {2916, 64, 576}},
                                {"56,56,3,3,64,128,2", {784, 128, 576}},   {"28,28,3,3,128,128,1", {676, 128, 1152}},
                                {"56,56,1,1,64,128,2", {841, 128, 64}},    {"28,28,3,3,128,256,2", {196, 256, 1152}},
                                {"14,14,3,3,256,256,1", {144, 256, 2304}}, {"28,28,1,1,128,256,2", {225, 256, 128}},
                                {"14,14,3,3,256,512,2", {49, 512, 2304}},  {"7,7,3,3,512,512,1", {25, 512, 4608}},
                                {"14,14,1,1,256,512,2", {64, 512, 256}},   {"1,1,1,1,512,1000,1", {1, 1000, 512}}};
  std::string text = conv_header;
  for (const Case& layer : cases) text += "L," + layer.row + ",\n";
  const std::vector<LayerShape> layers = read(text);
  ASSERT_EQ(layers.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_THAT((std::array{layers[i].m, layers[i].n, layers[i].k}), cases[i].mnk) << cases[i].row;
    EXPECT_EQ(layers[i].count, 1);
    EXPECT_EQ(layers[i].kind, ShapeKind::conv);
  }
}

TEST_F(Scalesim, ReadsTheConvolutionForm) {
  // ceil((10 - 3 + 2) / 2) = 5 and ceil((11 - 2 + 2) / 2) = 6: the last windows reach beyond the input.
  const LayerShape conv1{.name = "Conv1",
                         .kind = ShapeKind::conv,
                         .count = 1,
                         .m = 30,
                         .n = 6,
                         .k = 18,
                         .geometry = ConvGeometry{.in_c = 3,
                                                  .in_h = 10,
                                                  .in_w = 11,
                                                  .out_c = 6,
                                                  .out_h = 5,
                                                  .out_w = 6,
                                                  .kernel_h = 3,
                                                  .kernel_w = 2,
                                                  .stride = 2,
                                                  .pad = 0,
                                                  .groups = 1},
                         .weights = 108,
                         .macs = 3240};
  EXPECT_THAT(read(conv_header + "Conv1,10,11,3,2,3,6,2,\n"), ElementsAre(conv1));
}

TEST_F(Scalesim, ReadsADepthwiseLayerAsOneProductAChannel) {
  const LayerShape layer = read(conv_header + "Conv2_DP,10,10,3,3,16,2,1,\n").at(0);
  EXPECT_EQ(layer.count, 16);
  EXPECT_EQ(layer.m, 64);
  EXPECT_EQ(layer.n, 2);
  EXPECT_EQ(layer.k, 9);
  EXPECT_EQ(layer.geometry->groups, 16);
  EXPECT_EQ(layer.geometry->out_c, 32);
  EXPECT_EQ(layer.weights, 16 * 2 * 9);
  EXPECT_EQ(layer.macs, 16 * 64 * 2 * 9);
}

TEST_F(Scalesim, ReadsTheGemmForm) {
  const LayerShape qk{.name = "QKT",
                      .kind = ShapeKind::linear,
                      .count = 1,
                      .m = 196,
                      .n = 1176,
                      .k = 64,
                      .geometry = {},
                      .weights = 75264,
                      .macs = 14751744};
  EXPECT_THAT(read(gemm_header + "QKT,196,1176,64,\n"), ElementsAre(qk));
}

TEST_F(Scalesim, ReadsTheLoosenessOfFilesInTheField) {
  const std::vector<LayerShape> expected = read(conv_header + "A,8,8,3,3,1,4,1,\nB,8,8,1,1,2,4,1,\n");
  const std::string rows[] = {"\tA , 8,8 ,3,3,1, 4,1,#dw\nB,8,8,1,1,2,4,1\n\n",
                              "\nA,8,8,3,3,1,4,1,\r\nB,8,8,1,1,2,4,1, # x\r\n \n",
                              "A,8,8,3,3,1,4,1,\nB,8,8,1,1,2,4,1,"};
  const std::string headers[] = {
      conv_header, "layer,ifmap height,ifmap width,filter height,filter width,channel,num filters,stride\n"};
  for (const std::string& header : headers)
    for (const std::string& text : rows) EXPECT_EQ(read(header + text), expected) << header << text;
}

TEST_F(Scalesim, NamesTheColumnThatIsWrong) {
  const std::vector<std::string> columns{"IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width",
                                         "Channels",     "Num Filter",  "Strides"};
  for (std::size_t i = 0; i < columns.size(); ++i)
    for (const auto& [value, what] :
         std::vector<std::pair<std::string, std::string>>{{"", "empty; a whole number expected"},
                                                          {"3x", "'3x' is not a whole number"},
                                                          {"1:4", "'1:4' is not a whole number"},
                                                          {"0", "0; 1 to 2147483647 expected"},
                                                          {"-2", "-2; 1 to 2147483647 expected"},
                                                          {"2147483648", "2147483648; 1 to 2147483647 expected"}}) {
      std::vector<std::string> row{"8", "8", "3", "3", "1", "4", "1"};
      row[i] = value;
      EXPECT_EQ(error(conv_header + fmt::format("A,{},\n", fmt::join(row, ","))),
                fmt::format("{}:2: column '{}': {}", file_.string(), columns[i], what));
    }
  EXPECT_THAT(error(gemm_header + "A,0,1,1,\n"), EndsWith(":2: column 'M': 0; 1 to 2147483647 expected"));
  EXPECT_THAT(error(gemm_header + "\nA,1,1,1,\nB,1,n,1,\n"), EndsWith(":4: column 'N': 'n' is not a whole number"));
  EXPECT_THAT(error(gemm_header + "A,1,1,1.5,\n"), EndsWith(":2: column 'K': '1.5' is not a whole number"));
  EXPECT_THAT(error(gemm_header + ",1,1,1,\n"), EndsWith(":2: column 'Layer': empty; a layer's name expected"));
}

TEST_F(Scalesim, RefusesAFilterLargerThanTheInput) {
  EXPECT_THAT(error(conv_header + "A,8,9,9,9,1,4,1,\n"),
              EndsWith("column 'Filter Height': 9; at most the input's 8 expected"));
  EXPECT_THAT(error(conv_header + "A,9,8,9,9,1,4,1,\n"),
              EndsWith("column 'Filter Width': 9; at most the input's 8 expected"));
}

TEST_F(Scalesim, RefusesLayersBeyondItsNumbers) {
  EXPECT_THAT(error(conv_header + "A,100000,100000,1,1,1,1,1,\n"),
              EndsWith(":2: the number of output positions is beyond 2147483647"));
  EXPECT_THAT(error(conv_header + "A,2000,2000,2000,2000,2000,1,1,\n"),
              EndsWith(":2: Filter Height * Filter Width * Channels is beyond 2147483647"));
  EXPECT_THAT(error(conv_header + "A_DP,1,1,1,1,100000,100000,1,\n"),
              EndsWith(":2: Channels * Num Filter is beyond 2147483647"));
  EXPECT_THAT(error(gemm_header + "A,2147483647,2147483647,2147483647,\n"),
              EndsWith(":2: the number of multiply-accumulates is beyond 64 bits"));
}

TEST_F(Scalesim, RefusesWhatIsNoTopology) {
  EXPECT_THAT(error(""), EndsWith("topology.csv: empty; a topology expected"));
  EXPECT_THAT(error("A,8,8,3,3,1,4,1,\n"), HasSubstr(":1: header not known; 'Layer name, IFMAP Height,"));
  EXPECT_THAT(error("Layer,M,K,N,\nA,1,1,1,\n"), HasSubstr(":1: header not known;"));
  EXPECT_THAT(error(conv_header), EndsWith(":1: no layer follows the header; at least one expected"));
  EXPECT_THAT(error(conv_header + "A,8,8,3,3,1,4,\n"), EndsWith(":2: 7 columns; 8 expected"));
  EXPECT_THAT(error(conv_header + "A,8,8,3,3,1,4,1,1:4,\n"), EndsWith(":2: 9 columns; 8 expected"));
  EXPECT_THAT(error(gemm_header + "A,1,1,1,12,\n"), EndsWith(":2: 5 columns; 4 expected"));
}

TEST_F(Scalesim, BecomesALayerTable) {
  for (const std::string& text :
       {conv_header + "A,10,11,3,2,3,6,2,\nB_DP,8,8,3,3,16,1,2,\n", gemm_header + "C,5,6,7,\n"}) {
    const std::vector<LayerShape> layers = read(text);
    write_layer_table(folder_ / "table.csv", layers);
    EXPECT_EQ(read_layer_table(folder_ / "table.csv"), layers);
  }
}

}  // namespace
}  // namespace lpa::traces::testing

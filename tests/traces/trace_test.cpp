#include "traces/trace.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/small_trace.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

using ::testing::HasSubstr;
using workloads::testing::message_of;

std::string error(const std::string& text) {
  return message_of<workloads::InputError>([&] { parse_trace("t.json", text); });
}

/// The message for the small trace with `from`, which stands in it, replaced once: behind `after`, if that is given.
struct Damage {
  std::string after, from, to;
  std::string message;  ///< Without file and line, which is that of the damage.
};

void expect_message(const Damage& damage) {
  std::string text = trace_text(small_trace());
  const std::size_t start = text.find(damage.after);
  ASSERT_NE(start, std::string::npos) << damage.after;
  const std::size_t position = text.find(damage.from, start);
  ASSERT_NE(position, std::string::npos) << damage.from;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n');
  text.replace(position, damage.from.size(), damage.to);
  EXPECT_EQ(error(text), fmt::format("t.json:{}: {}", line, damage.message));
}

TEST(Trace, IsReadAsItWasWritten) {
  const Trace trace = small_trace();
  const std::string text = trace_text(trace);
  const Trace copy = parse_trace("t.json", text);
  EXPECT_EQ(trace_text(copy), text);
  EXPECT_EQ(copy.layers, trace.layers);
  EXPECT_EQ(copy.constants, trace.constants);
  EXPECT_EQ(copy.input, trace.input);
  EXPECT_EQ(copy.source, trace.source);
  EXPECT_EQ(copy.parameters, trace.parameters);
  ASSERT_EQ(copy.graph.layers.size(), trace.graph.layers.size());
  for (std::size_t i = 0; i < copy.graph.layers.size(); ++i) {
    const workloads::Layer &a = copy.graph.layers[i], &b = trace.graph.layers[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.op, b.op);
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.input, b.input);
    EXPECT_EQ(a.addend, b.addend);
    EXPECT_EQ(a.stationary, b.stationary);
    EXPECT_EQ(a.activation, b.activation);
    EXPECT_EQ(a.geometry, b.geometry);
    EXPECT_EQ(a.products, b.products);
    EXPECT_EQ(a.boxes, b.boxes);
    EXPECT_EQ(a.count_include_pad, b.count_include_pad);
    EXPECT_EQ(a.epsilon, b.epsilon);
  }
}

TEST(Trace, KeepsTheOptionalFields) {
  Trace trace = small_trace();
  trace.tensors = "words.safetensors";
  trace.constants[0].role = ConstantRole::rectified_layer;
  trace.graph.layers[0].activation = {workloads::Activation::Kind::clip, -std::numeric_limits<double>::infinity(), 6};
  const Trace copy = parse_trace("t.json", trace_text(trace));
  EXPECT_EQ(copy.tensors, trace.tensors);
  EXPECT_EQ(copy.constants, trace.constants);
  EXPECT_EQ(copy.graph.layers[0].activation, trace.graph.layers[0].activation);
}

TEST(Trace, HasAFieldPerLineAndNoLongLines) {
  const std::string text = trace_text(small_trace());
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    EXPECT_LE(end - start, 130U) << text.substr(start, end - start);
    start = end + 1;
  }
  EXPECT_THAT(text, HasSubstr("\n   \"geometry\": {\n"));
  EXPECT_THAT(text,
              HasSubstr("\"work\": {\"count\": 1, \"m\": 16, \"n\": 8, \"k\": 27, \"macs\": 3456, \"weights\": 216, "
                        "\"ppu\": 128}"));
}

TEST(Trace, RefusesFieldsThatAreMissingOrUnknown) {
  expect_message({"\"layers\"", "\"op\": ", "\"opp\": ", "layers[0]: unknown field 'opp'; did you mean 'op'?"});
  const std::string text = trace_text(small_trace());
  const std::size_t op = text.find("\"op\"");
  const std::string without = text.substr(0, op) + text.substr(text.find("\"kind\"", op));
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(op), '\n') - 1;
  EXPECT_EQ(error(without), fmt::format("t.json:{}: layers[0].op: is missing", line));
}

TEST(Trace, RefusesWrongValuesNamingLineAndField) {
  const std::string first = "\"layers\"", matmul = "\"name\": \"matmul\"", copy = "\"name\": \"copy\"";
  for (const Damage& damage : std::vector<Damage>{
           {"", "\"schema_version\": 1", "\"schema_version\": 2",
            "schema_version: is 2 but this program reads version 1"},
           {"", "\"parameters\": 1234", "\"parameters\": -1", "parameters: must not be negative"},
           {"", "\"parameters\": 1234", "\"parameters\": 1.5", "parameters: '1.5' is not a whole number"},
           {"", "\"parameters\": 1234", "\"parameters\": 99999999999999999999",
            "parameters: '99999999999999999999' is beyond 64 bits"},
           {"", "\"network\": \"small.onnx\"", "\"network\": \"a/b\"",
            "network: 'a/b' must be a file's name without folder"},
           {"", "\"source\": \"made up\"", "\"source\": 7", "source: must be a string"},
           {"\"input\": {", "[4, 4, 3]", "[4, 4]", "input.shape: has 2 elements but must have 3"},
           {"\"input\": {", "[4, 4, 3]", "[4, 0, 3]", "input.shape: is 0 but must be 1..2147483647"},
           {"\"input\": {", "[4, 4, 3]", "[65536, 65536, 3]",
            "input.shape: a map of 65536 x 65536 x 3 has more than 2147483647 elements"},
           {"\"input\": {", "LP<8,2,3,0>", "LP<6,2,3,0>", "input.format: n is 6 but must be 2, 4 or 8"},
           {copy, "\"copy\"", "\"input\"", "layers[8].name: 'input' is the name of something before it, too"},
           {first, "\"kind\": \"conv\"", "\"kind\": \"convolution\"",
            "layers[0].kind: 'convolution' is none of conv, add, max_pool, average_pool, matmul, softmax, layer_norm, "
            "copy"},
           {first, "\"input\": \"input\"", "\"input\": \"add\"",
            "layers[0].input: 'add' is not \"input\", a constant or a layer before this one"},
           {copy, "\"copy\"", "\"bias map\"", "layers[8].name: 'bias map' is the name of something before it, too"},
           {first, "\"low\": 0.0", "\"low\": 8", "layers[0].activation: clips to 8..6, which is empty"},
           {first, "\"kernel\": [3, 3]", "\"kernel\": [7, 3]",
            "layers[0].geometry.kernel: its height of 7 is beyond the input's 6, padding included"},
           {first, "\"out\": [4, 4, 8]", "\"out\": [4, 5, 8]", "layers[0].geometry.out: its width is 5 but must be 4"},
           {first, "\"in\": [4, 4, 3]", "\"in\": [4, 4, 5]",
            "layers[0].geometry.in: is 4 x 4 x 5 but 'input' has a map of 4 x 4 x 3"},
           {first, "\"groups\": 1", "\"groups\": 2",
            "layers[0].geometry.groups: is 2 but must divide 3 and 8 channels"},
           {first, "\"psum_lsb\"", "\"psum_lsb\": 1001, \"psum_lsb_\"",
            "layers[0]: unknown field 'psum_lsb_'; did you mean 'psum_lsb'?"},
           {"\"name\": \"conv\"", "\"encoded\": \"LP<8,2,3,0>\"", "\"encoded\": \"LP<8,2,3,1>\"",
            "layers[0].formats.encoded: is LP<8,2,3,1> but must be LP<8,2,3,0>, the output's: nothing comes between"},
           {"\"name\": \"conv\"", "\"m\": 16", "\"m\": 17",
            "layers[0].work.m: is 17 but must be 16, which follows from other fields"},
           {"", "\"macs\":", "\"macs\": 1, \"macs_\":", "unknown field 'macs_'; did you mean 'macs'?"},
           {"\"name\": \"max\"", "\"output\": \"LP<8,2,3,0>\"", "\"output\": \"LP<8,2,3,1>\"",
            "layers[2].formats.output: is LP<8,2,3,1> but must be LP<8,2,3,0>, its input's: words stay as they are"},
           {"\"name\": \"max\"", "\"pad\": [0, 0, 0, 0]", "\"pad\": [2, 0, 0, 0]",
            "layers[2].geometry.pad: must be smaller than the window's height of 2"},
           {"\"name\": \"average\"", "\"count_include_pad\": true", "\"count_include_pad\": 1",
            "layers[3].count_include_pad: must be true or false"},
           {"\"name\": \"residual\"", "\"addend\": \"average\"", "\"addend\": \"conv\"",
            "layers[4].addend: 'conv' has a map of 4 x 4 x 8 but the layer's is 2 x 2 x 8"},
           {"\"name\": \"norm\"", "\"epsilon\": 1e-06", "\"epsilon\": -1", "layers[5].epsilon: must not be negative"},
           {"\"name\": \"norm\"", "\"epsilon\": 1e-06", "\"epsilon\": 1e999",
            "layers[5].epsilon: '1e999' is beyond a double's range"},
           {matmul, "\"scale\": 0.5", "\"scale\": 0", "layers[6].products.scale: must be 2^-64 to 2^64"},
           {matmul, "\"scale_q8\": -256", "\"scale_q8\": -255",
            "layers[6].products.scale_q8: is -255 but must be -256, which follows from other fields"},
           {matmul, "\"input\": {\"offset\": 0", "\"input\": {\"offset\": 1",
            "layers[6].products.input: reaches beyond the 32 elements of the map"},
           {matmul, "\"stationary\": {\"offset\": 0, \"outer\": 0, \"inner\": 4, \"row\": 1, \"column\": 8}",
            "\"stationary\": {\"offset\": 0, \"outer\": 0, \"inner\": 4, \"row\": 2, \"column\": 2}",
            "layers[6].products.stationary: row or column stride must be 1"},
           {matmul, "\"output\": {\"offset\": 0, \"outer\": 0, \"inner\": 4",
            "\"output\": {\"offset\": 0, \"outer\": 0, \"inner\": 2",
            "layers[6].products.output: places overlap or leave out elements"},
           {matmul, "\"row\": 8", "\"row\": -8",
            "layers[6].products.input: row stride is -8 but must be 0..2147483647"},
           {copy, "\"source\": 1", "\"source\": 2",
            "layers[8].boxes[1]: source is 2 but must be 0, or 1 beside an addend"},
           {copy, "\"count\": [1, 4, 8]", "\"count\": [1, 0, 8]",
            "layers[8].boxes[0]: count is 0 but must be 1..2147483647"},
           {copy, "\"to\": 8", "\"to\": 7", "layers[8].boxes[1]: fills element 7 of the map, which is filled already"},
           {copy, "\"from_stride\": [0, 8]", "\"from_stride\": [0, 9]",
            "layers[8].boxes[0].from: reaches beyond the 32 elements of the map"}})
    expect_message(damage);
}

TEST(Trace, MatricesAndCopiesNeedWordsOf8Bits) {
  Trace trace = small_trace();
  trace.layers[5].output = trace.layers[5].encoded = formats::LpFormat{.n = 4, .es = 1, .rs = 2, .sf_q8 = 0};
  const auto fault = [&]() -> std::string {
    try {
      check_trace(trace);
    } catch (const TraceFault& error) {
      return error.path() + ": " + error.what();
    }
    return "no fault";
  };
  EXPECT_EQ(fault(), "layers[6].input: 'norm' has words of 4 bits but a matmul's operand must have 8 bits");
}

TEST(Trace, CountsBeyondTheirLimitAreRefused) {
  Trace trace = small_trace();
  trace.graph.layers.resize(1);
  trace.layers.resize(1);
  workloads::LayerGeometry& g = trace.graph.layers[0].geometry;
  g.kernel_h = g.kernel_w = g.pad_top = g.pad_left = 2147483647;
  g.out_h = g.out_w = 6;
  EXPECT_EQ(message_of<TraceFault>([&] { check_trace(trace); }), "more than 2147483647 weights");
}

TEST(Trace, AFileThatIsRefusedIsNotWritten) {
  const workloads::testing::TemporaryFolder folder;
  Trace trace = small_trace();
  trace.graph.network = "";
  EXPECT_THROW(write_trace(folder / "t.json", trace), TraceFault);
  EXPECT_FALSE(std::filesystem::exists(folder / "t.json"));
  write_trace(folder / "t.json", small_trace());
  EXPECT_EQ(trace_text(read_trace(folder / "t.json")), trace_text(small_trace()));
}

}  // namespace
}  // namespace lpa::traces::testing

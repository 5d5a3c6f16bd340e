#include "workloads/safetensors.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;

/// A file as the format's description has it, put together by hand.
std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

class Safetensors : public ::testing::Test {
 protected:
  std::string error(const std::string& bytes) {
    write_bytes(file_, bytes);
    return message_of<InputError>([&] { read_safetensors(file_); });
  }
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "w.safetensors";
};

TEST_F(Safetensors, ReadsAFileInAnyOrderOfTensors) {
  write_bytes(file_, file_of(R"({"z":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                             R"("__metadata__":{"k":"v"},"a":{"dtype":"I16","shape":[1,1],"data_offsets":[2,4]}} )",
                             std::string("\x05\xff\xfe\xff", 4)));
  const SafeTensors content = read_safetensors(file_);
  EXPECT_EQ(content.metadata, (std::map<std::string, std::string>{{"k", "v"}}));
  ASSERT_EQ(content.tensors.size(), 2u);
  EXPECT_EQ(std::get<std::vector<std::uint8_t>>(content.tensors.at("z").data), (std::vector<std::uint8_t>{5, 255}));
  EXPECT_EQ(content.tensors.at("a").shape, (Shape{1, 1}));
  EXPECT_EQ(std::get<std::vector<std::int16_t>>(content.tensors.at("a").data), (std::vector<std::int16_t>{-2}));
}

TEST_F(Safetensors, RoundTripsEveryTypeAndEmptyTensors) {
  SafeTensors content;
  content.metadata = {{"format", "test"}, {"quote", "\"\\\n"}};
  content.tensors["bytes"] = {{3}, std::vector<std::uint8_t>{0, 1, 255}};
  content.tensors["shorts"] = {{2, 1}, std::vector<std::int16_t>{-32768, 32767}};
  content.tensors["ints"] = {{}, std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min()}};
  content.tensors["floats"] = {{1, 2, 2}, std::vector<float>{1.5f, -0.0f, 3e-40f, 3e38f}};
  content.tensors["none"] = {{0, 7}, std::vector<float>{}};
  write_safetensors(file_, content);
  const SafeTensors read = read_safetensors(file_);
  EXPECT_EQ(read.metadata, content.metadata);
  ASSERT_EQ(read.tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    EXPECT_EQ(read.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.tensors.at(name).data, tensor.data) << name;
  }
  const std::string bytes = read_bytes(file_);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0) << "the data starts at a multiple of 8 bytes";
  EXPECT_EQ(bytes[8], '{');

  write_safetensors(file_, {});
  EXPECT_TRUE(read_safetensors(file_).tensors.empty());
}

TEST_F(Safetensors, ErrorsNameTheTensorAndWhatIsWrong) {
  const auto tensor = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string four = "1234";
  EXPECT_EQ(error(file_of(tensor("\"F32\"", "[1]", "[0,4]"), four)), "no error");
  EXPECT_THAT(error("1234567"), HasSubstr("w.safetensors: not a safetensors file: 7 bytes"));
  EXPECT_THAT(error(std::string(8, '\xff') + "{}"),
              HasSubstr("header of 18446744073709551615 bytes announced, 2 follow"));
  EXPECT_THAT(error(file_of("{}", "").substr(0, 9)), HasSubstr("header of 2 bytes announced, 1 follow"));
  EXPECT_THAT(error(file_of("[1]", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(file_of("{\"a\":", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(file_of(R"({"w":3})", "")), HasSubstr("tensor 'w' is not a JSON object"));
  EXPECT_THAT(error(file_of(R"({"__metadata__":{"k":1}})", "")), HasSubstr("'__metadata__' holds 'k'"));
  EXPECT_THAT(error(file_of(R"({"w":{"shape":[],"data_offsets":[0,4]}})", four)),
              HasSubstr("tensor 'w' has no 'dtype'"));
  EXPECT_THAT(error(file_of(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", four)), HasSubstr("has no 'shape'"));
  EXPECT_THAT(error(file_of(R"({"w":{"dtype":"F32","shape":[1]}})", four)), HasSubstr("has no 'data_offsets'"));
  EXPECT_THAT(error(file_of(tensor("\"BF16\"", "[2]", "[0,4]"), four)),
              HasSubstr("tensor 'w' has dtype 'BF16' (supported: U8, I16, I32, F32)"));
  EXPECT_THAT(error(file_of(tensor("7", "[1]", "[0,4]"), four)), HasSubstr("'dtype' that is not a string"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[-1]", "[0,4]"), four)),
              HasSubstr("'shape' that is not a list of counts"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[1.5]", "[0,4]"), four)), HasSubstr("'shape' that is not"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[2]", "[0,4]"), four)),
              HasSubstr("tensor 'w' of shape 2 and dtype F32 has 4 bytes of data (expected 8)"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[4294967296,4294967296]", "[0,4]"), four)), HasSubstr("is too large"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[18446744073709551615]", "[0,4]"), four)), HasSubstr("too large"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[1]", "[4,0]"), four)), HasSubstr("not [begin, end]"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[1]", "[0]"), four)), HasSubstr("not [begin, end]"));
  EXPECT_THAT(error(file_of(tensor("\"F32\"", "[2]", "[0,8]"), four)),
              HasSubstr("ends at byte 8 of the data, of which the file has 4"));
  EXPECT_THAT(error(file_of(tensor("\"U8\"", "[2]", "[2,4]"), four)),
              HasSubstr("begins at byte 2 of the data (expected 0"));
  EXPECT_THAT(error(file_of(tensor("\"U8\"", "[2]", "[0,2]"), four)),
              HasSubstr("4 bytes of data, of which the tensors use 2"));
  EXPECT_THAT(error(file_of(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                            R"("b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})",
                            four)),
              HasSubstr("tensor 'b' begins at byte 1 of the data (expected 3"));
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  write_safetensors(file_, {{{"a", {{2}, std::vector<float>{1, 2}}}, {"b", {{1}, std::vector<std::uint8_t>{3}}}}, {}});
  const std::string whole = read_bytes(file_);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error(whole.substr(0, length)), "no error") << length << " bytes";
}

TEST_F(Safetensors, WritingChecksShapeAndFolder) {
  EXPECT_THROW(write_safetensors(file_, {{{"a", {{3}, std::vector<float>{1}}}}, {}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(folder_ / "no" / "f", {}), OutputError);
}

}  // namespace
}  // namespace lpa::workloads::testing

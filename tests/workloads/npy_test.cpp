#include "workloads/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A file as numpy.lib.format describes it, put together by hand.
std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(dictionary.size() >> (8 * i));
  return bytes + dictionary + data;
}

class Npy : public ::testing::Test {
 protected:
  std::string u8_error(const std::string& bytes) {
    write_bytes(file_, bytes);
    return message_of<InputError>([&] { read_npy_u8(file_); });
  }
  std::string f32_error(const std::string& bytes) {
    write_bytes(file_, bytes);
    return message_of<InputError>([&] { read_npy_f32(file_); });
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "a.npy";
};

TEST_F(Npy, ReadsVersions1And2) {
  const std::string dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }      \n";
  for (const int version : {1, 2}) {
    write_bytes(file_, npy(dictionary, "abcdef", version));
    const ByteArray array = read_npy_u8(file_);
    EXPECT_EQ(array.shape, (Shape{2, 3}));
    EXPECT_THAT(array.data, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  }
}

TEST_F(Npy, AcceptsAnyOrderOfKeysAndEitherQuote) {
  write_bytes(file_, npy("{\"shape\": (2,), \"descr\": \"|u1\", \"fortran_order\": False}\n", "ab"));
  EXPECT_EQ(read_npy_u8(file_).shape, Shape{2});
}

TEST_F(Npy, LimitsTheRows) {
  write_npy(file_, {3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Tensor two = read_npy_f32(file_, 2);
  EXPECT_EQ(two.shape, (Shape{2, 2}));
  EXPECT_THAT(two.data, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(read_npy_f32(file_, 9).shape, (Shape{3, 2}));
}

TEST_F(Npy, RoundTripsAllRanks) {
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{0, 4}, Shape{2, 3, 4, 5}}) {
    Tensor tensor{shape, {}};
    std::vector<std::uint8_t> bytes;
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      tensor.data.push_back(static_cast<float>(i) * -0.37f);
      bytes.push_back(static_cast<std::uint8_t>(i * 7));
    }
    write_npy(file_, shape, tensor.data);
    EXPECT_EQ(read_npy_f32(file_).shape, shape);
    EXPECT_EQ(read_npy_f32(file_).data, tensor.data);
    write_npy(file_, shape, bytes);
    EXPECT_EQ(read_npy_u8(file_).shape, shape);
    EXPECT_EQ(read_npy_u8(file_).data, bytes);
  }
}

TEST_F(Npy, WritesWhatNumpyWrites) {
  write_npy(file_, {2, 3}, std::vector<std::uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
  const std::string bytes = read_bytes(file_);
  EXPECT_EQ(bytes,
            npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') + "\n", "abcdef"));
  EXPECT_EQ((bytes.size() - 6) % 64, 0u);
}

TEST_F(Npy, ErrorsNameFileFoundAndExpected) {
  const std::string u8 = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n";
  EXPECT_THAT(message_of<InputError>([&] { read_npy_u8(file_); }), HasSubstr("a.npy: no such file"));
  EXPECT_THAT(message_of<InputError>([&] { read_npy_u8(folder_.path()); }), HasSubstr("not a regular file"));
  EXPECT_THAT(u8_error(npy(u8, "abc")),
              HasSubstr("a.npy: truncated: shape 2x3 of uint8 needs 6 bytes of data, the file has 3"));
  EXPECT_THAT(u8_error(npy(u8, "abcdefg")), HasSubstr("trailing bytes: shape 2x3 of uint8 needs 6"));
  EXPECT_THAT(f32_error(npy(u8, "abcdef")), HasSubstr("a.npy: dtype '|u1' (expected '<f4', float32)"));
  EXPECT_THAT(u8_error(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", "12345678")),
              HasSubstr("dtype '<i8' (expected '|u1', uint8)"));
  EXPECT_THAT(f32_error(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234")),
              HasSubstr("dtype '>f4' (expected '<f4', float32)"));
  EXPECT_THAT(u8_error(npy("{'descr': [('x', '|u1')], 'fortran_order': False, 'shape': (1,), }", "1")),
              HasSubstr("structured dtype"));
  EXPECT_THAT(u8_error(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }", "1")),
              HasSubstr("Fortran order"));
  EXPECT_THAT(u8_error("PK\x03\x04 and much more"), HasSubstr("not an .npy file (wrong magic)"));
  EXPECT_THAT(u8_error("\x93NUMPY"), HasSubstr("not an .npy file: 6 bytes"));
  EXPECT_THAT(u8_error(npy(u8, "abcdef", 3)), HasSubstr("format version 3.0 (supported: 1.0 and 2.0)"));
  EXPECT_THAT(u8_error(npy(u8, "").substr(0, 40)), HasSubstr("truncated .npy header: 60 bytes announced, 30 present"));
  for (const std::string shape : {"(-1,)", "(2,", "2", "(99999999999999999999,)", "(2 3)"})
    EXPECT_THAT(u8_error(npy("{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }", "ab")),
                HasSubstr("malformed .npy header"))
        << shape;
  EXPECT_THAT(u8_error(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000, 4000000000), }", "ab")),
              HasSubstr("is too large"));
  EXPECT_THAT(u8_error(npy("{'descr': '|u1', 'shape': (2,), }", "ab")), HasSubstr("malformed .npy header"));
}

TEST_F(Npy, EveryTruncationIsAnError) {
  write_npy(file_, {2, 2}, std::vector<float>{1, 2, 3, 4});
  const std::string whole = read_bytes(file_);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(f32_error(whole.substr(0, length)), "no error") << length << " bytes";
}

}  // namespace
}  // namespace lpa::workloads::testing

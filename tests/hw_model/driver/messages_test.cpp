#include "hw_model/driver/messages.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace lpa::driver {
namespace {

ImageResult some_result() {
  ImageResult result;
  result.label = 7;
  result.output = {1, 1, 3, {1, 2, 255}};
  result.maps = {{2, 1, 1, {5, 6}}, {0, 0, 0, {}}};
  result.layers.resize(2);
  result.layers[1].cycles = 1234567890123;
  result.layers[1].by_cause[3] = 42;
  return result;
}

TEST(Messages, ResultsComeBackAsTheyWere) {
  const ImageResult result = some_result();
  const ImageResult back = decode_result(encode(result));
  EXPECT_EQ(back.label, result.label);
  EXPECT_EQ(back.output, result.output);
  EXPECT_EQ(back.maps, result.maps);
  EXPECT_EQ(back.layers, result.layers);
  EXPECT_EQ(decode_number(encode(std::uint64_t{1} << 60)), std::uint64_t{1} << 60);
}

TEST(Messages, AResultThatIsCutIsAnError) {
  const std::string body = encode(some_result());
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_THROW(decode_result(std::string_view(body).substr(0, size)), std::runtime_error) << size;
  }
}

TEST(Messages, ArriveInPiecesOfAnySize) {
  const std::string text = frame({MessageKind::progress, encode(3)}) + frame({MessageKind::machine_error, ""}) +
                           frame({MessageKind::result, encode(some_result())});
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    MessageReader reader;
    std::vector<Message> messages;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      reader.append(std::string_view(text).substr(at, piece));
      for (Message message; reader.next(message);) messages.push_back(message);
    }
    ASSERT_EQ(messages.size(), 3u) << piece;
    EXPECT_EQ(messages[0].kind, MessageKind::progress);
    EXPECT_EQ(decode_number(messages[0].body), 3u);
    EXPECT_EQ(messages[1].kind, MessageKind::machine_error);
    EXPECT_EQ(messages[1].body, "");
    EXPECT_EQ(decode_result(messages[2].body).label, 7);
  }
}

TEST(Messages, AMessageThatIsNotCompleteWaits) {
  const std::string text = frame({MessageKind::other_error, "out of memory"});
  MessageReader reader;
  Message message;
  EXPECT_FALSE(reader.next(message));
  reader.append(std::string_view(text).substr(0, text.size() - 1));
  EXPECT_FALSE(reader.next(message));
  reader.append(std::string_view(text).substr(text.size() - 1));
  EXPECT_TRUE(reader.next(message));
  EXPECT_EQ(message.body, "out of memory");
}

}  // namespace
}  // namespace lpa::driver

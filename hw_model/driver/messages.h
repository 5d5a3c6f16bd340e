// Values as bytes, for processes on one computer that tell each other results.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "hw_model/driver/simulation.h"

namespace lpa::driver {

/// What a child says to its parent.
enum class MessageKind : std::uint8_t {
  progress,       ///< A layer's number.
  result,         ///< An ImageResult: the last message.
  machine_error,  ///< A MachineError's text: the last message.
  other_error,    ///< The text of any other exception: the last message.
};

struct Message {
  MessageKind kind = MessageKind::progress;
  std::string body;
};

/// The message with its length in front.
std::string frame(const Message& message);

/// Takes bytes as they arrive and gives complete messages.
class MessageReader {
 public:
  void append(std::string_view bytes) { pending_.append(bytes); }
  /// Takes the next message, if it is complete.
  bool next(Message& message);

 private:
  std::string pending_;
};

/// Numbers and results as a message's body and back. Reading throws std::runtime_error if the body is too short.
std::string encode(std::uint64_t number);
std::uint64_t decode_number(std::string_view body);
std::string encode(const ImageResult& result);
ImageResult decode_result(std::string_view body);

}  // namespace lpa::driver

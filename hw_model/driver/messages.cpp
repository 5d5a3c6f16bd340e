#include "hw_model/driver/messages.h"

#include <span>
#include <stdexcept>

namespace lpa::driver {
namespace {

constexpr std::size_t header_bytes = sizeof(std::uint64_t) + 1;  ///< Length of the body, kind.

class Writer {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    put(std::uint64_t{values.size()});
    const std::size_t at = bytes_.size();
    bytes_.resize(at + values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes_.data() + at, values.data(), values.size() * sizeof(T));
  }
  void put_map(const lpq::WordMap& map) {
    put(map.height);
    put(map.width);
    put(map.channels);
    put_all(map.words);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    T value;
    copy(&value, sizeof(T));
    return value;
  }
  /// A count of things that take at least `bytes_each`.
  std::size_t count(std::size_t bytes_each) {
    const auto number = get<std::uint64_t>();
    if (number > bytes_.size() / bytes_each) throw std::runtime_error("a message is too short");
    return number;
  }
  template <class T>
  std::vector<T> get_all() {
    std::vector<T> values(count(sizeof(T)));
    copy(values.data(), values.size() * sizeof(T));
    return values;
  }
  lpq::WordMap get_map() {
    lpq::WordMap map;
    map.height = get<int>();
    map.width = get<int>();
    map.channels = get<int>();
    map.words = get_all<formats::Word>();
    return map;
  }

 private:
  void copy(void* to, std::size_t size) {
    if (size > bytes_.size()) throw std::runtime_error("a message is too short");
    if (size > 0) std::memcpy(to, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }

  std::string_view bytes_;
};

}  // namespace

std::string frame(const Message& message) {
  Writer writer;
  writer.put(std::uint64_t{message.body.size()});
  writer.put(message.kind);
  return writer.take() + message.body;
}

bool MessageReader::next(Message& message) {
  if (pending_.size() < header_bytes) return false;
  Reader reader(pending_);
  const auto size = reader.get<std::uint64_t>();
  if (pending_.size() - header_bytes < size) return false;
  message.kind = reader.get<MessageKind>();
  message.body = pending_.substr(header_bytes, size);
  pending_.erase(0, header_bytes + size);
  return true;
}

std::string encode(std::uint64_t number) {
  Writer writer;
  writer.put(number);
  return writer.take();
}

std::uint64_t decode_number(std::string_view body) {
  return Reader(body).get<std::uint64_t>();
}

std::string encode(const ImageResult& result) {
  Writer writer;
  writer.put(result.label);
  writer.put_map(result.output);
  writer.put_all(result.layers);
  writer.put(std::uint64_t{result.maps.size()});
  for (const lpq::WordMap& map : result.maps) writer.put_map(map);
  return writer.take();
}

ImageResult decode_result(std::string_view body) {
  Reader reader(body);
  ImageResult result;
  result.label = reader.get<int>();
  result.output = reader.get_map();
  result.layers = reader.get_all<hw::Counters>();
  result.maps.resize(reader.count(sizeof(std::uint64_t)));
  for (lpq::WordMap& map : result.maps) map = reader.get_map();
  return result;
}

}  // namespace lpa::driver

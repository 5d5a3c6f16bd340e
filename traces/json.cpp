#include "traces/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "traces/csv.h"
#include "workloads/input_error.h"

namespace lpa::traces {
namespace {

constexpr int most_levels = 32;
constexpr std::size_t most_fields = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Bytes of the UTF-8 sequence at the beginning of a text that is not empty; 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef)
    return tail(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && tail(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return tail(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto put_tail = [&](int shift) { put(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put_tail(0);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put_tail(6), put_tail(0);
  } else {
    put(0xf0 | code >> 18), put_tail(12), put_tail(6), put_tail(0);
  }
}

class Parser {
 public:
  Parser(const std::filesystem::path& file, std::string_view text) : file_(file), rest_(text) {}

  Json document() {
    Json json = value(1);
    skip_blanks();
    if (!rest_.empty()) fail("something follows the document");
    return json;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw workloads::InputError(fmt::format("{}:{}: {}", file_.string(), line_, what));
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r' || rest_[0] == '\n')) {
      if (rest_[0] == '\n') ++line_;
      rest_.remove_prefix(1);
    }
  }

  /// Takes the character if it comes next.
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c, std::string_view where) {
    skip_blanks();
    if (take(c)) return;
    if (rest_.empty()) fail(fmt::format("the file ends {}; '{}' expected", where, c));
    fail(fmt::format("'{}' expected {}", c, where));
  }

  Json value(int level) {
    skip_blanks();
    if (rest_.empty()) fail("the file ends where a value is expected");
    if (level > most_levels) fail(fmt::format("nested more than {} levels deep", most_levels));
    Json json;
    json.line = line_;
    const char c = rest_[0];
    if (c == '{') {
      object(json, level);
    } else if (c == '[') {
      array(json, level);
    } else if (c == '"') {
      json.kind = Json::Kind::text;
      json.text = text();
    } else if (c == '-' || is_digit(c)) {
      json.kind = Json::Kind::number;
      json.text = number();
    } else {
      word(json);
    }
    return json;
  }

  void object(Json& json, int level) {
    json.kind = Json::Kind::object;
    take('{');
    skip_blanks();
    if (take('}')) return;
    do {
      skip_blanks();
      if (rest_.empty() || rest_[0] != '"') fail("the name of a field, in quotation marks, expected");
      std::string key = text();
      if (json.find(key) != nullptr) fail(fmt::format("field {} stands twice in the object", in_quotes(key)));
      if (json.keys.size() == most_fields) fail(fmt::format("an object of more than {} fields", most_fields));
      expect(':', "behind the name of a field");
      json.keys.push_back(std::move(key));
      json.items.push_back(value(level + 1));
      skip_blanks();
    } while (take(','));
    expect('}', "at the end of an object, or ',' before another field");
  }

  void array(Json& json, int level) {
    json.kind = Json::Kind::array;
    take('[');
    skip_blanks();
    if (take(']')) return;
    do {
      json.items.push_back(value(level + 1));
      skip_blanks();
    } while (take(','));
    expect(']', "at the end of an array, or ',' before another value");
  }

  void word(Json& json) {
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] >= 'a' && rest_[size] <= 'z') ++size;
    const std::string_view word = rest_.substr(0, size);
    if (word == "true" || word == "false") {
      json.kind = Json::Kind::boolean;
      json.truth = word == "true";
    } else if (word != "null") {
      fail(size == 0 ? "a value expected" : fmt::format("{} is not a value of JSON", in_quotes(word)));
    }
    rest_.remove_prefix(size);
  }

  std::string number() {
    std::size_t size = 0;
    const auto at = [&](char c) { return size < rest_.size() && rest_[size] == c; };
    const auto digits = [&] {
      const std::size_t first = size;
      while (size < rest_.size() && is_digit(rest_[size])) ++size;
      if (size == first) fail(fmt::format("{} is not a number of JSON", in_quotes(rest_.substr(0, size + 1))));
    };
    if (at('-')) ++size;
    const bool zero = at('0');
    const std::size_t first = size;
    digits();
    if (zero && size > first + 1) fail(fmt::format("{} begins with 0", in_quotes(rest_.substr(0, size))));
    if (at('.')) ++size, digits();
    if (at('e') || at('E')) {
      ++size;
      if (at('+') || at('-')) ++size;
      digits();
    }
    const std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

  std::string text() {
    take('"');
    std::string result;
    while (!take('"')) {
      if (rest_.empty()) fail("the file ends within a string");
      const auto c = static_cast<unsigned char>(rest_[0]);
      if (c < ' ') fail("a line end or control character within a string");
      if (c == '\\') {
        escape(result);
        continue;
      }
      const std::size_t size = utf8_length(rest_);
      if (size == 0) fail("a string is not UTF-8");
      result += rest_.substr(0, size);
      rest_.remove_prefix(size);
    }
    return result;
  }

  void escape(std::string& result) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    take('\\');
    if (take('u')) {
      std::uint32_t code = code_unit();
      if (code >= 0xd800 && code < 0xdc00 && take('\\') && take('u')) {
        const std::uint32_t low = code_unit();
        if (low >= 0xdc00 && low < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      }
      if (code >= 0xd800 && code < 0xe000) fail("half of a surrogate pair in a string");
      append_utf8(result, code);
      return;
    }
    const std::size_t meaning = rest_.empty() ? std::string_view::npos : letters.find(rest_[0]);
    if (meaning == std::string_view::npos) fail("an escape that JSON does not have");
    result += meanings[meaning];
    rest_.remove_prefix(1);
  }

  std::uint32_t code_unit() {
    constexpr std::size_t digits = 4;
    std::uint32_t code = 0;
    const std::string_view hex = rest_.substr(0, digits);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (error != std::errc{} || hex.size() != digits || end != hex.data() + digits) fail("\\u without four hex digits");
    rest_.remove_prefix(digits);
    return code;
  }

  const std::filesystem::path& file_;
  std::string_view rest_;
  std::size_t line_ = 1;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  const auto found = std::ranges::find(keys, key);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

std::size_t Json::line_at(std::string_view path) const {
  const Json* next = nullptr;
  if (path.starts_with('.')) path.remove_prefix(1);
  std::size_t size = std::min(path.find_first_of(".[", 1), path.size());
  if (path.starts_with('[')) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
    size = static_cast<std::size_t>(end - path.data()) + 1;
    if (error == std::errc{} && kind == Kind::array && index < items.size()) next = &items[index];
  } else {
    next = find(path.substr(0, size));
  }
  if (next == nullptr) return line;
  return size >= path.size() ? next->line : next->line_at(path.substr(size));
}

Json parse_json(const std::filesystem::path& file, std::string_view text) {
  return Parser(file, text).document();
}

}  // namespace lpa::traces

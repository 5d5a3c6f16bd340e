#include "traces/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

using workloads::testing::message_of;

Json parse(const std::string& text) {
  return parse_json("f.json", text);
}

std::string error(const std::string& text) {
  return message_of<workloads::InputError>([&] { parse(text); });
}

TEST(Json, ValuesKnowTheirLine) {
  const Json json = parse("{\n  \"a\": [1, 2,\n    {\"b\": true}],\n  \"c\": null\n}\n");
  EXPECT_EQ(json.line, 1U);
  EXPECT_EQ(json.line_at("a[0]"), 2U);
  EXPECT_EQ(json.line_at("a[2].b"), 3U);
  EXPECT_EQ(json.line_at("c"), 4U);
  // Of what isn't there, the innermost value that is.
  EXPECT_EQ(json.line_at("a[2].missing.deeper"), 3U);
  EXPECT_EQ(json.line_at("a[99999999999999999999].b"), 2U);
  EXPECT_EQ(json.line_at(""), 1U);
}

TEST(Json, ReadsEveryKindOfValue) {
  const Json json = parse(R"(["text", -1.5e+3, true, false, null, {}, []])");
  ASSERT_EQ(json.items.size(), 7U);
  EXPECT_EQ(json.items[0].text, "text");
  EXPECT_EQ(json.items[1].text, "-1.5e+3");
  EXPECT_TRUE(json.items[2].truth);
  EXPECT_EQ(json.items[3].kind, Json::Kind::boolean);
  EXPECT_EQ(json.items[4].kind, Json::Kind::null);
  EXPECT_EQ(json.items[5].kind, Json::Kind::object);
  EXPECT_EQ(json.items[6].kind, Json::Kind::array);
}

TEST(Json, ReadsEscapes) {
  EXPECT_EQ(parse(R"("\"\\\/\b\f\n\r\t")").text, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(parse(R"("\u0041\u00e4\u20ac\ud83d\ude00")").text, "A\u00e4\u20ac\U0001F600");
  EXPECT_EQ(parse("\"\u00e4\u20ac\U0001F600\"").text, "\u00e4\u20ac\U0001F600");
}

TEST(Json, RefusesWhatIsNotJsonNamingTheLine) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "f.json:1: the file ends where a value is expected"},
      {"{\n", "f.json:2: the name of a field, in quotation marks, expected"},
      {"{\"a\": 1,\n\"a\": 2}", "f.json:2: field 'a' stands twice in the object"},
      {"[1,\n2", "f.json:2: the file ends at the end of an array, or ',' before another value; ']' expected"},
      {"[1\n2]", "f.json:2: ']' expected at the end of an array, or ',' before another value"},
      {"{\"a\" 1}", "f.json:1: ':' expected behind the name of a field"},
      {"1 2", "f.json:1: something follows the document"},
      {"nul", "f.json:1: 'nul' is not a value of JSON"},
      {"?", "f.json:1: a value expected"},
      {"-", "f.json:1: '-' is not a number of JSON"},
      {"1.x", "f.json:1: '1.x' is not a number of JSON"},
      {"1e", "f.json:1: '1e' is not a number of JSON"},
      {"012", "f.json:1: '012' begins with 0"},
      {"\"a", "f.json:1: the file ends within a string"},
      {"\"a\n\"", "f.json:1: a line end or control character within a string"},
      {"\"\\x\"", "f.json:1: an escape that JSON does not have"},
      {"\"\\u12\"", "f.json:1: \\u without four hex digits"},
      {"\"\\ud800x\"", "f.json:1: half of a surrogate pair in a string"},
      {"\"\\udc00\"", "f.json:1: half of a surrogate pair in a string"},
      {"\"\xc0\xaf\"", "f.json:1: a string is not UTF-8"},
      {"\"\xed\xa0\x80\"", "f.json:1: a string is not UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "f.json:1: a string is not UTF-8"},
      {"\"\xe2\x82\"", "f.json:1: a string is not UTF-8"},
      {std::string(40, '['), "f.json:1: nested more than 32 levels deep"}};
  for (const auto& [text, message] : cases) EXPECT_EQ(error(text), message) << text;
}

TEST(Json, RefusesObjectsOfVeryManyFields) {
  std::string text = "{\"0\": 0";
  for (int i = 1; i <= 64; ++i) text += ", \"" + std::to_string(i) + "\": 0";
  EXPECT_EQ(error(text + "}"), "f.json:1: an object of more than 64 fields");
}

}  // namespace
}  // namespace lpa::traces::testing

#include "quant/lpq/quantized_model.h"

#include <algorithm>

#include <fmt/format.h>

namespace lpa::lpq {

std::vector<std::uint8_t> pack_words(const std::vector<formats::Word>& words, int bits) {
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  std::vector<std::uint8_t> bytes((words.size() + per_byte - 1) / per_byte);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto shift = static_cast<int>(i % per_byte) * bits;
    bytes[i / per_byte] = static_cast<std::uint8_t>(bytes[i / per_byte] | (words[i] << shift));
  }
  return bytes;
}

std::vector<formats::Word> unpack_words(const std::vector<std::uint8_t>& bytes, int bits, std::size_t count) {
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  std::vector<formats::Word> words(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto shift = static_cast<int>(i % per_byte) * bits;
    words[i] = static_cast<formats::Word>((bytes[i / per_byte] >> shift) & ((1 << bits) - 1));
  }
  return words;
}

std::string check_words(const std::vector<formats::Word>& words, const formats::TensorFormat& format) {
  const auto found = std::ranges::find(words, format.nar_word());
  if (found == words.end()) return {};
  const auto index = found - words.begin();
  if (format.has_nar()) return fmt::format("word {} is NaR but must be a real number", index);
  return fmt::format("word {} is {:#x} but must be one that an encoder of {} makes", index, format.nar_word(),
                     to_string(format));
}

}  // namespace lpa::lpq

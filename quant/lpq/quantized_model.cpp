#include "quant/lpq/quantized_model.h"

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

}  // namespace lpa::lpq

// FNV-1a (Fowler, Noll, Vo): tells data apart that should be the same. Not for anything secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace lpa::lpq {

class Digest {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* byte = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < bytes; ++i) state_ = (state_ ^ byte[i]) * 0x100000001b3;
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  template <typename T>
  void add_elements(const T& container) {
    add(container.data(), container.size() * sizeof(container[0]));
  }
  /// 16 hexadecimal digits.
  std::string text() const { return fmt::format("{:016x}", state_); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace lpa::lpq

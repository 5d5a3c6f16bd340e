#include "workloads/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

static_assert(std::endian::native == std::endian::little, "array files are read and written as they lie in memory");

namespace lpa::workloads {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::uint64_t max_header = 1 << 20;

template <class T>
constexpr std::string_view dtype_of = sizeof(T) == 1 ? "|u1" : "<f4";
template <class T>
constexpr std::string_view dtype_name = sizeof(T) == 1 ? "uint8" : "float32";

struct Header {
  std::string dtype;
  bool fortran_order = false;
  Shape shape;
};

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw InputError(path.string() + ": " + what);
}

/// The header is a Python dictionary literal with exactly the keys descr, fortran_order and shape.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::filesystem::path& path) : text_(text), path_(path) {}

  Header parse() {
    Header header;
    bool has_dtype = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_dtype) {
        skip_space();
        if (!text_.empty() && text_[0] == '[') fail(path_, "structured dtype (expected a plain array)");
        header.dtype = quoted();
        has_dtype = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = tuple();
        has_shape = true;
      } else {
        malformed();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty() || !has_dtype || !has_order || !has_shape) malformed();
    return header;
  }

 private:
  [[noreturn]] void malformed() const {
    fail(path_, "malformed .npy header (expected a dictionary of descr, fortran_order and shape)");
  }
  void skip_space() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  std::string quoted() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) malformed();
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) malformed();
    std::string word(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return word;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return word == "True";
    }
    malformed();
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc{} || size < 0) malformed();
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  const std::filesystem::path& path_;
};

Header read_header(InputFile& file) {
  std::array<unsigned char, 12> start{};
  if (file.size < 10) fail(file.path, fmt::format("not an .npy file: {} bytes, at least 10 expected", file.size));
  file.read(start.data(), 8);
  if (std::memcmp(start.data(), magic.data(), magic.size()) != 0) fail(file.path, "not an .npy file (wrong magic)");
  const int version = start[6];
  if ((version != 1 && version != 2) || start[7] != 0)
    fail(file.path, fmt::format(".npy format version {}.{} (supported: 1.0 and 2.0)", version, int{start[7]}));
  const std::uint64_t length_bytes = version == 1 ? 2 : 4;
  file.read(start.data() + 8, length_bytes);
  std::uint64_t length = 0;
  for (std::uint64_t i = 0; i < length_bytes; ++i) length |= std::uint64_t{start[8 + i]} << (8 * i);
  const std::uint64_t present = file.size - 8 - length_bytes;
  if (length > present || length > max_header)
    fail(file.path, fmt::format("truncated .npy header: {} bytes announced, {} present", length, present));
  std::string text(length, '\0');
  file.read(text.data(), length);
  return HeaderParser(text, file.path).parse();
}

template <class T>
Shape read(const std::filesystem::path& path, std::int64_t max_rows, std::vector<T>& data) {
  InputFile file(path);
  Header header = read_header(file);
  if (header.dtype != dtype_of<T> && !(sizeof(T) == 1 && header.dtype == "<u1"))
    fail(path, fmt::format("dtype '{}' (expected '{}', {})", header.dtype, dtype_of<T>, dtype_name<T>));
  if (header.fortran_order) fail(path, "Fortran order (expected C order)");

  const auto data_start = static_cast<std::uint64_t>(file.stream.tellg());
  const std::uint64_t present = file.size - data_start;
  std::uint64_t expected = sizeof(T);
  const bool empty = std::ranges::find(header.shape, 0) != header.shape.end();
  for (const std::int64_t size : header.shape) {
    const auto factor = empty ? std::uint64_t{0} : static_cast<std::uint64_t>(size);
    if (factor != 0 && expected > std::numeric_limits<std::int64_t>::max() / factor)
      fail(path, fmt::format("shape {} is too large", to_string(header.shape)));
    expected *= factor;
  }
  if (present != expected)
    fail(path, fmt::format("{}: shape {} of {} needs {} bytes of data, the file has {}",
                           present < expected ? "truncated" : "trailing bytes", to_string(header.shape), dtype_name<T>,
                           expected, present));
  if (max_rows > 0 && !header.shape.empty() && header.shape[0] > max_rows) {
    expected = expected / static_cast<std::uint64_t>(header.shape[0]) * static_cast<std::uint64_t>(max_rows);
    header.shape[0] = max_rows;
  }
  data.resize(expected / sizeof(T));
  file.read(data.data(), expected);
  return header.shape;
}

template <class T>
void write(const std::filesystem::path& path, const Shape& shape, std::span<const T> data) {
  std::string dimensions;
  for (const std::int64_t size : shape) dimensions += (dimensions.empty() ? "" : ", ") + std::to_string(size);
  if (shape.size() == 1) dimensions += ",";
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", dtype_of<T>, dimensions);
  // NumPy aligns the data to 64 bytes and ends the header with a newline.
  header.append(63 - (magic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';

  std::string bytes(magic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(data.data()), data.size_bytes());
  write_file_atomically(path, bytes);
}

}  // namespace

ByteArray read_npy_u8(const std::filesystem::path& path, std::int64_t max_rows) {
  ByteArray array;
  array.shape = read(path, max_rows, array.data);
  return array;
}

Tensor read_npy_f32(const std::filesystem::path& path, std::int64_t max_rows) {
  Tensor tensor;
  tensor.shape = read(path, max_rows, tensor.data);
  return tensor;
}

void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::uint8_t> data) {
  write(path, shape, data);
}

void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const float> data) {
  write(path, shape, data);
}

}  // namespace lpa::workloads

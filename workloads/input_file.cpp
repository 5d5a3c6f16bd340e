#include "workloads/input_file.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::workloads {

InputFile::InputFile(const std::filesystem::path& file) : path(file) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found)
    throw InputError(fmt::format("{}: no such file", path.string()));
  if (error) throw InputError(fmt::format("{}: cannot open: {}", path.string(), error.message()));
  if (!std::filesystem::is_regular_file(status)) throw InputError(fmt::format("{}: not a regular file", path.string()));
  size = std::filesystem::file_size(path, error);
  if (error) throw InputError(fmt::format("{}: cannot open: {}", path.string(), error.message()));
  errno = 0;
  stream.open(path, std::ios::binary);
  if (!stream)
    throw InputError(fmt::format("{}: cannot open: {}", path.string(), std::generic_category().message(errno)));
}

void InputFile::read(void* destination, std::uint64_t bytes) {
  stream.read(static_cast<char*>(destination), static_cast<std::streamsize>(bytes));
  if (static_cast<std::uint64_t>(stream.gcount()) != bytes)
    throw InputError(
        fmt::format("{}: {} bytes expected, the file ends after {}", path.string(), bytes, stream.gcount()));
}

std::string read_whole_file(const std::filesystem::path& path) {
  InputFile file(path);
  std::string bytes(file.size, '\0');
  file.read(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace lpa::workloads

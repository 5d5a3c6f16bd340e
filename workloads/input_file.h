#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace lpa::workloads {

/// A regular file opened for reading, of known size. Throws InputError naming the file and the system's reason.
struct InputFile {
  explicit InputFile(const std::filesystem::path& file);

  /// Reads `bytes` bytes to `destination`. Throws InputError if the file turns out shorter.
  void read(void* destination, std::uint64_t bytes);

  std::filesystem::path path;
  std::uint64_t size = 0;  ///< Bytes.
  std::ifstream stream;
};

/// The file's whole content. Throws InputError.
std::string read_whole_file(const std::filesystem::path& path);

}  // namespace lpa::workloads

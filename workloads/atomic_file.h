#pragma once

#include <filesystem>
#include <stdexcept>
#include <string_view>

namespace lpa::workloads {

/// A file that cannot be written (no permission, disk full, no such folder). The message is one line with the file and
/// the system's reason.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes the bytes to a temporary file in the same folder, flushes it to the disk and renames it to `path`: a reader
/// sees the old file or the complete new one, never a part. On failure the temporary file is removed and an existing
/// file is left as it was. Throws OutputError.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace lpa::workloads

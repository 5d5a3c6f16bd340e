// A single file of results that appears complete or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "tools/lpasim/error.h"
#include "tools/lpasim/output_folder.h"

namespace lpa::cli {

/// A file that the user names by an option, inside the result folder or anywhere else. It is written under a temporary
/// name beside its place, which commit() changes. Without commit() everything is as it was before.
class ResultFile {
 public:
  /// `option` is what messages name, "--vcd". `folder` is the path of the result folder. Throws Error.
  ResultFile(std::string option, const std::filesystem::path& target, const std::filesystem::path& folder);
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  /// Whether it belongs to the result folder, which must then know its name.
  bool in_folder() const { return in_folder_; }
  std::string name() const { return target_.filename().string(); }
  bool same_file(const ResultFile& other) const { return target_ == other.target_; }

  /// Creates the temporary file, whose name ends in `extension`. An existing file outside the folder is an error unless
  /// `force`. Throws Error.
  void open(const OutputFolder& folder, bool force, const std::string& extension);
  /// Where to write.
  const std::filesystem::path& staging() const { return staging_; }
  /// Whether nothing was written.
  bool empty() const;
  /// Gives the file its name; one inside the folder appears with the folder's commit(), which must come later.
  void commit();

 private:
  [[noreturn]] void fail(ExitCode code, const std::string& reason) const;

  std::string option_;
  std::filesystem::path given_, target_, staging_;
  bool in_folder_ = false;
};

/// Throws Error if the file that an option ("--out") names must not or cannot be written, before the work begins. An
/// empty path is fine.
void check_output_file(const std::string& option, const std::filesystem::path& file, bool force);

}  // namespace lpa::cli

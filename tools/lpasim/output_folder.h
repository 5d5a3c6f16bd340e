// A folder of results that appears complete or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lpa::cli {

/// Results are written into a temporary folder beside the target, which commit() moves into place. Without commit()
/// everything is as it was before.
class OutputFolder {
 public:
  /// `contents`: names of the files that a result of this kind has. An existing target is an error unless `force`, and
  /// also with `force` if it holds anything else, so that a wrong path loses nothing. Throws Error.
  OutputFolder(const std::filesystem::path& target, bool force, const std::vector<std::string>& contents);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Where to write.
  const std::filesystem::path& staging() const { return staging_; }
  /// Writes one file into staging(). Throws Error if that fails.
  void write(const std::string& name, const std::string& content) const;
  /// Puts the results in the target's place; an old one is exchanged for them in one step where the file system can.
  void commit();

 private:
  void create_parents(const std::filesystem::path& parent);
  void remove_parents();

  std::filesystem::path target_;
  std::filesystem::path staging_;
  std::vector<std::filesystem::path> created_parents_;  ///< Outermost first.
  bool committed_ = false;
};

}  // namespace lpa::cli

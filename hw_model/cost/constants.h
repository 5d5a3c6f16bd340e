// The numbers that energy and area are worked out from: data files, every value with its unit, range and source.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lpa::cost {

struct Constant {
  double value = 0;
  double low = 0, high = 0;  ///< Where the true value may be: 0 < low <= value <= high.
  std::string unit;
  std::string node;     ///< Technology that the value is of.
  std::string source;   ///< Publication or file, and the place in it.
  std::string scaling;  ///< How the value is carried to the machine's 28 nm, and what the range is from.
};

class Constants {
 public:
  using Map = std::map<std::string, Constant, std::less<>>;

  /// Those of hw_model/cost/constants/*.json.
  static const Constants& shipped();

  /// Reads {"constants": [{"name": ..., "value": ..., "low": ..., ...}]}. `file` is for messages. Throws
  /// workloads::InputError for an entry without one of its fields, with a text that is empty, with a value that is not
  /// positive or outside its range, or with a name that is there already.
  static Constants parse(std::string_view text, const std::string& file);

  /// The same with some entries replaced by those of a file; names and units must be known. Throws
  /// workloads::InputError.
  Constants with(const Constants& replacements, const std::string& file) const;

  /// One draw of all constants, each from its range: below or above its value with equal chances, and there evenly in
  /// the logarithm. The same seed gives the same draw.
  Constants drawn(std::uint64_t seed) const;

  /// Value of a constant that is known to be there.
  double operator[](std::string_view name) const { return all_.find(name)->second.value; }
  const Map& all() const { return all_; }

 private:
  Map all_;
};

}  // namespace lpa::cost

// The families of words that one machine computes with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/tensor_format.h"

namespace lpa::formats {

enum class NumberSystem {
  lp,            ///< LP<n,es,rs,sf> of 8, 4 and 2 bits.
  integer,       ///< int<n,scale> of 8, 4 and 2 bits.
  ant,           ///< int<8,scale>; of 4 bits int, pot or flint, whichever suits a tensor.
  adaptivfloat,  ///< adaptivfloat<8,4,bias>.
  posit,         ///< posit<n,1> of 8, 4 and 2 bits.
};

/// "lp", "int", "ant", "adaptivfloat", "posit"
const std::vector<std::string>& number_system_names();
const std::string& to_string(NumberSystem system);
/// Throws FormatError for another name.
NumberSystem parse_number_system(std::string_view name);

/// Its formats of a width, without scale; none if it has no such words. Of lp with bounded regimes.
std::vector<TensorFormat> formats_of(NumberSystem system, int bits);

/// Their widths for a sentence: "8, 4 or 2".
std::string widths_of(NumberSystem system);

/// Whether the format, whatever its scale, is one of the system's.
bool contains(NumberSystem system, const TensorFormat& format);

/// Which systems have all formats seen so far: those of one network must be numbers of one machine.
class CommonSystems {
 public:
  /// What is wrong with the next format, or empty; then it counts.
  std::string add(const TensorFormat& format);

 private:
  std::vector<NumberSystem> left_{NumberSystem::lp, NumberSystem::integer, NumberSystem::ant,
                                  NumberSystem::adaptivfloat, NumberSystem::posit};
};

}  // namespace lpa::formats

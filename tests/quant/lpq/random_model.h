// Random layer graphs with random formats and words, for differential tests.
#pragma once

#include <random>

#include "quant/formats/number_system.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::lpq::testing {

struct RandomModel {
  workloads::LayerGraph graph;
  QuantizedModel model;
  WordMap input;
};

/// Five to eight steps, each a layer or, for attention, four of them; of all kinds, with random geometry, formats and
/// words, constants as addends and sources of copies. `nar_input`: one word of the input is NaR.
RandomModel make_random_model(std::uint64_t seed, bool nar_input,
                              formats::NumberSystem numbers = formats::NumberSystem::lp);

/// An LP of n in {2, 4, 8} with random es, rs and an sf within +-1 of `sf`.
formats::LpFormat random_format(std::mt19937_64& random, double sf);
/// One of a number system's whose largest word is between 2 and 8 times 2^-sf, if it has a scale.
formats::TensorFormat random_format(std::mt19937_64& random, double sf, formats::NumberSystem numbers);

}  // namespace lpa::lpq::testing

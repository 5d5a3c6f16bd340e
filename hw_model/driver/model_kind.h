#pragma once

namespace lpa::driver {

/// Which of the two models of the machine runs; they give the same words, cycles and counters.
enum class ModelKind {
  fast,  ///< Event-driven, values by vector kernels.
  pin,   ///< One SystemC module per processing element, on pins.
};

}  // namespace lpa::driver

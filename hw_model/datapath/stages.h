// Where the datapath's registers are.
#pragma once

namespace lpa::datapath {

struct Stages {
  int pe = 2;  ///< Register stages of a PE: 2 behind MUL and behind ADD, 1 behind both.
  int edge =
      1;  ///< Of the decoders at the two edges, a bundle's sums and tag beside them, and of the encoders: 1 or 0.

  /// Cycles from a bundle's on the pins of an array of that size to its sums'. As many edges after the one that
  /// presents the bundle, the last PE forms its last sum.
  int latency(int rows, int columns) const { return rows + columns + edge + pe - 2; }
};

}  // namespace lpa::datapath

// The unified LP encoder below a column: one register stage, or none.
#pragma once

#include <deque>
#include <optional>

#include <systemc>

#include "hw_model/array/wire_bank.h"
#include "hw_model/array/wires.h"
#include "hw_model/datapath/encoder.h"
#include "hw_model/datapath/stages.h"

namespace lpa::hw {

/// Encodes the lanes of complete sums (tag valid and last_k); the words stand on `words` one cycle later and stay until
/// the next ones. Without a register stage they stand there in the same cycle only.
///
/// Channels' own parts of the scale come with the first bundle of a tile that completes sums, while that enters the
/// array, and wait here for its sums. Swaps are at least R + 1 cycles apart, so that a lane needs 1 +
/// ceil(latency / (R + 1)) registers. Until a tile has come they are 0.
class ArrayEncoder : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<LayerControl> control{"control"};
  sc_core::sc_in<BundleTag> tag_in{"tag_in"};  ///< Of the bundle that enters the array.
  sc_core::sc_in<ScaleWord> scale{"scale"};    ///< Taken with it.
  sc_core::sc_in<BundleTag> tag{"tag"};        ///< Of the sums.
  sc_core::sc_in<PsumWord> psum{"psum"};
  sc_core::sc_out<EncodedWords> words{"words"};

  /// The converter must outlive the module and have arithmetic.encoder_log_bits.
  ArrayEncoder(const sc_core::sc_module_name& name, const datapath::LinearLogConverter& converter,
               const formats::Arithmetic& arithmetic, const datapath::Stages& stages = {});

 private:
  void end_of_elaboration() override;
  void configure();
  void clocked();
  void combinational();
  void take_scales();
  EncodedWords encode() const;

  const datapath::LinearLogConverter& converter_;
  formats::Arithmetic arithmetic_;
  Tap<bool> reset_;
  Tap<BundleTag> tag_in_, tag_;
  std::deque<ScaleWord> waiting_;  ///< Of the tiles in the array.
  ScaleWord scale_;                ///< Of the tile whose sums came last.
  std::optional<datapath::Encoder> encoder_;
  std::size_t lanes_ = 1;
  sc_core::sc_event configured_;
};

}  // namespace lpa::hw

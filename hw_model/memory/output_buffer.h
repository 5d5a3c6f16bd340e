// The output buffer: per half, raw partial sums on their way back into the array and encoded words on their way out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <systemc>

#include "hw_model/array/wires.h"
#include "hw_model/control/wires.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/timeline.h"

namespace lpa::hw {

/// Receives what leaves the array. Bundles are indexed with bundle_index(visit, position).
class OutputBuffer : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<BundleTag> tag{"tag"};
  sc_core::sc_vector<sc_core::sc_in<PsumWord>> psums;
  sc_core::sc_in<BundleTag> word_tag{"word_tag"};
  sc_core::sc_vector<sc_core::sc_in<EncodedWords>> words;

  sc_core::sc_out<std::int64_t> sums_returned{"sums_returned"};  ///< Bundles of the layer that have left the array.
  sc_core::sc_out<std::int64_t> words_ready{"words_ready"};      ///< Encoded bundles stored.

  OutputBuffer(const sc_core::sc_module_name& name, const MachineConfig& config);

  static std::uint32_t bundle_index(std::int64_t visit, std::int64_t position) {
    return static_cast<std::uint32_t>((visit % 2) << 31 | position);
  }

  void set_timeline(Timeline* timeline) { timeline_ = timeline; }
  OutputStore& store() { return store_; }
  const OutputStore& store() const { return store_; }

  /// The sums of a position, one PsumWord per column. sums_returned must say that they are there.
  const PsumWord* sums(std::int64_t visit, std::int64_t position) const {
    return &sums_[static_cast<std::size_t>(visit % 2)][static_cast<std::size_t>(position) * columns_];
  }

 private:
  void step();
  void start(const Job& job);
  void store_sums();
  void store_words();
  void report_word();

  const MachineConfig& config_;
  OutputStore store_;
  std::size_t columns_;
  std::int64_t pack_ = 1, lanes_ = 1;
  std::int64_t psum_vector_bytes_ = 0;
  std::array<std::vector<PsumWord>, 2> sums_;
  std::uint32_t job_number_ = 0;
  std::int64_t sums_returned_ = 0, words_ready_ = 0;
  std::uint64_t cycle_ = 0;

  Timeline* timeline_ = nullptr;
  std::optional<VisitCursor> visit_;  ///< Whose words come next.
  std::int64_t visit_words_ = 0;
  std::uint64_t visit_begin_ = 0;  ///< Edge of the visit's first word.
};

}  // namespace lpa::hw

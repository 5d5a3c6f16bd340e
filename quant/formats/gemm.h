// Partial sums of whole matrices: what Accumulator::mac() defines, by the fastest kernel that is exact here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/tensor_format.h"

namespace lpa::formats {

struct GemmPlan;
class GemmWeights;
class GemmPanel;

/// Partial sums of a GEMM: equal to Accumulator::mac() applied in ascending k, in every bit and every event.
///
/// A kernel is chosen for the arithmetic, the two formats and this CPU's instruction sets (those that Highway supports
/// when the constructor runs). Those that add in another order or form products in another way are checked in the
/// constructor over all pairs of words, and are used only for sums that provably meet no saturation and no NaR; all
/// others are formed in order.
class GemmKernel {
 public:
  /// `lsb`: as Accumulator's. Throws FormatError on bad parameters; `weight.n` must be 2, 4 or 8, `activation.n` at
  /// most 8; linear formats need fixed sums and meet no lp.
  GemmKernel(const Arithmetic& arithmetic, const TensorFormat& weight, const TensorFormat& activation, int lsb = 0);

  /// Which kernel runs, for reports: "ordered" is the one that is right for everything.
  std::string_view name() const;
  /// The accumulator that this equals.
  const Accumulator& scalar() const;

  /// sums[(p - first) * channels + n] for the positions p in [first, first + count): start[n], then all steps k in
  /// ascending order. Adds to `events`. Throws FormatError if the sizes do not fit, or if panel or weights were made
  /// for another kernel. Concurrent calls are safe.
  void run(const GemmPanel& panel, std::size_t first, std::size_t count, const GemmWeights& weights,
           std::span<const Psum> start, std::span<Psum> sums, AccumulateEvents& events) const;

 private:
  friend class GemmOperands;
  friend class GemmWeights;
  friend class GemmPanel;
  std::shared_ptr<const GemmPlan> plan_;
};

/// Words [k][lane], as they are and in the form that the kernel reads. New ones are all zeros.
class GemmOperands {
 public:
  std::size_t depth() const { return depth_; }

 protected:
  enum class Side { weights, activations };
  GemmOperands(const GemmKernel& kernel, Side side, std::size_t depth, std::size_t lanes);
  void set_words(std::size_t k, std::size_t first, std::span<const Word> words);
  void set_words(std::size_t k, std::size_t first, std::span<const std::uint8_t> words);

  std::size_t lanes_;

 private:
  friend class GemmRun;
  friend class GemmKernel;
  struct alignas(64) Line {
    std::array<std::uint8_t, 64> byte;
  };

  void require_fit(std::size_t k, std::size_t first, std::size_t count) const;
  template <class Element>
  void write_form(std::size_t k, std::size_t first, std::span<const std::uint8_t> words);

  std::shared_ptr<const GemmPlan> plan_;
  Side side_;
  std::size_t depth_;
  std::vector<std::uint8_t> words_;         ///< [k][lane]
  std::vector<Line> form_;                  ///< In GemmLayout's order.
  std::vector<std::uint8_t> nar_lanes_;     ///< Whether the lane ever had a NaR; empty if none had.
  std::vector<std::uint8_t> largest_code_;  ///< Activations: of each chunk of steps.
  std::vector<double> magnitude_sums_;      ///< Weights: of all words ever set, [chunk][lane].
  std::vector<std::int32_t> weight_sums_;   ///< Ternary weights: [chunk][lane], lanes padded.
};

/// The weights of some output channels, [k][n].
class GemmWeights : public GemmOperands {
 public:
  GemmWeights(const GemmKernel& kernel, std::size_t depth, std::size_t channels);
  std::size_t channels() const { return lanes_; }

  /// The weights of step k, one per channel; bits beyond the format's width are ignored. May be called again, but what
  /// was there before still counts when saturation is to be excluded. Throws FormatError if they do not fit.
  void set_row(std::size_t k, std::span<const Word> channel_words) { set_words(k, 0, channel_words); }
  void set_row(std::size_t k, std::span<const std::uint8_t> channel_words) { set_words(k, 0, channel_words); }
  /// The same of some channels, from `first_channel` on.
  void set_row(std::size_t k, std::size_t first_channel, std::span<const std::uint8_t> channel_words) {
    set_words(k, first_channel, channel_words);
  }
};

/// The activations of some positions, [k][m], filled by ranges of positions in any order, and again.
class GemmPanel : public GemmOperands {
 public:
  GemmPanel(const GemmKernel& kernel, std::size_t depth, std::size_t positions);
  std::size_t positions() const { return lanes_; }

  /// The activations of step k at the positions from `first_position` on; bits beyond the format's width are ignored.
  /// Throws FormatError if they do not fit.
  void set(std::size_t k, std::size_t first_position, std::span<const Word> words) {
    set_words(k, first_position, words);
  }
  void set(std::size_t k, std::size_t first_position, std::span<const std::uint8_t> words) {
    set_words(k, first_position, words);
  }
};

}  // namespace lpa::formats

// What a block will do depends on, told field by field: to compare two moments of a layer, and to move a block from one
// to another. No SystemC.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hw_model/control/schedule.h"

namespace lpa::hw {

/// How far a layer is, or how far one moment of it is from another.
struct LayerPosition {
  std::uint64_t edge = 0;
  std::int64_t visit = 0, tile = 0, input_fetch = 0, weight_fetch = 0;
  std::int64_t vector = 0;  ///< Of those of last k-tiles: encoded ones.
};

/// Blocks pass all that decides what they do at later edges. Either every field is read, relative to the layer's
/// position, so that two moments at which a machine will do the same read the same; or every field is moved on.
class StateWalk {
 public:
  /// Appends what it reads to `fields`. `period`: of the clock, ps.
  static StateWalk reading(const LayerPosition& at, std::uint64_t period, std::vector<std::int64_t>& fields) {
    return {at, period, &fields};
  }
  static StateWalk moving(const LayerPosition& by, std::uint64_t period) { return {by, period, nullptr}; }

  template <typename T>
  void plain(const T& value) {
    if (fields_ != nullptr) fields_->push_back(static_cast<std::int64_t>(value));
  }
  void edge(std::uint64_t& value) { number(value, position_.edge); }
  /// One that matters only if it is still to come, or the last one.
  void next_edge(std::uint64_t& value) { coming(value, position_.edge, 1); }
  void time(std::uint64_t& ps) { number(ps, position_.edge * period_); }
  void next_time(std::uint64_t& ps) { coming(ps, position_.edge * period_, period_); }
  void visit(std::int64_t& value) { number(value, position_.visit); }
  void tile(std::int64_t& value) { number(value, position_.tile); }
  void vector(std::int64_t& value) { number(value, position_.vector); }
  void input_fetch(std::int64_t& value) { number(value, position_.input_fetch); }
  void weight_fetch(std::int64_t& value) { number(value, position_.weight_fetch); }
  void cursor(VisitCursor& cursor) {
    plain(cursor.index() - position_.visit);
    if (fields_ == nullptr) cursor.skip(position_.visit);
  }
  void cursor(TileCursor& cursor) {
    plain(cursor.visit().index() - position_.visit);
    plain(cursor.k_tile());
    if (fields_ == nullptr) cursor.skip_visits(position_.visit);
  }

 private:
  StateWalk(const LayerPosition& position, std::uint64_t period, std::vector<std::int64_t>* fields)
      : position_(position), period_(period), fields_(fields) {}

  template <typename T>
  void number(T& value, T position) {
    if (fields_ == nullptr) {
      value += position;
    } else {
      fields_->push_back(static_cast<std::int64_t>(value - position));
    }
  }
  void coming(std::uint64_t& value, std::uint64_t position, std::uint64_t before) {
    if (fields_ == nullptr) {
      value += position;
    } else {
      fields_->push_back(static_cast<std::int64_t>(std::max(value, position - before) - position));
    }
  }

  LayerPosition position_;
  std::uint64_t period_;
  std::vector<std::int64_t>* fields_;  ///< Null: moves.
};

}  // namespace lpa::hw

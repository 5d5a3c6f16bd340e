// Operators that only move elements: they become ways to look at what is stored.
#include <algorithm>
#include <utility>

#include "workloads/lowering/lowering.h"

namespace lpa::workloads::lowering {
namespace {

/// Leaves out the operands that no element comes from.
void drop_unused(std::vector<int>& operands, std::vector<std::int32_t>& places,
                 const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> begins{0};
  for (const std::int64_t size : sizes) begins.push_back(begins.back() + size);
  const auto owner = [&](std::int32_t place) {
    return static_cast<std::size_t>(std::ranges::upper_bound(begins, place) - begins.begin()) - 1;
  };
  std::vector<bool> used(operands.size(), false);
  for (const std::int32_t place : places)
    if (place >= 0) used[owner(place)] = true;
  if (std::ranges::find(used, false) == used.end()) return;
  std::vector<std::int64_t> moved_by(operands.size(), 0);
  std::vector<int> kept;
  std::int64_t dropped = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    moved_by[i] = dropped;
    if (used[i])
      kept.push_back(operands[i]);
    else
      dropped += sizes[i];
  }
  for (std::int32_t& place : places)
    if (place >= 0) place -= static_cast<std::int32_t>(moved_by[owner(place)]);
  if (kept.empty()) kept.push_back(operands.front());
  operands = std::move(kept);
}

}  // namespace

View Lowering::lower(const Node& node, Move& move) {
  View result = unpadded(node);
  result.moved = &node;
  std::vector<std::int32_t> places;
  if (node.inputs.size() == 1) {
    result.order = result.order.after(std::move(move.source));
    if (result.operands.size() == 1) return result;
    places = result.order.places();
  } else {
    places = Order(joined(node, result)).after(std::move(move.source)).places();
  }
  std::vector<std::int64_t> sizes;
  for (const int operand : result.operands) sizes.push_back(extents(operand).size());
  drop_unused(result.operands, places, sizes);
  result.order = Order(std::move(places));
  return result;
}

/// The places of all operands' elements, one operand after the other, in their maps laid end to end, which become the
/// view's: computed ones first.
std::vector<std::int32_t> Lowering::joined(const Node& node, View& view) {
  std::vector<View> parts;
  std::vector<int> operands;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    parts.push_back(unpadded(node, i));
    if (parts.back().factor != view.factor) fail(node, "joins values that have been multiplied by different factors");
    for (const int operand : parts.back().operands)
      if (std::ranges::find(operands, operand) == operands.end()) operands.push_back(operand);
  }
  std::stable_partition(operands.begin(), operands.end(), [](int operand) { return !is_constant(operand); });
  const auto begin = [&](int operand) {
    std::int64_t place = 0;
    for (std::size_t i = 0; operands[i] != operand; ++i) place += extents(operands[i]).size();
    return place;
  };
  std::vector<std::int32_t> places;
  for (const View& part : parts) {
    std::vector<std::pair<std::int64_t, std::int64_t>> maps;  // End among the part's maps, shift to the common ones.
    std::int64_t end = 0;
    for (const int operand : part.operands) {
      const std::int64_t shift = begin(operand) - end;
      maps.emplace_back(end += extents(operand).size(), shift);
    }
    for (std::int64_t i = 0; i < part.order.size(); ++i) {
      const std::int32_t place = part.order[i];
      const auto map = std::ranges::find_if(maps, [place](const auto& m) { return place < m.first; });
      places.push_back(place < 0 ? Order::nowhere : static_cast<std::int32_t>(place + map->second));
    }
  }
  view.operands = std::move(operands);
  view.exclusive = false;
  return places;
}

View Lowering::lower(const Node& node, const Reshape&) {
  return unpadded(node);
}

View Lowering::lower(const Node& node, Constant& constant) {
  const Form form = rows_form(shape(node.output));
  View view;
  view.order = form.order;
  view.exclusive = true;
  view.operands = {
      add_constant({node.name, form.extents.h, form.extents.w, form.extents.c, std::move(constant.value.data)})};
  return view;
}

}  // namespace lpa::workloads::lowering

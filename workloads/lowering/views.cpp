#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "workloads/lowering/boxes.h"
#include "workloads/lowering/lowering.h"

namespace lpa::workloads::lowering {

View Lowering::unpadded(const Node& node, std::size_t i) const {
  View view = operand(node, i);
  if (!view.pad) return view;
  if (view.pad_value != 0)
    fail(*view.pad,
         fmt::format("pads with {} and is followed by node '{}' ({}) (supported: 0, or merging it into a Conv "
                     "or a pooling)",
                     view.pad_value, node.name, node.op));
  view.order = view.order.after(
      padded_source(view.shape, std::array{0, 0, view.top, view.left}, std::array{0, 0, view.bottom, view.right}));
  view.shape = shape(node.inputs[i]);
  view.moved = view.pad;
  view.pad = nullptr;
  return view;
}

View Lowering::plain(const Node& node, std::size_t i) const {
  View view = unpadded(node, i);
  if (view.factor != 1)
    fail(*view.scaled, fmt::format("cannot be merged: neither what it multiplies nor node '{}' ({}) is a product that "
                                   "can take the factor",
                                   node.name, node.op));
  return view;
}

bool Lowering::is_whole(const View& view) const {
  return view.operands.size() == 1 && view.order.size() == extents(view.operands[0]).size() &&
         view.order.is_permutation();
}

bool Lowering::has_form(const View& view, const Form& form) const {
  return view.operands.size() == 1 && extents(view.operands[0]).size() == form.extents.size() &&
         view.order == form.order;
}

Form Lowering::rows_form(const Shape& shape) {
  const std::int64_t size = element_count(shape), c = shape.empty() ? 1 : shape.back();
  return {Order::identity(size), {static_cast<int>(size / c), 1, static_cast<int>(c)}};
}

Form Lowering::map_form(const Shape& shape) {
  const auto size = [&](std::size_t axis) { return static_cast<int>(shape[axis]); };
  return {Order::channels_first(shape[1], shape[2] * shape[3]), {size(2), size(3), size(1)}};
}

Form Lowering::natural_form(const View& view) const {
  return view.shape.size() == 4 && wanted_as_map(view.id) ? map_form(view.shape) : rows_form(view.shape);
}

bool Lowering::wanted_as_map(int value) const {
  if (shape(value).size() != 4) return false;
  if (users_[index(value)].empty()) return true;  // The network's output.
  const Node& user = network_.nodes[index(users_[index(value)].front())];
  const auto is = [&]<class... Kinds>() { return (std::holds_alternative<Kinds>(user.attributes) || ...); };
  if (is.operator()<Conv, Pool, GlobalAveragePool>()) return true;
  return is.operator()<Relu, Clip, Gelu, Add, Scale, Pad>() && wanted_as_map(user.output);
}

View Lowering::in_form(const View& view, const Form& form, const Node& consumer) {
  return has_form(view, form) ? view : copied(view, form, consumer);
}

View Lowering::copied(const View& view, const Form& form, const Node& consumer) {
  View result = view;
  result.order = form.order;
  result.exclusive = uses_[index(view.id)] == 1;
  for (const Stored& stored : stored_)
    if (stored.value == view.id && stored.form.order == form.order &&
        stored.form.extents.size() == form.extents.size()) {
      result.operands = {stored.operand};
      return result;
    }
  if (view.operands.size() == 1 && is_constant(view.operands[0])) return constant_in_form(view, form);

  std::vector<std::int32_t> gather(index(form.extents.size()), Order::nowhere);
  for (std::int64_t i = 0; i < form.order.size(); ++i) gather[index(form.order[i])] = view.order[i];
  std::vector<int> operands = view.operands;
  while (operands.size() > 2) join_first_two(operands, gather, form.extents, view, consumer);
  result.operands = {add_copy(operands, gather, form.extents, view, consumer)};
  stored_.push_back({view.id, form, result.operands[0]});
  return result;
}

/// The first two operands become one map of those of their elements that are wanted.
void Lowering::join_first_two(std::vector<int>& operands, std::vector<std::int32_t>& gather, const Extents& extents,
                              const View& view, const Node& consumer) {
  const auto limit = static_cast<std::int32_t>(this->extents(operands[0]).size() + this->extents(operands[1]).size());
  const auto joined = [limit](std::int32_t place) { return place >= 0 && place < limit; };
  std::vector<std::int32_t> both;
  std::ranges::copy_if(gather, std::back_inserter(both), joined);
  const auto count = static_cast<std::int32_t>(both.size());
  std::int32_t next = 0;
  for (std::int32_t& place : gather) {
    if (joined(place))
      place = next++;
    else if (place >= 0)
      place += count - limit;
  }
  const int rows = count % (extents.h * extents.w) == 0 ? extents.h * extents.w : 1;
  operands[1] = add_copy({operands[0], operands[1]}, both, {rows, 1, count / rows}, view, consumer);
  operands.erase(operands.begin());
}

int Lowering::add_copy(const std::vector<int>& operands, const std::vector<std::int32_t>& gather,
                       const Extents& extents, const View& view, const Node& consumer) {
  Layer layer;
  layer.name = view.moved ? unique(view.moved->name, "/copy") : unique(consumer.name + "/copy", "");
  layer.op = view.moved ? view.moved->op : "Copy";
  layer.kind = LayerKind::copy;
  layer.input = operands[0];
  if (operands.size() > 1) layer.addend = operands[1];
  layer.value = layer.encoded_value = view.unscaled;
  const Extents in = this->extents(operands[0]);
  layer.geometry.in_h = in.h, layer.geometry.in_w = in.w, layer.geometry.in_c = in.c;
  layer.geometry.out_h = extents.h, layer.geometry.out_w = extents.w, layer.geometry.out_c = extents.c;
  layer.boxes = copy_boxes(gather, in.size());
  return push_layer(std::move(layer));
}

View Lowering::constant_in_form(const View& view, const Form& form) {
  const ConstantMap& from = constants_[constant_index(view.operands[0])];
  ConstantMap to{from.name, form.extents.h, form.extents.w, form.extents.c, {}};
  to.data.resize(index(form.extents.size()), 0);
  for (std::int64_t i = 0; i < form.order.size(); ++i)
    if (view.order[i] >= 0) to.data[index(form.order[i])] = from.data[index(view.order[i])];
  View result = view;
  result.order = form.order;
  result.operands = {add_constant(std::move(to))};
  stored_.push_back({view.id, form, result.operands[0]});
  return result;
}

int Lowering::add_constant(ConstantMap map) {
  constants_.push_back(std::move(map));
  return constant_operand(static_cast<int>(constants_.size()) - 1);
}

}  // namespace lpa::workloads::lowering

#include <algorithm>
#include <array>
#include <functional>
#include <queue>

#include "workloads/lowering/lowering.h"

namespace lpa::workloads::lowering {
namespace {

constexpr std::array operand_fields{&Layer::input, &Layer::addend, &Layer::stationary};

}  // namespace

void Lowering::schedule(int output, LayerGraph& graph) {
  std::vector<bool> needed(layers_.size(), false);
  std::vector<int> pending{output};
  while (!pending.empty()) {
    const int layer = pending.back();
    pending.pop_back();
    if (layer < 0 || needed[index(layer)]) continue;
    needed[index(layer)] = true;
    for (const auto field : operand_fields) pending.push_back(layers_[index(layer)].*field);
  }
  std::vector<int> waiting(layers_.size(), 0);
  std::vector<std::vector<int>> users(layers_.size());
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < static_cast<int>(layers_.size()); ++i) {
    if (!needed[index(i)]) continue;
    for (const auto field : operand_fields) {
      const int operand = layers_[index(i)].*field;
      if (operand < 0) continue;
      users[index(operand)].push_back(i);
      ++waiting[index(i)];
    }
    if (waiting[index(i)] == 0) ready.push(i);
  }
  std::vector<int> position(layers_.size(), -1);
  while (!ready.empty()) {
    const int layer = ready.top();
    ready.pop();
    position[index(layer)] = static_cast<int>(graph.layers.size());
    graph.layers.push_back(std::move(layers_[index(layer)]));
    for (const int user : users[index(layer)])
      if (--waiting[index(user)] == 0) ready.push(user);
  }
  std::vector<int> constant_at(constants_.size(), no_operand);
  for (Layer& layer : graph.layers)
    for (const auto field : operand_fields) {
      int& operand = layer.*field;
      if (operand >= 0) operand = position[index(operand)];
      if (!is_constant(operand)) continue;
      int& at = constant_at[constant_index(operand)];
      if (at == no_operand) {
        ConstantMap& map = constants_[constant_index(operand)];
        map.name = unique(map.name, "/again");
        at = constant_operand(static_cast<int>(graph.constants.size()));
        graph.constants.push_back(std::move(map));
      }
      operand = at;
    }
}

}  // namespace lpa::workloads::lowering

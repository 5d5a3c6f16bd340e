// A trace with a layer of every kind.
#pragma once

#include "traces/recipe.h"
#include "traces/trace.h"

namespace lpa::traces::testing {

inline workloads::Layer small_layer(const char* name, workloads::LayerKind kind, int input) {
  workloads::Layer layer;
  layer.name = name;
  layer.op = "Op";
  layer.kind = kind;
  layer.input = input;
  layer.geometry.in_h = layer.geometry.out_h = 4;
  layer.geometry.in_w = layer.geometry.out_w = 4;
  layer.geometry.in_c = layer.geometry.out_c = 8;
  return layer;
}

/// conv (clip, padded), add, max_pool, average_pool, conv with residual, layer_norm, matmul (two heads, gelu),
/// softmax, copy of two sources; by recipe w8.
inline Trace small_trace() {
  using workloads::LayerKind;
  Trace trace;
  trace.source = "made up";
  trace.parameters = 1234;
  workloads::LayerGraph& graph = trace.graph;
  graph.network = "small.onnx";
  graph.in_h = graph.in_w = 4;
  graph.in_c = 3;
  graph.constants.push_back({"bias map", 4, 4, 8, {}});

  workloads::Layer conv = small_layer("conv", LayerKind::conv, workloads::network_input);
  conv.geometry.in_c = 3;
  conv.geometry.kernel_h = conv.geometry.kernel_w = 3;
  conv.geometry.pad_top = conv.geometry.pad_left = conv.geometry.pad_bottom = conv.geometry.pad_right = 1;
  conv.activation = {workloads::Activation::Kind::clip, 0, 6};
  graph.layers.push_back(conv);

  workloads::Layer add = small_layer("add", LayerKind::add, 0);
  add.addend = workloads::constant_operand(0);
  add.activation.kind = workloads::Activation::Kind::relu;
  graph.layers.push_back(add);

  workloads::Layer max = small_layer("max", LayerKind::max_pool, 1);
  max.geometry.kernel_h = max.geometry.kernel_w = max.geometry.stride_h = max.geometry.stride_w = 2;
  max.geometry.out_h = max.geometry.out_w = 2;
  graph.layers.push_back(max);

  workloads::Layer average = max;
  average.name = "average";
  average.kind = LayerKind::average_pool;
  average.count_include_pad = true;
  graph.layers.push_back(average);

  workloads::Layer residual = small_layer("residual", LayerKind::conv, 2);
  residual.geometry.in_h = residual.geometry.in_w = residual.geometry.out_h = residual.geometry.out_w = 2;
  residual.geometry.groups = 2;
  residual.addend = 3;
  graph.layers.push_back(residual);

  workloads::Layer norm = small_layer("norm", LayerKind::layer_norm, 4);
  norm.geometry.in_h = norm.geometry.in_w = norm.geometry.out_h = norm.geometry.out_w = 2;
  norm.epsilon = 1e-6;
  graph.layers.push_back(norm);

  workloads::Layer matmul = small_layer("matmul", LayerKind::matmul, 5);
  matmul.geometry.in_h = matmul.geometry.in_w = 2;
  matmul.geometry.out_h = 4, matmul.geometry.out_w = 1;
  matmul.stationary = 4;
  matmul.activation.kind = workloads::Activation::Kind::gelu;
  matmul.products = {.outer = 1,
                     .inner = 2,
                     .m = 4,
                     .n = 4,
                     .k = 4,
                     .input = {0, 0, 4, 8, 1},
                     .stationary = {0, 0, 4, 1, 8},
                     .output = {0, 0, 4, 8, 1},
                     .scale = 0.5};
  graph.layers.push_back(matmul);

  workloads::Layer softmax = small_layer("softmax", LayerKind::softmax, 6);
  softmax.geometry.in_w = softmax.geometry.out_w = 1;
  graph.layers.push_back(softmax);

  workloads::Layer copy = small_layer("copy", LayerKind::copy, 7);
  copy.geometry.in_w = copy.geometry.out_w = 1;
  copy.geometry.out_h = 8;
  copy.addend = 6;
  copy.boxes = {{0, {1, 4, 8}, 0, 0, {0, 8}, {0, 16}}, {1, {1, 4, 8}, 0, 8, {0, 8}, {0, 16}}};
  graph.layers.push_back(copy);

  apply_recipe(trace, Recipe::w8);
  return trace;
}

}  // namespace lpa::traces::testing

#include "workloads/executor.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <omp.h>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::workloads {
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Tag = memory::format_tag;

/// Sets the OpenMP threads of the calling thread (a per-thread setting) for a scope.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : previous_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;
  ~ThreadCount() { omp_set_num_threads(previous_); }

 private:
  int previous_;
};

memory::desc dense(const Dims& dims, Tag tag) {
  return {dims, memory::data_type::f32, tag};
}
memory::desc any(const Dims& dims) {
  return dense(dims, Tag::any);
}

Dims dims_of(const std::vector<int>& values, int minus = 0) {
  Dims dims;
  for (const int value : values) dims.push_back(value - minus);
  return dims;
}

/// Copies a tensor into a larger one, with its first element at `at`.
void copy_box(const std::vector<float>& source, const Shape& shape, std::vector<float>& destination,
              const Shape& destination_shape, const std::vector<int>& at) {
  Shape index(shape.size(), 0);
  for (const float element : source) {
    std::int64_t to = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) to = to * destination_shape[i] + at[i] + index[i];
    destination[static_cast<std::size_t>(to)] = element;
    for (std::size_t axis = shape.size(); axis > 0 && ++index[axis - 1] == shape[axis - 1];) index[--axis] = 0;
  }
}

}  // namespace

class Executor::Implementation {
 public:
  Implementation(const Network& network, int threads)
      : file_(network.file), values_(network.values), input_(network.input), threads_(threads) {
    if (threads < 1) throw std::invalid_argument("an executor needs at least one thread");
    const ThreadCount scope(threads_);
    for (const Value& value : values_) buffers_.emplace_back(static_cast<std::size_t>(element_count(value.shape)));
    for (const Node& node : network.nodes) {
      try {
        std::visit([&](const auto& attributes) { add(node, attributes); }, node.attributes);
      } catch (const dnnl::error& error) {
        throw InputError(fmt::format("{}: node '{}' ({}): oneDNN cannot run it: {}", file_, node.name, node.op,
                                     error.message ? error.message : "unknown error"));
      }
      outputs_.push_back(node.output);
    }
    output_ = network.output;
  }

  int output() const { return output_; }
  std::size_t value_count() const { return values_.size(); }

  std::vector<Tensor> run(const Tensor& input, std::span<const int> wanted, const ValueHook& hook) {
    const Shape& shape = shape_of(input_);
    const bool fits = input.shape.size() == shape.size() && !shape.empty() && input.shape[0] >= 1 &&
                      std::equal(shape.begin() + 1, shape.end(), input.shape.begin() + 1) &&
                      static_cast<std::int64_t>(input.data.size()) == element_count(input.shape);
    if (!fits)
      throw std::invalid_argument(fmt::format("{}: the input has shape {} (expected {}, or more of them on axis 0)",
                                              file_, to_string(input.shape), to_string(shape)));
    const auto images = static_cast<std::size_t>(input.shape[0]);
    std::vector<Tensor> results;
    for (const int value : wanted) {
      if (value < 0 || static_cast<std::size_t>(value) >= values_.size())
        throw std::invalid_argument(fmt::format("{}: there is no value {}", file_, value));
      Shape stacked = shape_of(value);
      if (images > 1 && (stacked.empty() || stacked[0] != 1))
        throw std::invalid_argument(fmt::format("{}: value '{}' of shape {} has no batch axis to stack images on",
                                                file_, values_[static_cast<std::size_t>(value)].name,
                                                to_string(stacked)));
      if (images > 1) stacked[0] = input.shape[0];
      results.push_back({std::move(stacked), {}});
      results.back().data.reserve(images * buffer(value).size());
    }

    const ThreadCount scope(threads_);
    hooked_ = hooked_ || hook;
    std::vector<float>& source = buffer(input_);
    for (std::size_t image = 0; image < images; ++image) {
      std::copy_n(input.data.begin() + static_cast<std::ptrdiff_t>(image * source.size()), source.size(),
                  source.begin());
      if (hook) hook(input_, source);
      run_steps(0, steps_.size(), hook);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        results[i].data.insert(results[i].data.end(), buffer(wanted[i]).begin(), buffer(wanted[i]).end());
    }
    return results;
  }

  void run_nodes(int first, int last, const ValueHook& hook) {
    if (first < 0 || last < first || static_cast<std::size_t>(last) > steps_.size())
      throw std::invalid_argument(fmt::format("{}: there are no nodes {} to {}", file_, first, last));
    const ThreadCount scope(threads_);
    hooked_ = hooked_ || hook;
    run_steps(static_cast<std::size_t>(first), static_cast<std::size_t>(last), hook);
  }

  std::span<float> value(int index) {
    if (index < 0 || static_cast<std::size_t>(index) >= values_.size())
      throw std::invalid_argument(fmt::format("{}: there is no value {}", file_, index));
    return buffer(index);
  }

  void set_weights(int node, std::span<const float> weights) {
    const auto found = weights_.find(node);
    if (found == weights_.end() || weights.size() * sizeof(float) != found->second.plain.get_size())
      throw std::invalid_argument(fmt::format("{}: node {} does not have {} weights", file_, node, weights.size()));
    const ThreadCount scope(threads_);
    fill(found->second.used, found->second.plain, weights);
  }

 private:
  void run_steps(std::size_t first, std::size_t last, const ValueHook& hook) {
    for (std::size_t step = first; step < last; ++step) {
      steps_[step]();
      if (hook) hook(outputs_[step], buffer(outputs_[step]));
    }
  }

  using Arguments = std::unordered_map<int, memory>;

  const Shape& shape_of(int value) const { return values_[static_cast<std::size_t>(value)].shape; }
  std::vector<float>& buffer(int value) { return buffers_[static_cast<std::size_t>(value)]; }

  memory view(int value, const memory::desc& layout) { return memory(layout, engine_, buffer(value).data()); }

  void fill(memory& used, const memory::desc& layout, std::span<const float> data) {
    if (layout == used.get_desc()) {
      std::memcpy(used.get_data_handle(), data.data(), data.size_bytes());
      return;
    }
    memory source(layout, engine_);
    std::memcpy(source.get_data_handle(), data.data(), data.size_bytes());
    dnnl::reorder(source, used).execute(stream_, source, used);
    stream_.wait();
  }

  /// A tensor in the layout that the primitive wants; bound for the executor's lifetime.
  memory constant(const Tensor& tensor, const memory::desc& layout, const memory::desc& wanted) {
    memory result(wanted, engine_);
    fill(result, layout, tensor.data);
    return result;
  }

  using Call = std::pair<dnnl::primitive, Arguments>;
  struct Weights {
    memory used;         ///< In the layout that the primitive wants.
    memory::desc plain;  ///< In the node's.
  };

  /// Adds the node's step: the primitives one after the other.
  void execute_later(std::vector<Call> calls) {
    steps_.emplace_back([this, calls = std::move(calls)] {
      for (const auto& [primitive, arguments] : calls) primitive.execute(stream_, arguments);
      stream_.wait();
    });
  }

  void execute_later(const dnnl::primitive& primitive, const Arguments& arguments) {
    execute_later(std::vector<Call>{Call(primitive, arguments)});
  }

  /// Scratch memory of our own: the library's is shared by whoever runs the same cached primitive.
  static dnnl::primitive_attr own_scratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
  }

  static Call reorder_call(const memory& from, const memory& to) {
    return {dnnl::reorder(from, to), Arguments{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
  }

  /// Queues a convolution or matrix product, with reorders between the plain buffers and the layouts it prefers.
  template <class Primitive, class Description>
  void add_linear(const Node& node, const Description& description, const memory::desc& source,
                  const memory::desc& destination, const Tensor& weights, const memory::desc& weights_layout,
                  const Tensor& bias) {
    const typename Primitive::primitive_desc chosen(description, own_scratchpad(), engine_);
    const memory used_weights = constant(weights, weights_layout, chosen.weights_desc());
    weights_.emplace(static_cast<int>(steps_.size()), Weights{used_weights, weights_layout});
    Arguments arguments{
        {DNNL_ARG_WEIGHTS, used_weights},
        {DNNL_ARG_BIAS, constant(bias, dense({bias.shape[0]}, Tag::a), chosen.bias_desc())},
        {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)},
    };
    memory plain_source = view(node.inputs[0], source), plain_result = view(node.output, destination);
    memory used_source = plain_source, used_result = plain_result;
    std::vector<Call> calls;
    if (chosen.src_desc() != source) {
      used_source = memory(chosen.src_desc(), engine_);
      calls.push_back(reorder_call(plain_source, used_source));
    }
    if (chosen.dst_desc() != destination) used_result = memory(chosen.dst_desc(), engine_);
    arguments.insert({{DNNL_ARG_SRC, used_source}, {DNNL_ARG_DST, used_result}});
    calls.emplace_back(Primitive(chosen), std::move(arguments));
    if (chosen.dst_desc() != destination) calls.push_back(reorder_call(used_result, plain_result));
    execute_later(std::move(calls));
  }

  void add(const Node& node, const Conv& conv) {
    const Shape& w = conv.weights.shape;
    Dims kernel = w;
    Tag tag = Tag::oihw;
    if (conv.groups > 1) {
      kernel = {conv.groups, w[0] / conv.groups, w[1], w[2], w[3]};
      tag = Tag::goihw;
    }
    const Dims &source = shape_of(node.inputs[0]), &destination = shape_of(node.output);
    const dnnl::convolution_forward::desc description(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, any(source), any(kernel), any({w[0]}),
        any(destination), dims_of(conv.strides), dims_of(conv.dilations, 1), {conv.pads[0], conv.pads[1]},
        {conv.pads[2], conv.pads[3]});
    add_linear<dnnl::convolution_forward>(node, description, dense(source, Tag::nchw), dense(destination, Tag::nchw),
                                          conv.weights, dense(kernel, tag), conv.bias);
  }

  void add(const Node& node, const Gemm& gemm) {
    const std::int64_t n = gemm.weights.shape[0], k = gemm.weights.shape[1];
    const std::int64_t m = element_count(shape_of(node.output)) / n;
    const memory::desc source = dense({m, k}, Tag::ab), destination = dense({m, n}, Tag::ab);
    const dnnl::inner_product_forward::desc description(dnnl::prop_kind::forward_inference, source, any({n, k}),
                                                        any({n}), destination);
    add_linear<dnnl::inner_product_forward>(node, description, source, destination, gemm.weights,
                                            dense({n, k}, Tag::ab), gemm.bias);
  }

  void add_eltwise(const Node& node, dnnl::algorithm algorithm, float alpha = 0, float beta = 0) {
    const memory::desc flat = dense({element_count(shape_of(node.output))}, Tag::a);
    const dnnl::eltwise_forward::desc description(dnnl::prop_kind::forward_inference, algorithm, flat, alpha, beta);
    const dnnl::eltwise_forward::primitive_desc chosen(description, own_scratchpad(), engine_);
    execute_later(dnnl::eltwise_forward(chosen), {{DNNL_ARG_SRC, view(node.inputs[0], flat)},
                                                  {DNNL_ARG_DST, view(node.output, flat)},
                                                  {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  void add(const Node& node, const Relu&) { add_eltwise(node, dnnl::algorithm::eltwise_relu); }
  void add(const Node& node, const Gelu&) { add_eltwise(node, dnnl::algorithm::eltwise_gelu_erf); }
  void add(const Node& node, const Clip& clip) {
    add_eltwise(node, dnnl::algorithm::eltwise_clip, clip.low, clip.high);
  }
  void add(const Node& node, const Scale& scale) { add_eltwise(node, dnnl::algorithm::eltwise_linear, scale.factor); }

  void add(const Node& node, const Add&) {
    const memory::desc flat = dense({element_count(shape_of(node.output))}, Tag::a);
    const dnnl::binary::desc description(dnnl::algorithm::binary_add, flat, flat, flat);
    const dnnl::binary::primitive_desc chosen(description, own_scratchpad(), engine_);
    execute_later(dnnl::binary(chosen), {{DNNL_ARG_SRC_0, view(node.inputs[0], flat)},
                                         {DNNL_ARG_SRC_1, view(node.inputs[1], flat)},
                                         {DNNL_ARG_DST, view(node.output, flat)},
                                         {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  void add_pooling(const Node& node, dnnl::algorithm algorithm, const Dims& kernel, const Dims& strides,
                   const Dims& dilations, const Dims& begins, const Dims& ends) {
    const memory::desc source = dense(shape_of(node.inputs[0]), Tag::nchw);
    const memory::desc destination = dense(shape_of(node.output), Tag::nchw);
    const dnnl::pooling_v2_forward::desc description(dnnl::prop_kind::forward_inference, algorithm, source, destination,
                                                     strides, kernel, dilations, begins, ends);
    const dnnl::pooling_v2_forward::primitive_desc chosen(description, own_scratchpad(), engine_);
    execute_later(dnnl::pooling_v2_forward(chosen), {{DNNL_ARG_SRC, view(node.inputs[0], source)},
                                                     {DNNL_ARG_DST, view(node.output, destination)},
                                                     {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  void add(const Node& node, const Pool& pool) {
    const auto algorithm = pool.kind == Pool::Kind::max ? dnnl::algorithm::pooling_max
                           : pool.count_include_pad     ? dnnl::algorithm::pooling_avg_include_padding
                                                        : dnnl::algorithm::pooling_avg_exclude_padding;
    add_pooling(node, algorithm, dims_of(pool.kernel), dims_of(pool.strides), dims_of(pool.dilations, 1),
                {pool.pads[0], pool.pads[1]}, {pool.pads[2], pool.pads[3]});
  }

  void add(const Node& node, const GlobalAveragePool&) {
    const Shape& s = shape_of(node.inputs[0]);
    add_pooling(node, dnnl::algorithm::pooling_avg_exclude_padding, {s[2], s[3]}, {1, 1}, {0, 0}, {0, 0}, {0, 0});
  }

  void add(const Node& node, const Pad& pad) {
    steps_.emplace_back([this, input = node.inputs[0], output = node.output, begins = pad.begins, value = pad.value] {
      std::ranges::fill(buffer(output), value);
      copy_box(buffer(input), shape_of(input), buffer(output), shape_of(output), begins);
    });
  }

  /// Copies words, one by one, from all inputs laid end to end.
  void add(const Node& node, const Move& move) {
    steps_.emplace_back([this, inputs = node.inputs, output = node.output, source = move.source] {
      const std::vector<float>* from = &buffer(inputs[0]);
      if (inputs.size() > 1) {
        joined_.clear();
        for (const int input : inputs) joined_.insert(joined_.end(), buffer(input).begin(), buffer(input).end());
        from = &joined_;
      }
      std::vector<float>& to = buffer(output);
      for (std::size_t i = 0; i < source.size(); ++i)
        to[i] = source[i] < 0 ? 0.0f : (*from)[static_cast<std::size_t>(source[i])];
    });
  }

  void add(const Node& node, const MatMul&) {
    const Shape &a = shape_of(node.inputs[0]), &b = shape_of(node.inputs[1]);
    const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
    const std::int64_t count = element_count(a) / (m * k);
    const memory::desc left = dense({count, m, k}, Tag::abc), right = dense({count, k, n}, Tag::abc);
    const memory::desc product = dense({count, m, n}, Tag::abc);
    const dnnl::matmul::primitive_desc chosen({left, right, product}, own_scratchpad(), engine_);
    execute_later(dnnl::matmul(chosen), {{DNNL_ARG_SRC, view(node.inputs[0], left)},
                                         {DNNL_ARG_WEIGHTS, view(node.inputs[1], right)},
                                         {DNNL_ARG_DST, view(node.output, product)},
                                         {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  /// The value as rows along its last axis.
  memory::desc rows_of(int value) const {
    const Shape& shape = shape_of(value);
    return dense({element_count(shape) / shape.back(), shape.back()}, Tag::ab);
  }

  void add(const Node& node, const Softmax&) {
    const memory::desc rows = rows_of(node.output);
    const dnnl::softmax_forward::desc description(dnnl::prop_kind::forward_inference, rows, 1);
    const dnnl::softmax_forward::primitive_desc chosen(description, own_scratchpad(), engine_);
    execute_later(dnnl::softmax_forward(chosen), {{DNNL_ARG_SRC, view(node.inputs[0], rows)},
                                                  {DNNL_ARG_DST, view(node.output, rows)},
                                                  {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  void add(const Node& node, const LayerNorm& norm) {
    const memory::desc rows = rows_of(node.output), parameters = dense({rows.dims()[1]}, Tag::a);
    const dnnl::layer_normalization_forward::desc description(
        dnnl::prop_kind::forward_inference, rows, norm.epsilon,
        dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift);
    const dnnl::layer_normalization_forward::primitive_desc chosen(description, own_scratchpad(), engine_);
    execute_later(dnnl::layer_normalization_forward(chosen),
                  {{DNNL_ARG_SRC, view(node.inputs[0], rows)},
                   {DNNL_ARG_SCALE, constant(norm.scale, parameters, parameters)},
                   {DNNL_ARG_SHIFT, constant(norm.shift, parameters, parameters)},
                   {DNNL_ARG_DST, view(node.output, rows)},
                   {DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine_)}});
  }

  /// Filled once, and anew for each image if a hook may have changed it.
  void add(const Node& node, const Constant& constant) {
    std::ranges::copy(constant.value.data, buffer(node.output).begin());
    steps_.emplace_back([this, output = node.output, data = constant.value.data] {
      if (hooked_) std::ranges::copy(data, buffer(output).begin());
    });
  }

  void add(const Node& node, const Reshape&) {
    steps_.emplace_back([this, input = node.inputs[0], output = node.output] {
      std::ranges::copy(buffer(input), buffer(output).begin());
    });
  }

  std::string file_;
  std::vector<Value> values_;
  int input_ = -1, output_ = -1, threads_ = 1;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<std::vector<float>> buffers_;   ///< One a value, row-major; the primitives point into them.
  std::vector<std::function<void()>> steps_;  ///< One a node.
  std::vector<int> outputs_;                  ///< The value that each step computes.
  std::unordered_map<int, Weights> weights_;  ///< By node.
  std::vector<float> joined_;                 ///< Several inputs of a Move.
  bool hooked_ = false;                       ///< There has been a hook, which may have changed the constants.
};

Executor::Executor(const Network& network, int threads)
    : implementation_(std::make_unique<Implementation>(network, threads)) {}
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;
Executor::~Executor() = default;

Tensor Executor::run(const Tensor& input, const ValueHook& hook) {
  const int output = implementation_->output();
  return std::move(run(input, std::span(&output, 1), hook)[0]);
}

std::vector<Tensor> Executor::run(const Tensor& input, std::span<const int> values, const ValueHook& hook) {
  return implementation_->run(input, values, hook);
}

void Executor::run_nodes(int first, int last, const ValueHook& hook) {
  implementation_->run_nodes(first, last, hook);
}

std::span<float> Executor::value(int index) {
  return implementation_->value(index);
}

void Executor::set_weights(int node, std::span<const float> weights) {
  implementation_->set_weights(node, weights);
}

std::vector<Tensor> Executor::run_all(const Tensor& input) {
  std::vector<int> values(implementation_->value_count());
  std::iota(values.begin(), values.end(), 0);
  return run(input, values);
}

}  // namespace lpa::workloads

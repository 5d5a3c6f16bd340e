// The file of a trace's words.
#include <algorithm>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "quant/lpq/trace_model.h"
#include "workloads/input_error.h"
#include "workloads/safetensors.h"

namespace lpa::lpq {
namespace {

using formats::LogNumber;
using formats::Word;
using workloads::InputError;
using workloads::LayerKind;
using workloads::SafeTensors;
using workloads::StoredTensor;

constexpr std::int32_t zero_code = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t mantissa_limit = 1 << 25;
constexpr std::int32_t log_limit = 120 * 256;

std::int32_t code_of(const LogNumber& number) {
  return number.zero ? zero_code : number.log_q8 * 2 + (number.negative ? 1 : 0);
}

class Writer {
 public:
  template <class Data>
  void add(const std::string& name, Data data) {
    const auto count = static_cast<std::int64_t>(data.size());
    content_.tensors[name] = StoredTensor{{count}, std::move(data)};
  }

  void add_layer(const std::string& name, const QuantizedLayer& layer) {
    if (layer.kind == LayerKind::conv) {
      std::vector<std::int32_t> mantissas;
      std::vector<std::int16_t> exponents;
      for (const formats::BiasTerm& bias : layer.bias) {
        mantissas.push_back(bias.mantissa);
        exponents.push_back(bias.exponent);
      }
      add(name + ".weight", pack_words(layer.weights, layer.weight.n));
      add(name + ".mantissa", std::move(mantissas));
      add(name + ".exponent", std::move(exponents));
      if (!layer.channel_sf_q8.empty()) add(name + ".channel_sf", layer.channel_sf_q8);
    }
    if (layer.norm.empty()) return;
    std::vector<std::int32_t> scales, shifts;
    for (const formats::NormTerm& term : layer.norm) {
      scales.push_back(code_of(term.gamma));
      shifts.push_back(code_of(term.beta));
    }
    add(name + ".scale", std::move(scales));
    add(name + ".shift", std::move(shifts));
  }

  const SafeTensors& content() const { return content_; }

 private:
  SafeTensors content_;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file)
      : file_(file.string()), content_(workloads::read_safetensors(file)) {}

  void read_words(const std::string& name, const formats::TensorFormat& format, bool real,
                  std::vector<Word>& words) const {
    const auto bits = static_cast<std::size_t>(format.n);
    const auto& bytes = data<std::uint8_t>(name, (words.size() * bits + 7) / 8, "U8");
    words = unpack_words(bytes, format.n, words.size());
    if (pack_words(words, format.n) != bytes) fail(name, "the bits behind the last word must be 0");
    if (const std::string wrong = check_words(words, format); real && !wrong.empty()) fail(name, wrong);
  }

  void read_layer(const std::string& name, QuantizedLayer& layer) const {
    if (layer.kind == LayerKind::conv) {
      read_words(name + ".weight", layer.weight, true, layer.weights);
      read_bias(name, layer);
      if (const std::string own = name + ".channel_sf"; content_.tensors.contains(own)) {
        layer.channel_sf_q8 = data<std::int16_t>(own, layer.bias.size(), "I16");
      }
    }
    if (layer.norm.empty()) return;
    const auto& scales = data<std::int32_t>(name + ".scale", layer.norm.size(), "I32");
    const auto& shifts = data<std::int32_t>(name + ".shift", layer.norm.size(), "I32");
    for (std::size_t i = 0; i < layer.norm.size(); ++i) {
      layer.norm[i] = {number(name + ".scale", scales[i]), number(name + ".shift", shifts[i])};
    }
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    throw InputError(fmt::format("{}: tensor \"{}\": {}", file_, tensor, what));
  }

  template <class Element>
  const std::vector<Element>& data(const std::string& name, std::size_t count, const char* type) const {
    const auto found = content_.tensors.find(name);
    if (found == content_.tensors.end()) fail(name, "is missing");
    const auto* elements = std::get_if<std::vector<Element>>(&found->second.data);
    if (elements == nullptr) fail(name, fmt::format("must have the type {}", type));
    if (elements->size() != count) fail(name, fmt::format("has {} elements but must have {}", elements->size(), count));
    return *elements;
  }

  void read_bias(const std::string& name, QuantizedLayer& layer) const {
    const auto& mantissas = data<std::int32_t>(name + ".mantissa", layer.bias.size(), "I32");
    const auto& exponents = data<std::int16_t>(name + ".exponent", layer.bias.size(), "I16");
    for (std::size_t i = 0; i < layer.bias.size(); ++i) {
      if (mantissas[i] <= -mantissa_limit || mantissas[i] >= mantissa_limit)
        fail(name + ".mantissa",
             fmt::format("element {} is {} but must be less than 2^25 in magnitude", i, mantissas[i]));
      layer.bias[i] = {mantissas[i], exponents[i]};
    }
  }

  LogNumber number(const std::string& tensor, std::int32_t code) const {
    if (code == zero_code) return {};
    if (code < -2 * log_limit || code > 2 * log_limit + 1)
      fail(tensor, fmt::format("{} is no number: a logarithm of at most 120 in magnitude expected", code));
    return {.log_q8 = static_cast<std::int16_t>(code >> 1), .negative = (code & 1) != 0, .zero = false};
  }

  std::string file_;
  SafeTensors content_;
};

}  // namespace

void write_words(const std::filesystem::path& file, const traces::Trace& trace, const QuantizedModel& model) {
  Writer writer;
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    const QuantizedConstant& constant = model.constants[i];
    writer.add(trace.graph.constants[i].name + ".words", pack_words(constant.words, constant.format.n));
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) writer.add_layer(trace.graph.layers[i].name, model.layers[i]);
  workloads::write_safetensors(file, writer.content());
}

void read_words(const std::filesystem::path& file, const traces::Trace& trace, QuantizedModel& model) {
  const Reader reader(file);
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    QuantizedConstant& constant = model.constants[i];
    if (trace.constants[i].role == traces::ConstantRole::own)
      reader.read_words(trace.graph.constants[i].name + ".words", constant.format, false, constant.words);
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) reader.read_layer(trace.graph.layers[i].name, model.layers[i]);
}

}  // namespace lpa::lpq

#include "quant/lpq/quantized_model.h"

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/quant/lpq/random_model.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/safetensors.h"

namespace lpa::lpq {
namespace {

using formats::Word;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::make_random_model;
using ::testing::Not;
using testing::RandomModel;
using workloads::InputError;
using workloads::testing::message_of;
using workloads::testing::read_bytes;
using workloads::testing::TemporaryFolder;
using workloads::testing::write_bytes;

TEST(PackWords, PutsTheFirstWordIntoTheLowestBits) {
  EXPECT_EQ(pack_words({1, 2, 3, 0, 2}, 2), (std::vector<std::uint8_t>{0b00111001, 0b00000010}));
  EXPECT_EQ(pack_words({0xA, 0x5, 0xF}, 4), (std::vector<std::uint8_t>{0x5A, 0x0F}));
  EXPECT_EQ(pack_words({0x80, 0x01}, 8), (std::vector<std::uint8_t>{0x80, 0x01}));
  EXPECT_TRUE(pack_words({}, 4).empty());
}

TEST(PackWords, IsUndoneByUnpackWords) {
  for (const int bits : {2, 4, 8}) {
    for (std::size_t count = 0; count < 20; ++count) {
      std::vector<Word> words;
      for (std::size_t i = 0; i < count; ++i) words.push_back(static_cast<Word>((i * 37 + 11) & ((1U << bits) - 1)));
      EXPECT_EQ(unpack_words(pack_words(words, bits), bits, count), words) << bits << " bits, " << count << " words";
    }
  }
}

RandomModel written_model(std::uint64_t seed) {
  RandomModel random = make_random_model(seed, false);
  random.model.method = "fit";
  random.model.seed = 0xFFFFFFFFFFFFFFFF;
  random.model.calibration_images = 128;
  if (seed % 2 == 0) {
    random.model.search = SearchRecord{.objective = "global-local",
                                       .pooling = "kurtosis",
                                       .cost = "bits",
                                       .population = 5,
                                       .passes = 1,
                                       .cycles = 2,
                                       .partners = 3,
                                       .blocks = 1,
                                       .evaluations = 13,
                                       .lambda = 0.1,
                                       .temperature = 1.0 / 3,
                                       .budget = 1e7,
                                       .full_cost = 1e-300,
                                       .bits = {2, 8},
                                       .initial_fitness = 0.7,
                                       .history = {{0, 0, 0, 0.6, 0.3, 12}, {0, 0, 1, 0.5, 0.2, 11}}};
  }
  return random;
}

TEST(QuantizedModelFiles, ComeBackAsTheyWereWritten) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const RandomModel random = written_model(seed);
    const TemporaryFolder folder;
    write(random.model, folder.path());
    EXPECT_EQ(read_quantized_model(folder.path(), random.graph), random.model) << "seed " << seed;
  }
}

TEST(QuantizedModelFiles, NeedAFolder) {
  const TemporaryFolder folder;
  const RandomModel random = written_model(1);
  EXPECT_THROW(write(random.model, folder / "nowhere"), workloads::OutputError);
  EXPECT_THROW(read_quantized_model(folder.path(), random.graph), InputError);
}

/// A model whose first layer is a convolution without addend, and which also has a max pool.
class DamagedModel : public ::testing::Test {
 protected:
  DamagedModel() {
    const auto suits = [](const RandomModel& random) {
      const auto& layers = random.graph.layers;
      return layers[0].kind == workloads::LayerKind::conv && !layers[0].reencodes() &&
             layers[1].kind == workloads::LayerKind::max_pool && random.model.layers[0].weight.n == 4;
    };
    for (std::uint64_t seed = 1; !suits(random_); ++seed) random_ = written_model(seed);
    write(random_.model, folder_.path());
  }

  std::string error() const {
    return message_of<InputError>([this] { read_quantized_model(folder_.path(), random_.graph); });
  }

  /// The error after a change of quant.json.
  std::string error_after(const std::function<void(json&)>& change) const {
    const std::string original = read_bytes(folder_ / "quant.json");
    json document = json::parse(original);
    change(document);
    write_bytes(folder_ / "quant.json", document.dump());
    const std::string message = error();
    write_bytes(folder_ / "quant.json", original);
    return message;
  }

  /// The error after a change of the tensors, with the digest in quant.json made to fit.
  std::string error_after_tensors(const std::function<void(workloads::SafeTensors&)>& change) const {
    workloads::SafeTensors content = workloads::read_safetensors(folder_ / "weights.safetensors");
    const std::string original = read_bytes(folder_ / "weights.safetensors");
    change(content);
    workloads::write_safetensors(folder_ / "weights.safetensors", content);
    const std::string wrong_digest = error();
    EXPECT_THAT(wrong_digest, HasSubstr("weights_digest: is \""));
    const std::string right = wrong_digest.substr(wrong_digest.rfind('"') - 16, 16);
    const std::string message = error_after([&right](json& document) { document["weights_digest"] = right; });
    write_bytes(folder_ / "weights.safetensors", original);
    return message;
  }

  TemporaryFolder folder_;
  RandomModel random_ = written_model(1);
};

TEST_F(DamagedModel, IsRejectedWithTheFieldAtFault) {
  struct Damage {
    const char* pointer;
    json value;
    const char* message;
  };
  const std::vector<Damage> damages = {
      {"/schema_version", 1, "schema_version: is 1 but must be 3; quantize the network again"},
      {"/schema_version", "2", "schema_version: is \"2\" but must be 0..2147483647"},
      {"/network", "other.onnx", "network: is \"other.onnx\" but must be \"random.onnx\""},
      {"/network", 3, "network: must be a string"},
      {"/seed", -1, "seed: is -1 but must be 0.."},
      {"/calibration_images", 2.5, "calibration_images: is 2.5 but must be 0.."},
      {"/calibration_images", 4294967296, "calibration_images: is 4294967296 but must be 0..2147483647"},
      {"/input", "LP<8,0,7,0>", "input must be an object"},
      {"/input/format", "LP<8,0,9,0>", "input.format: "},
      {"/input/format", "int8", "input.format: "},
      {"/input/format", "LP<16,1,3,0>", "input.format: n is 16 but must be 2, 4 or 8"},
      {"/layers", 5, "layers: must be an array"},
      {"/layers/0", 5, "layers[0] must be an object"},
      {"/layers/0/name", "layer1", "layers[0].name: is \"layer1\" but must be \"layer0\""},
      {"/layers/0/op", "Gemm", "layers[0].op: is \"Gemm\" but must be \"Conv\""},
      {"/layers/0/kind", "add", "layers[0].kind: is \"add\" but must be \"conv\""},
      {"/layers/0/weight/shape", {1, 2, 3}, "layers[0].weight.shape: is [1,2,3] but must be ["},
      {"/layers/0/weight/tensor", "nothing", "tensor \"nothing\" is missing"},
      {"/layers/0/weight/tensor", "0.layer0.bias.mantissa", "must have the type U8"},
      {"/layers/0/weight/format", "LP<8,0,7,0>", "elements but must have"},
      {"/layers/0/bias/exponent", "0.layer0.bias.mantissa", "must have the type I16"},
      {"/layers/0/psum_lsb", 3000, "layers[0].psum_lsb: is 3000 but must be -1000..1000"},
      {"/layers/0/encoded/format", "LP<8,5,1,9>", "layers[0].encoded.format: is LP<8,5,1,9> but must be LP<"},
      {"/layers/1/output/format", "LP<8,5,1,9>", "layers[1].encoded.format: is LP<"},
  };
  EXPECT_EQ(error_after([](json&) {}), "no error");
  for (const Damage& damage : damages) {
    const std::string message =
        error_after([&damage](json& document) { document[json::json_pointer(damage.pointer)] = damage.value; });
    EXPECT_THAT(message, AllOf(HasSubstr(damage.message), HasSubstr(folder_.path().string()), Not(HasSubstr("\n"))))
        << damage.pointer;
  }
}

TEST_F(DamagedModel, IsRejectedIfAMaxPoolChangesTheFormat) {
  const std::string message = error_after([](json& document) {
    document["layers"][1]["output"]["format"] = "LP<8,5,1,9>";
    document["layers"][1]["encoded"]["format"] = "LP<8,5,1,9>";
  });
  EXPECT_THAT(message, HasSubstr("layers[1].output.format: is LP<8,5,1,9> but must be LP<"));
}

TEST_F(DamagedModel, IsRejectedIfAnyFieldIsMissing) {
  for (const char* field : {"schema_version", "network", "method", "seed", "calibration_images", "weights_digest",
                            "input", "constants", "layers"}) {
    EXPECT_THAT(error_after([field](json& document) { document.erase(field); }),
                HasSubstr(std::string(field) + ": is missing"));
  }
  for (const char* field : {"name", "op", "kind", "weight", "bias", "encoded", "output", "psum_lsb"}) {
    EXPECT_THAT(error_after([field](json& document) { document["layers"][0].erase(field); }),
                HasSubstr("layers[0]." + std::string(field) + ": is missing"));
  }
  EXPECT_THAT(error_after([](json& document) { document["layers"].erase(0); }), HasSubstr("layers: has "));
}

TEST(ChannelScales, AreRejectedIfTheyAreMissingOrDoNotFit) {
  RandomModel random = make_random_model(1, false);
  std::size_t index = 0;
  while (random.model.layers[index].channel_sf_q8.empty()) {
    if (++index == random.model.layers.size()) random = make_random_model(index + 1, false), index = 0;
  }
  const TemporaryFolder folder;
  write(random.model, folder.path());
  const std::string original = read_bytes(folder / "quant.json");
  const auto error_after = [&](const std::function<void(json&)>& change) {
    json document = json::parse(original);
    change(document["layers"][index]["weight"]);
    write_bytes(folder / "quant.json", document.dump());
    return message_of<InputError>([&] { read_quantized_model(folder.path(), random.graph); });
  };
  EXPECT_THAT(error_after([](json& weight) { weight.erase("channel_sf"); }), HasSubstr("channel_sf: is missing"));
  EXPECT_THAT(error_after([](json& weight) { weight["channel_sf"] = weight["tensor"]; }),
              HasSubstr("must have the type I16"));
  EXPECT_THAT(error_after([](json& weight) { weight["channel_sf"] = "none"; }), HasSubstr("\"none\" is missing"));
}

/// With a matmul and a constant.
class DamagedTransformer : public DamagedModel {
 protected:
  DamagedTransformer() {
    const auto suits = [this] {
      return !random_.graph.constants.empty() &&
             std::ranges::any_of(random_.graph.layers, [](const workloads::Layer& layer) {
               return layer.kind == workloads::LayerKind::matmul && workloads::is_constant(layer.addend);
             });
    };
    for (std::uint64_t seed = 1; !suits(); ++seed) random_ = written_model(seed);
    while (random_.graph.layers[matmul_].kind != workloads::LayerKind::matmul) ++matmul_;
    write(random_.model, folder_.path());
  }

  std::size_t matmul_ = 0;  ///< Index of the first one.
};

TEST_F(DamagedTransformer, IsRejectedWithTheFieldAtFault) {
  EXPECT_EQ(error_after([](json&) {}), "no error");
  EXPECT_THAT(error_after([](json& document) { document["constants"][0]["name"] = "other"; }),
              HasSubstr("constants[0].name: is \"other\" but must be \"constant0\""));
  EXPECT_THAT(error_after([](json& document) { document["constants"][0]["format"] = "LP<7,0,3,0>"; }),
              HasSubstr("constants[0].format: n is 7 but must be 2, 4 or 8"));
  EXPECT_THAT(error_after([](json& document) { document["constants"][0]["tensor"] = "none"; }),
              HasSubstr("tensor \"none\" is missing"));
  EXPECT_THAT(error_after([](json& document) { document["constants"].push_back(1); }), HasSubstr("constants: has "));
  EXPECT_THAT(error_after([this](json& document) { document["layers"][matmul_].erase("psum_lsb"); }),
              HasSubstr("psum_lsb: is missing"));
  const int stationary = random_.graph.layers[matmul_].stationary;
  EXPECT_THAT(error_after([&](json& document) {
                document["layers"][static_cast<std::size_t>(stationary)]["output"]["format"] = "LP<4,0,3,0>";
              }),
              HasSubstr(".output.format: n is 4 but must be 8: the words are operands of a matrix product or copied"));
}

TEST_F(DamagedTransformer, TakesTablesAndParametersFromTheFormatsAndTheNetwork) {
  const std::string text = read_bytes(folder_ / "quant.json");
  for (const char* field : {"table", "gamma", "epsilon", "scale"}) EXPECT_THAT(text, Not(HasSubstr(field)));
}

TEST_F(DamagedModel, IsRejectedIfTheTensorsAreNot) {
  const std::string weight = "0.layer0.weight", mantissa = "0.layer0.bias.mantissa";
  EXPECT_THAT(error_after_tensors([&](workloads::SafeTensors& content) {
                std::get<std::vector<std::uint8_t>>(content.tensors.at(weight).data).front() = 0x18;
              }),
              HasSubstr("tensor \"0.layer0.weight\": word 0 is NaR but must be a real number"));
  EXPECT_THAT(error_after_tensors([&](workloads::SafeTensors& content) {
                std::get<std::vector<std::int32_t>>(content.tensors.at(mantissa).data).front() = 1 << 25;
              }),
              HasSubstr("element 0 is 33554432 but must be less than 2^25 in magnitude"));
  EXPECT_THAT(error_after_tensors([&](workloads::SafeTensors& content) {
                auto& tensor = content.tensors.at(mantissa);
                std::get<std::vector<std::int32_t>>(tensor.data).push_back(1);
                ++tensor.shape[0];
              }),
              HasSubstr("elements but must have"));
}

TEST_F(DamagedModel, IsRejectedIfUnusedBitsAreSet) {
  // 2-bit words that leave half a byte.
  const auto suits = [this] {
    const QuantizedLayer& layer = random_.model.layers[0];
    return layer.weight.n == 2 && layer.weights.size() % 4 == 2;
  };
  for (std::uint64_t seed = 1; !suits(); ++seed) random_ = written_model(seed);
  write(random_.model, folder_.path());
  EXPECT_THAT(error_after_tensors([](workloads::SafeTensors& content) {
                std::get<std::vector<std::uint8_t>>(content.tensors.at("0.layer0.weight").data).back() |= 0x10;
              }),
              HasSubstr("the bits behind the last word must be 0"));
}

TEST_F(DamagedModel, IsRejectedWhereverAFileEnds) {
  for (const char* name : {"quant.json", "weights.safetensors"}) {
    const std::string original = read_bytes(folder_ / name);
    for (std::size_t bytes = 0; bytes + 2 < original.size(); bytes += 1 + bytes / 20) {
      write_bytes(folder_ / name, original.substr(0, bytes));
      EXPECT_THAT(error(), AllOf(HasSubstr(name), Not(HasSubstr("\n")))) << name << " cut to " << bytes << " bytes";
    }
    write_bytes(folder_ / name, original);
  }
}

TEST_F(DamagedModel, IsRejectedAfterAnyFlippedBitOfTheWeights) {
  const std::string original = read_bytes(folder_ / "weights.safetensors");
  for (std::size_t i = 0; i < original.size(); i += 3) {
    std::string damaged = original;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    write_bytes(folder_ / "weights.safetensors", damaged);
    try {
      EXPECT_EQ(read_quantized_model(folder_.path(), random_.graph), random_.model) << "byte " << i;  // e.g. a blank
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace lpa::lpq

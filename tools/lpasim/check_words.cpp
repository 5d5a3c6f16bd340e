#include "tools/lpasim/check_words.h"

#include <fmt/format.h>

#include "hw_model/driver/machine_error.h"

namespace lpa::cli {
namespace {

/// `where` names image and layer.
void compare(const lpq::WordMap& got, const lpq::WordMap& want, const std::string& where) {
  if (got.words.size() != want.words.size()) {
    throw driver::MachineError(fmt::format("{}: the machine gave {} words, the software evaluation {}", where,
                                           got.words.size(), want.words.size()));
  }
  for (std::size_t word = 0; word < want.words.size(); ++word) {
    if (got.words[word] == want.words[word]) continue;
    const auto channels = static_cast<std::size_t>(want.channels);
    const auto width = static_cast<std::size_t>(want.width);
    throw driver::MachineError(fmt::format(
        "{}, row {}, column {}, channel {}: the machine gave word {:#04x}, the software evaluation {:#04x}", where,
        word / channels / width, word / channels % width, word % channels, got.words[word], want.words[word]));
  }
}

}  // namespace

WordCheck::WordCheck(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model,
                     const hw::MachineConfig& machine)
    : graph_(graph), software_(graph, model, machine.arithmetic) {}

void WordCheck::operator()(std::size_t image, const lpq::WordMap& input, const driver::ImageResult& result) const {
  formats::AccumulateEvents events;
  const std::vector<lpq::WordMap> expected = software_.run(input, &events);
  for (std::size_t layer = 0; layer < expected.size(); ++layer) {
    compare(result.maps.at(layer), expected[layer],
            fmt::format("image {}, layer '{}'", image, graph_.layers[layer].name));
  }
  std::uint64_t saturations = 0;
  for (const hw::Counters& counters : result.layers) saturations += counters.saturations;
  if (events.saturations != saturations) {
    throw driver::MachineError(fmt::format("image {}: the machine counted {} saturations, the software evaluation {}",
                                           image, saturations, events.saturations));
  }
}

}  // namespace lpa::cli

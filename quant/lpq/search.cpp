#include "quant/lpq/search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "quant/lpq/digest.h"
#include "quant/lpq/fit.h"
#include "quant/lpq/weight_formats.h"
#include "quant/lpq/width_choice.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LpFormat;
using workloads::InputError;

/// A generator of its own for every step, so that a step does not depend on those before.
Random random_of(std::uint64_t seed, int step) {
  std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      static_cast<std::uint32_t>(step)};
  std::array<std::uint32_t, 2> words{};
  mixed.generate(words.begin(), words.end());
  return Random(std::uint64_t{words[1]} << 32 | words[0]);
}

constexpr std::int64_t most_evaluations = 1'000'000'000;

void check_options(const SearchOptions& options) {
  const auto require = [](bool right, const char* what) {
    if (!right) throw InputError(what);
  };
  const auto known = [](int bits) { return bits == 2 || bits == 4 || bits == 8; };
  const std::set<int> widths(options.bits.begin(), options.bits.end());
  require(options.population >= 2, "the population must have at least 2 candidates");
  require(options.passes >= 0 && options.cycles >= 1 && options.partners >= 0,
          "there must be at least one cycle, and passes and partners must not be negative");
  require(options.temperature > 0 && std::isfinite(options.temperature), "the temperature must be above 0");
  require(options.lambda >= 0 && std::isfinite(options.lambda), "lambda must not be negative");
  require(!widths.empty() && widths.size() == options.bits.size() && std::ranges::all_of(widths, known),
          "the widths of weights must be some of 2, 4 and 8, each once");
  require(!options.budget || std::isfinite(*options.budget), "the budget must be a number");
}

class Search {
 public:
  Search(const workloads::LayerGraph& graph, const SearchOptions& options, CandidateEvaluator& evaluator,
         const FakeQuantization& quantization, const NetworkScales& scales, const CancelFlag* cancel)
      : options_(options), evaluator_(evaluator) {
    std::ranges::sort(options_.bits);
    const WidthCosts costs = options.costs.empty() ? bits_of_weights(graph) : options.costs;
    for (const WeightedLayer& layer : quantization.layers()) {
      costs_.push_back(costs[layer.layer]);
      full_cost_ += costs_.back().at(8);
    }
    if (const double least = least_cost(costs_, options_.bits); options_.budget && least > *options_.budget) {
      throw InputError(fmt::format("no formats fit the budget: the weights cost at least {:.6g}, the budget is {:.6g}",
                                   least, *options_.budget));
    }
    const auto blocks = static_cast<std::int64_t>(evaluator_.blocks().size());
    if (std::int64_t{options_.passes} * options_.cycles > most_evaluations / blocks / (options_.partners + 1)) {
      throw InputError(fmt::format("passes, cycles and partners ask for more than {} evaluations", most_evaluations));
    }
    layers_.resize(quantization.layers().size());
    const auto work_out = [&](int item, int) {
      const auto index = static_cast<std::size_t>(item);
      const std::size_t layer = quantization.layers()[index].layer;
      layers_[index] = std::make_unique<WeightFormatsOfLayer>(graph.layers[layer], options_.bits,
                                                              scales.empty() ? nullptr : scales[layer].get());
    };
    parallel_for(static_cast<int>(layers_.size()), options_.threads, work_out, {}, cancel);
  }

  /// From the beginning, or from the checkpoint.
  SearchState run(const SearchCheckpoint* checkpoint, const SearchProgress& progress) {
    std::optional<SearchState> known;
    if (checkpoint != nullptr) known = checkpoint->read();
    if (known) {
      take(std::move(*known), checkpoint->name());
    } else {
      initialise();
      state_.initial_fitness = best().fitness;
    }
    const int blocks = static_cast<int>(evaluator_.blocks().size());
    const int total = total_steps();
    for (int step = state_.steps; step < total; ++step) {
      const int cycle = step % options_.cycles, block = step / options_.cycles % blocks;
      if (cycle == 0) evaluator_.start_block(static_cast<std::size_t>(block), best().formats);
      run_cycle(static_cast<std::size_t>(block), random_of(options_.seed, step + 1));
      state_.history.push_back(
          {step / options_.cycles / blocks, block, cycle, best().fitness, best().loss, best().cost});
      state_.steps = step + 1;
      if (checkpoint != nullptr && cycle + 1 == options_.cycles) checkpoint->write(state_);
      if (progress) progress(step + 1, total, best());
    }
    return state_;
  }

  double full_cost() const { return full_cost_; }

 private:
  WeightFormats uniform(int bits) const {
    WeightFormats formats;
    for (const auto& layer : layers_) formats.push_back(layer->best(bits));
    return formats;
  }

  double cost_of(const WeightFormats& formats) const {
    double cost = 0;
    for (std::size_t i = 0; i < formats.size(); ++i) cost += costs_[i].at(formats[i].n);
    return cost;
  }

  const Candidate& best() const { return state_.population.front(); }

  /// A checkpoint comes from outside.
  void take(SearchState state, const std::string& name) {
    const auto known = [&](const LpFormat& format) {
      return formats::check(format).empty() && format.regime == formats::Regime::bounded &&
             std::ranges::find(options_.bits, format.n) != options_.bits.end();
    };
    const auto fits = [&](const Candidate& candidate) {
      return candidate.formats.size() == layers_.size() && std::ranges::all_of(candidate.formats, known);
    };
    const std::size_t size = state.population.size();
    if (state.steps > total_steps() || state.steps % options_.cycles != 0 ||
        state.history.size() != static_cast<std::size_t>(state.steps) || size < 2 ||
        size > static_cast<std::size_t>(options_.population) || !std::ranges::all_of(state.population, fits)) {
      throw InputError(fmt::format("{}: does not fit the network and the options", name));
    }
    std::vector<Candidate> population = std::move(state.population);
    state_ = std::move(state);
    state_.population.clear();
    for (Candidate& candidate : population) judge(candidate);
    add(std::move(population));
  }

  int total_steps() const { return options_.passes * static_cast<int>(evaluator_.blocks().size()) * options_.cycles; }

  /// What follows from formats and loss.
  void judge(Candidate& candidate) const {
    candidate.cost = cost_of(candidate.formats);
    candidate.fitness = candidate.loss;
    if (!options_.budget) candidate.fitness *= std::pow(candidate.cost / full_cost_, options_.lambda);
  }

  /// The next smaller or larger width; 0: there is none.
  int width_beside(int bits, int step) const {
    const auto at = std::ranges::find(options_.bits, bits) - options_.bits.begin() + step;
    return at < 0 || at >= static_cast<std::ptrdiff_t>(options_.bits.size())
               ? 0
               : options_.bits[static_cast<std::size_t>(at)];
  }

  /// Changes widths of layers from `first` on, if possible not of `kept`, until the cost is just within the budget. The
  /// layer is the best of a few random ones: of most error won, or least lost, by cost.
  void meet_budget(WeightFormats& formats, std::size_t first, const std::vector<std::size_t>& kept, Random& random) {
    if (!options_.budget) return;
    std::vector<std::size_t> others;
    for (std::size_t i = first; i < formats.size(); ++i) {
      if (std::ranges::find(kept, i) == kept.end()) others.push_back(i);
    }
    double cost = cost_of(formats);
    const auto change = [&](const std::vector<std::size_t>& free, int step) {
      constexpr int tries = 3;
      std::size_t chosen = formats.size();
      double best = 0;
      for (int i = 0; i < tries; ++i) {
        const std::size_t layer = free[random.below(free.size())];
        const int width = width_beside(formats[layer].n, step);
        if (width == 0) continue;
        const double price = costs_[layer].at(width) - costs_[layer].at(formats[layer].n);
        if (step > 0 && cost + price > *options_.budget) continue;
        const double won = layers_[layer]->error(formats[layer].n) - layers_[layer]->error(width);
        const double ratio = won / std::max(std::abs(price), 1e-9);
        if (chosen == formats.size() || ratio > best) {
          chosen = layer;
          best = ratio;
        }
      }
      if (chosen == formats.size()) return false;
      const int width = width_beside(formats[chosen].n, step);
      cost += costs_[chosen].at(width) - costs_[chosen].at(formats[chosen].n);
      formats[chosen] = layers_[chosen]->best(width);
      return true;
    };
    constexpr int patience = 20;
    // Where there are no others, or they do not suffice, the kept ones must give way.
    for (const std::vector<std::size_t>& layers : std::array{others, kept}) {
      if (layers.empty()) continue;
      for (int misses = 0; cost > *options_.budget && misses < patience;) misses += change(layers, -1) ? 0 : 1;
    }
    if (others.empty()) return;
    for (int misses = 0; cost <= *options_.budget && misses < 3;) misses += change(others, +1) ? 0 : 1;
  }

  /// The best formats of each width, those within the budget of least squared error, and random ones.
  void initialise() {
    std::vector<WeightFormats> formats;
    Random random = random_of(options_.seed, 0);
    for (auto n = options_.bits.rbegin(); n != options_.bits.rend(); ++n) formats.push_back(uniform(*n));
    while (formats.size() < static_cast<std::size_t>(options_.population)) {
      WeightFormats drawn = uniform(options_.bits.back());
      if (formats.size() % 2 == 0) {
        for (std::size_t i = 0; i < drawn.size(); ++i) {
          const int n = options_.bits[random.below(options_.bits.size())];
          drawn[i] = layers_[i]->best(n);
        }
      } else {
        for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = layers_[i]->draw(random);
      }
      meet_budget(drawn, 0, {}, random);
      formats.push_back(std::move(drawn));
    }
    evaluator_.start_block(0, {});
    std::vector<Candidate> evaluated = evaluate(formats);
    const double loss_of_widest = evaluated.front().loss;
    add(std::move(evaluated));
    WeightFormats chosen = best_by_layer(loss_of_widest);
    meet_budget(chosen, 0, {}, random);
    evaluator_.start_block(0, {});
    add(evaluate({chosen}));
  }

  /// The candidate that would be the best if what a narrower layer loses did not depend on the others: every layer
  /// alone is tried in every width, all others being in the widest.
  WeightFormats best_by_layer(double loss_of_widest) {
    const WeightFormats widest = uniform(options_.bits.back());
    std::vector<ByWidth> losses(layers_.size());
    for (ByWidth& of_layer : losses) of_layer[options_.bits.back()] = 0;
    for (std::size_t block = 0; block < evaluator_.blocks().size(); ++block) {
      evaluator_.start_block(block, widest);
      std::vector<WeightFormats> candidates;
      for (const std::size_t layer : evaluator_.blocks()[block].layers) {
        for (const int n : options_.bits) {
          if (n == options_.bits.back()) continue;
          candidates.push_back(widest);
          candidates.back()[layer] = layers_[layer]->best(n);
        }
      }
      const std::vector<Candidate> evaluated = evaluate(candidates);
      auto next = evaluated.begin();
      for (const std::size_t layer : evaluator_.blocks()[block].layers) {
        for (const int n : options_.bits) {
          if (n != options_.bits.back()) losses[layer][n] = (next++)->loss - loss_of_widest;
        }
      }
    }
    const auto merit = [&](double more, double cost) {
      if (options_.budget) return cost > *options_.budget ? Loss::worst : more;
      return std::max(loss_of_widest + more, 0.0) * std::pow(cost / full_cost_, options_.lambda);
    };
    const std::vector<int> widths = choose_widths(losses, costs_, merit);
    WeightFormats formats;
    for (std::size_t i = 0; i < widths.size(); ++i) formats.push_back(layers_[i]->best(widths[i]));
    return formats;
  }

  std::vector<Candidate> evaluate(const std::vector<WeightFormats>& formats) {
    constexpr std::size_t at_a_time = 16;  // Each needs memory for its representations.
    std::vector<Candidate> candidates;
    for (std::size_t first = 0; first < formats.size(); first += at_a_time) {
      const std::vector<WeightFormats> some(
          formats.begin() + static_cast<std::ptrdiff_t>(first),
          formats.begin() + static_cast<std::ptrdiff_t>(std::min(first + at_a_time, formats.size())));
      const std::vector<double> losses = evaluator_.losses(some);
      for (std::size_t i = 0; i < some.size(); ++i) {
        Candidate& candidate = candidates.emplace_back(Candidate{.formats = some[i], .loss = losses[i]});
        judge(candidate);
      }
    }
    state_.evaluations += static_cast<int>(formats.size());
    return candidates;
  }

  double excess(const Candidate& candidate) const {
    return options_.budget ? std::max(candidate.cost - *options_.budget, 0.0) : 0;
  }

  bool better(const Candidate& a, const Candidate& b) const {
    return excess(a) != excess(b) ? excess(a) < excess(b) : a.fitness < b.fitness;
  }

  /// Keeps the best ones.
  void add(std::vector<Candidate> candidates) {
    std::vector<Candidate>& population = state_.population;
    std::ranges::move(candidates, std::back_inserter(population));
    std::ranges::stable_sort(population, [this](const Candidate& a, const Candidate& b) { return better(a, b); });
    if (population.size() > static_cast<std::size_t>(options_.population)) {
      population.resize(static_cast<std::size_t>(options_.population));
    }
  }

  /// Children differ from the best candidate in the block, and behind it where the budget asks for it.
  void run_cycle(std::size_t block, Random random) {
    const std::vector<std::size_t>& layers = evaluator_.blocks()[block].layers;
    const Candidate& second = state_.population[1];
    WeightFormats child = best().formats;
    for (const std::size_t layer : layers) {
      if (random.chance(0.5)) child[layer] = second.formats[layer];
    }
    const std::size_t sure = layers[random.below(layers.size())];
    for (const std::size_t layer : layers) {
      if (layer == sure || random.chance(1.0 / static_cast<double>(layers.size()))) {
        child[layer] = layers_[layer]->mutate(child[layer], random);
      }
    }
    std::vector<WeightFormats> children{child};
    for (int i = 0; i < options_.partners; ++i) {
      WeightFormats mated = child;
      const Candidate& partner = state_.population[random.below(state_.population.size())];
      for (const std::size_t layer : layers) {
        if (random.chance(0.5))
          mated[layer] = random.chance(0.5) ? layers_[layer]->draw(random) : partner.formats[layer];
      }
      children.push_back(std::move(mated));
    }
    for (WeightFormats& formats : children) meet_budget(formats, layers.front(), layers, random);
    std::vector<Candidate> evaluated = evaluate(children);
    std::vector<Candidate> kept{evaluated.front()};
    if (evaluated.size() > 1) {
      const auto by_merit = [this](const Candidate& a, const Candidate& b) { return better(a, b); };
      kept.push_back(*std::min_element(evaluated.begin() + 1, evaluated.end(), by_merit));
    }
    add(std::move(kept));
  }

  SearchOptions options_;
  CandidateEvaluator& evaluator_;
  std::vector<std::unique_ptr<WeightFormatsOfLayer>> layers_;
  WidthCosts costs_;
  double full_cost_ = 0;
  SearchState state_;
};

/// Of the activations.
FitOptions fit_options(const SearchOptions& options) {
  FitOptions fit;
  fit.activation_bits = options.activation_bits;
  fit.threads = options.threads;
  fit.seed = options.seed;
  return fit;
}

/// Everything but the number of threads that a search depends on.
std::string key_of(const workloads::LayerGraph& graph, const std::vector<workloads::Tensor>& images,
                   const SearchOptions& o, const NetworkFormats& activations) {
  Digest digest;
  for (const workloads::Tensor& image : images) digest.add_elements(image.data);
  digest.add(to_string(activations.input));
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    digest.add_elements(graph.constants[i].data);
    digest.add(to_string(activations.constants[i]));
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    digest.add(graph.layers[i].name);
    digest.add_elements(graph.layers[i].weights);
    digest.add_elements(graph.layers[i].bias);
    digest.add(to_string(activations.layers[i].encoded));
    digest.add(to_string(activations.layers[i].output));
  }
  for (const auto& layer : o.costs) {
    for (const auto& [bits, cost] : layer) digest.add(fmt::format("{}:{} ", bits, cost));
  }
  return fmt::format(
      "{} data {} population {} passes {} cycles {} partners {} lambda {} temperature {} bits {} objective {} "
      "pooling {} activation bits {} sf {} seed {} budget {}",
      graph.network, digest.text(), o.population, o.passes, o.cycles, o.partners, o.lambda, o.temperature,
      fmt::join(o.bits, ","), to_string(o.objective), to_string(o.pooling), o.activation_bits, to_string(o.scales),
      o.seed, o.budget.value_or(0));
}

}  // namespace

WidthCosts bits_of_weights(const workloads::LayerGraph& graph) {
  WidthCosts costs(graph.layers.size());
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].kind != workloads::LayerKind::conv) continue;
    for (const int n : {2, 4, 8}) costs[i][n] = static_cast<double>(graph.layers[i].weights.size()) * n;
  }
  return costs;
}

double least_cost(const WidthCosts& costs, const std::vector<int>& bits) {
  double sum = 0;
  for (const auto& layer : costs) {
    if (layer.empty()) continue;
    double least = layer.at(bits.front());
    for (const int n : bits) least = std::min(least, layer.at(n));
    sum += least;
  }
  return sum;
}

const char* to_string(Objective objective) {
  switch (objective) {
    case Objective::global_local:
      return "global-local";
    case Objective::global:
      return "global";
    case Objective::kl:
      return "kl";
    case Objective::mse:
      return "mse";
  }
  return "";
}

const char* to_string(Pooling pooling) {
  return pooling == Pooling::kurtosis ? "kurtosis" : "mean";
}

SearchResult search_formats(const workloads::Network& network, const workloads::LayerGraph& graph,
                            const std::vector<workloads::Tensor>& images, const NetworkFormats& fitted,
                            const SearchOptions& options, const SearchProgress& progress, const CancelFlag* cancel) {
  check_options(options);
  SearchResult result{fitted, {}, {}};
  NetworkScales scales;
  if (options.scales == ScaleMode::per_channel) scales = channel_scales(graph);
  std::optional<NetworkFormats> narrow;
  if (options.activation_bits == follow_weights && std::ranges::find(options.bits, 2) != options.bits.end()) {
    FitOptions of_narrow = fit_options(options);
    of_narrow.weight_bits = 2;
    narrow = fit_formats(network, graph, images, of_narrow, {}, cancel);
  }
  const FakeQuantization quantization(network, graph, result.formats, options.arithmetic, scales,
                                      narrow ? &*narrow : nullptr);
  if (quantization.layers().empty()) {
    throw InputError(fmt::format("{}: no layer has weights whose formats could be searched", graph.network));
  }
  CandidateEvaluator evaluator(network, quantization, images, options.objective, options.temperature, options.pooling,
                               options.threads, cancel);
  std::optional<SearchCheckpoint> checkpoint;
  if (!options.checkpoint.empty()) {
    checkpoint.emplace(options.checkpoint, key_of(graph, images, options, result.formats));
  }
  Search search(graph, options, evaluator, quantization, scales, cancel);
  SearchState state = search.run(checkpoint ? &*checkpoint : nullptr, progress);
  result.best = state.population.front();
  for (std::size_t i = 0; i < quantization.layers().size(); ++i) {
    const std::size_t layer = quantization.layers()[i].layer;
    const formats::LpFormat& weight = result.best.formats[i];
    LayerFormats& formats = result.formats.layers[layer];
    if (narrow && weight.n == 2) formats = narrow->layers[layer];
    formats.weight = weight;
    if (!scales.empty()) formats.channel_sf_q8 = scales[layer]->of(weight).channel_sf_q8;
  }
  result.record = {.objective = to_string(options.objective),
                   .pooling = to_string(options.pooling),
                   .cost = options.cost_name,
                   .population = options.population,
                   .passes = options.passes,
                   .cycles = options.cycles,
                   .partners = options.partners,
                   .blocks = static_cast<int>(evaluator.blocks().size()),
                   .evaluations = state.evaluations,
                   .lambda = options.lambda,
                   .temperature = options.temperature,
                   .budget = options.budget.value_or(0),
                   .full_cost = search.full_cost(),
                   .bits = options.bits,
                   .initial_fitness = state.initial_fitness,
                   .history = std::move(state.history)};
  return result;
}

QuantizedModel search(const workloads::Network& network, const workloads::LayerGraph& graph,
                      const std::vector<workloads::Tensor>& images, const SearchOptions& options,
                      const SearchProgress& progress, const CancelFlag* cancel) {
  const NetworkFormats fitted = fit_formats(network, graph, images, fit_options(options), {}, cancel);
  SearchResult result = search_formats(network, graph, images, fitted, options, progress, cancel);
  QuantizedModel model = quantize(graph, result.formats);
  model.method = "lpq";
  model.seed = options.seed;
  model.calibration_images = static_cast<int>(images.size());
  model.search = std::move(result.record);
  return model;
}

}  // namespace lpa::lpq

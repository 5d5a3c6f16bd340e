#include "hw_model/fast/fast_machine.h"

#include <algorithm>
#include <bit>

#include "hw_model/block_counters.h"

namespace lpa::hw {
namespace {

/// Edges to run ahead where nothing else is going to happen: time passes even for a machine that waits for good.
constexpr std::uint64_t farthest = 1u << 16;

}  // namespace

FastMachine::FastMachine(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name),
      config_(validated(config)),
      period_(static_cast<double>(config_.period_ps()), sc_core::SC_PS),
      dma_("dma", config_),
      weight_buffer_(FillKind::weights, config_, dma_.port(DmaEngine::weights)),
      input_buffer_(FillKind::inputs, config_, dma_.port(DmaEngine::inputs)),
      store_(config_.output_buffer),
      output_(config_, dma_.port(DmaEngine::outputs), store_),
      values_(config_, weight_buffer_, input_buffer_, store_),
      loader_(config_, weight_buffer_, values_),
      sequencer_(config_, input_buffer_, store_, values_),
      ppu_(config_, input_buffer_, store_, output_),
      controller_(config_, dma_.port(DmaEngine::descriptors), [this] { return gather(); }),
      registers_("registers", controller_),
      memo_(config_),
      periods_(config_) {
  if (period_.value() != config_.period_ps()) throw ConfigError("the kernel's time resolution must be 1 ps");
  due_.fill(never);
  registers_.on_access([this] { before_access(); }, [this] { after_access(); });
  dma_.on_answer([this] {
    wake(dma, dma_.next(std::max(edge_, last_edge())));
    wake_.notify(sc_core::SC_ZERO_TIME);
  });
  weight_buffer_.ask_reader([this](std::uint64_t edge, std::size_t half) { return loader_.reads(edge, half); });
  input_buffer_.ask_reader([this](std::uint64_t edge, std::size_t half) { return sequencer_.reads(edge, half); });
  SC_HAS_PROCESS(FastMachine);
  SC_METHOD(advance);
  sensitive << wake_;
  dont_initialize();
}

void FastMachine::set_values(bool on) {
  values_on_ = on;
  if (set_aside_ == nullptr) compute_words(on);
}

void FastMachine::set_timeline(Timeline* timeline) {
  timeline_ = timeline;
  weight_buffer_.set_timeline(timeline);
  input_buffer_.set_timeline(timeline);
  output_.set_timeline(timeline);
  ppu_.set_timeline(timeline);
  controller_.set_timeline(timeline);
  loader_.set_timeline(timeline);
  sequencer_.set_timeline(timeline);
}

// Simulated time

void FastMachine::advance() {
  if (before_clocked_processes()) {
    wake_.notify(sc_core::SC_ZERO_TIME);
    return;
  }
  std::uint64_t limit = 0;
  bool limit_known = false;
  while (true) {
    if (controller_.irq() != irq_now_) {
      if (time_of(edge_) > sc_core::sc_time_stamp()) return sleep_until(edge_);
      irq_now_ = controller_.irq();
      irq.write(irq_now_);
      limit_known = false;
    }
    const std::uint64_t edge = next_due();
    if (edge == never) return;
    if (!limit_known) {
      limit = horizon();
      limit_known = true;
    }
    if (edge > limit || must_wait_for_time(edge)) return sleep_until(edge);
    const std::uint64_t bursts = dma_.bursts();
    const std::uint32_t job = job_.read().number;
    run_edge(edge);
    if (job_.read().number != job) {
      if (!repeat_layer()) set_words_aside();
      limit_known = false;
    } else if (set_aside_ != nullptr && skip_visits()) {
      limit_known = false;
    }
    // Memory may have notified an event, unless it is known to do nothing but answer.
    if (dma_.bursts() != bursts && (memory_timing_ == nullptr || !answers_at_once_)) limit_known = false;
  }
}

/// Whether simulated time is that of an edge, and the processes of a clock have yet to run: they do one delta cycle
/// after those that wait for that time.
bool FastMachine::before_clocked_processes() const {
  return sc_core::sc_delta_count_at_current_time() == 0 && sc_core::sc_time_stamp().value() % period_.value() == 0;
}

/// The last edge at which the processes of a clock have run.
std::uint64_t FastMachine::last_edge() const {
  const std::uint64_t edge = edge_of(sc_core::sc_time_stamp());
  return edge > 0 && before_clocked_processes() ? edge - 1 : edge;
}

/// The last edge before which nothing else in the simulation can happen.
std::uint64_t FastMachine::horizon() const {
  if (sc_core::sc_pending_activity_at_current_time()) return edge_of(sc_core::sc_time_stamp());
  const sc_core::sc_time quiet = sc_core::sc_time_to_pending_activity();
  if (quiet >= sc_core::sc_max_time() - sc_core::sc_time_stamp()) return edge_of(sc_core::sc_time_stamp()) + farthest;
  return ((sc_core::sc_time_stamp() + quiet).value() - 1) / period_.value();
}

/// Requests go out ahead of time only to a memory that answers them on the spot.
bool FastMachine::must_wait_for_time(std::uint64_t edge) const {
  return due_[dma] == edge && !answers_at_once_ && time_of(edge) > sc_core::sc_time_stamp();
}

void FastMachine::sleep_until(std::uint64_t edge) {
  const sc_core::sc_time& now = sc_core::sc_time_stamp();
  wake_.notify(time_of(edge) > now ? time_of(edge) - now : sc_core::SC_ZERO_TIME);
}

/// Brings the machine up to simulated time, in case the accessing process was scheduled before this module's.
void FastMachine::before_access() {
  const std::uint64_t now = last_edge();
  for (std::uint64_t edge = next_due(); edge <= now; edge = next_due()) {
    run_edge(edge);
  }
  edge_ = std::max(edge_, now);
  if (edge_ > 0) {
    sequencer_.account(edge_ - 1);
    count_cycles(edge_);
  }
}

void FastMachine::after_access() {
  wake(controller, controller_.next(edge_));
  wake_.notify(sc_core::SC_ZERO_TIME);
}

// Edges

void FastMachine::run_edge(std::uint64_t edge) {
  edge_ = edge;
  const bool resets = reset_.read();
  if (resets) reset_blocks(edge);
  unsigned due = 0;  // A bit a block: a step may make others due, but at later edges only.
  for (std::size_t block = 0; block < block_count; ++block) {
    const bool steps = due_[block] <= edge && (!resets || block == controller);
    due |= static_cast<unsigned>(steps) << block;
    due_[block] = steps ? never : due_[block];
  }
  for (; due != 0; due &= due - 1) step(static_cast<Block>(std::countr_zero(due)), edge);
  commit();
  watch_layers();
}

std::uint64_t FastMachine::next_due() const {
  return std::ranges::min(due_);
}

void FastMachine::reset_blocks(std::uint64_t edge) {
  sequencer_.reset(edge);
  loader_.reset();
  weight_buffer_.reset();
  input_buffer_.reset();
  output_.reset();
  ppu_.reset();
  dma_.clear();
  write(weight_level_, weight_buffer_.level());
  write(input_level_, input_buffer_.level());
  write(ppu_state_, ppu_.state());
  wake_all(edge + 1);
  due_[controller] = edge;
}

void FastMachine::step(Block block, std::uint64_t edge) {
  switch (block) {
    case controller:
      step_controller(edge);
      wake_dma(DmaEngine::descriptors, edge);
      wake(controller, controller_.next(edge));
      break;
    case sequencer:
      sequencer_.step(edge, job_.read(),
                      {.tiles_loaded = tiles_loaded_.read(),
                       .first_row_edge = loader_.first_row_edge(),
                       .input_level = input_level_.read(),
                       .visits_drained = visits_drained_.read(),
                       .ppu_state = ppu_state_.read()});
      wake(ppu, next_ppu(edge));  // It may have learnt when the next word comes.
      if (write(tiles_released_, sequencer_.tiles_released())) wake(loader, edge + 1);
      if (write(array_inputs_released_, sequencer_.inputs_released())) wake(input_fill, edge + 1);
      wake(sequencer, sequencer_.next(edge));
      break;
    case loader:
      loader_.step(edge, job_.read(), weight_level_.read(), tiles_released_.read());
      if (write(tiles_loaded_, loader_.tiles_loaded()) && sequencer_.waits()) wake(sequencer, edge + 1);
      if (write(weights_released_, loader_.fetches_released())) wake(weight_fill, edge + 1);
      wake(loader, loader_.next(edge));
      break;
    case weight_fill:
      weight_buffer_.step(edge, job_.read(), weights_released_.read());
      if (write(weight_level_, weight_buffer_.level())) {
        if (loader_.waits()) wake(loader, edge + 1);
        if (weight_buffer_.level().complete != weight_level_.read().complete) wake(controller, edge + 1);
      }
      wake_dma(DmaEngine::weights, edge);
      wake(weight_fill, weight_buffer_.next(edge, weights_released_.read()));
      break;
    case input_fill:
      input_buffer_.step(edge, job_.read(), inputs_released());
      if (write(input_level_, input_buffer_.level())) {
        if (sequencer_.waits()) wake(sequencer, edge + 1);
        wake(ppu, edge + 1);
        if (input_buffer_.level().complete != input_level_.read().complete) wake(controller, edge + 1);
      }
      wake_dma(DmaEngine::inputs, edge);
      wake(input_fill, input_buffer_.next(edge, inputs_released()));
      break;
    case output:
      output_.step(edge, job_.read());
      if (write(visits_drained_, output_.visits_drained())) {
        wake(sequencer, edge + 1);
        wake(ppu, edge + 1);
        wake(controller, edge + 1);
      }
      if (write(residual_level_, output_.residual_level())) wake(ppu, edge + 1);
      wake_dma(DmaEngine::outputs, edge);
      wake(output, output_.next(edge));
      break;
    case ppu:
      sequencer_.words().drop_before(ppu_.vector());
      ppu_.step(edge, job_.read(),
                {.words_ready = sequencer_.words().seen(edge),
                 .input_level = input_level_.read(),
                 .residual_level = residual_level_.read(),
                 .visits_drained = visits_drained_.read()});
      if (write(ppu_state_, ppu_.state()) && sequencer_.ending()) wake(sequencer, edge + 1);
      if (write(ppu_inputs_released_, ppu_.inputs_released())) wake(input_fill, edge + 1);
      wake(output, output_.next(edge));
      wake(ppu, next_ppu(edge));
      break;
    case dma:
      step_dma(edge);
      wake(dma, dma_.next(edge));
      break;
    case block_count:
      break;
  }
}

void FastMachine::step_controller(std::uint64_t edge) {
  // Its first cause is that of the edge before: it sees what the sequencer wrote there.
  if (edge > 1) {
    sequencer_.account(edge - 2);
    count_cycles(edge - 1);
  }
  sequencer_.account(edge - 1);
  Cause cause = Cause::idle;
  for (std::size_t i = 0; i < cause_count; ++i) {
    if (sequencer_.causes()[i] != counted_causes_[i]) cause = static_cast<Cause>(i);
  }
  controller_.step(edge, {.visits_drained = visits_drained_.read(),
                          .weight_level = weight_level_.read(),
                          .input_level = input_level_.read(),
                          .cause = cause,
                          .memory_failed = dma_.failed_before(edge)});
  counted_ = edge;
  counted_causes_ = sequencer_.causes();
  if (write(job_, controller_.job())) wake_all(edge + 1);
  if (write(reset_, controller_.reset())) wake_all(edge + 1);
}

/// Counts the edges since the last count, up to `edge`; the sequencer must have accounted for the one before it.
void FastMachine::count_cycles(std::uint64_t edge) {
  if (edge <= counted_) return;
  std::array<std::uint64_t, cause_count> causes{};
  for (std::size_t i = 0; i < cause_count; ++i) causes[i] = sequencer_.causes()[i] - counted_causes_[i];
  controller_.skip(causes, edge - counted_);
  counted_ = edge;
  counted_causes_ = sequencer_.causes();
}

void FastMachine::step_dma(std::uint64_t edge) {
  const std::uint64_t before = dma_.bursts();
  dma_.step(edge, edge * period_.value());
  if (dma_.bursts() != before) answers_at_once_ = !dma_.waits_for_memory();
  constexpr std::array owners{weight_fill, input_fill, output, controller};
  for (std::size_t engine = 0; engine < owners.size(); ++engine) {
    if (dma_.served(static_cast<DmaEngine>(engine))) wake(owners[engine], edge + 1);
  }
  if (dma_.error()) wake(controller, edge + 1);
}

std::uint64_t FastMachine::next_ppu(std::uint64_t edge) const {
  return ppu_.next(edge, sequencer_.words().seen_at(ppu_.vector()));
}

template <typename T>
bool FastMachine::write(Wire<T>& wire, const T& value) {
  if (value == wire.now) {
    wire.written = false;
    return false;
  }
  wire.next = value;
  wire.written = written_ = true;
  return true;
}

void FastMachine::commit() {
  if (!written_) return;
  written_ = false;
  const auto take = [](auto&... wires) {
    const auto one = [](auto& wire) {
      if (wire.written) wire.now = wire.next;
      wire.written = false;
    };
    (one(wires), ...);
  };
  take(job_, reset_, weight_level_, input_level_, residual_level_, weights_released_, array_inputs_released_,
       ppu_inputs_released_, tiles_loaded_, tiles_released_, visits_drained_, ppu_state_);
}

std::int64_t FastMachine::inputs_released() const {
  return std::max(array_inputs_released_.read(), ppu_inputs_released_.read());
}

Counters FastMachine::gather() const {
  Counters sum = block_counters(dma_, weight_buffer_, input_buffer_, store_, ppu_);
  sum.macs = sequencer_.macs(edge_);
  sum.vectors = sequencer_.vectors(edge_);
  sum.tiles = loader_.tiles();
  sum.array_span = sequencer_.array_span();
  sum.saturations += values_.events().saturations;
  sum.nar_products += values_.events().nar_products;
  sum.active_products = values_.active_products();
  sum += repeated_;
  return sum;
}

}  // namespace lpa::hw

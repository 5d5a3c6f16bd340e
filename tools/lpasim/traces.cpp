// lpasim traces: the traces that come with the program.
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/lpasim/commands.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/shipped_traces.h"
#include "tools/lpasim/table.h"
#include "traces/trace.h"

namespace lpa::cli {
namespace {

/// "8", "4, 8": widths of the layers' weights.
std::string weight_bits(const traces::Trace& trace) {
  std::set<int> bits;
  for (std::size_t i = 0; i < trace.layers.size(); ++i)
    if (trace.graph.layers[i].kind == workloads::LayerKind::conv) bits.insert(trace.layers[i].weight.n);
  return fmt::format("{}", fmt::join(bits, ", "));
}

}  // namespace

ExitCode list_traces(const Words& arguments) {
  const Command command{.name = "traces",
                        .summary = "Lists the traces that come with the program; lpasim replay runs them.",
                        .options = {}};
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  Table table({"name", "layers", "MMAC", "parameters", "weight bits", "source"});
  for (const auto& file : shipped_traces()) {
    const traces::Trace trace = traces::read_trace(file);
    table.add({file.stem().string(), std::to_string(trace.layers.size()),
               fmt::format("{:.2f}", static_cast<double>(traces::total_work(trace).macs) / 1e6),
               grouped(static_cast<std::uint64_t>(trace.parameters)), weight_bits(trace), trace.source});
  }
  fmt::print("{}", table.text());
  return ExitCode::success;
}

}  // namespace lpa::cli

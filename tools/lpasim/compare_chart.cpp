#include "tools/lpasim/compare_chart.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "tools/lpasim/svg.h"

namespace lpa::cli {
namespace {

constexpr double panel_width = 330, panel_height = 220, left = 80, top = 70, gap = 95, bar_share = 0.7;

/// A part of a bar.
struct Piece {
  double value = 0;
  std::string colour, name;
};
using Bar = std::function<std::vector<Piece>(const ComparedRun&)>;

// Light to dark, so that a print without colours tells them apart.
constexpr const char* dram_colour = "#c6dbef";
constexpr const char* static_colour = "#6baed6";
constexpr const char* buffer_colour = "#2171b5";
constexpr const char* core_colour = "#08306b";

std::vector<Piece> energy_pieces(const ComparedRun& run, double base) {
  const cost::Energy& e = run.energy;
  return {{(e.pe + e.decoders + e.encoder + e.ppu) / base, core_colour, "core"},
          {e.buffers / base, buffer_colour, "buffers"},
          {e.leakage / base, static_colour, "leakage"},
          {e.dram / base, dram_colour, "DRAM"}};
}

void draw_panel(Svg& svg, Point corner, const Comparison& comparison, const std::vector<std::string>& networks,
                const std::string& title, const Bar& bar) {
  double largest = 0;
  for (const ComparedRun& run : comparison.runs) {
    double sum = 0;
    for (const Piece& piece : bar(run)) sum += piece.value;
    largest = std::max(largest, sum);
  }
  const auto groups = static_cast<double>(networks.size());
  Axes axes(svg, corner, panel_width, panel_height, {0, 0}, {groups, largest * 1.1});
  axes.ticks_y(5);
  svg.text({corner.x + panel_width / 2, corner.y - 12}, title, Svg::Anchor::middle, 13);
  const double bars = static_cast<double>(comparison.machines.size());
  const double step = panel_width / groups / (bars + 1);
  for (const ComparedRun& run : comparison.runs) {
    const auto group =
        static_cast<double>(std::ranges::find(networks, run.network) - networks.begin()) * panel_width / groups;
    const double x = corner.x + group + step * (static_cast<double>(run.machine) + 0.5 + (1 - bar_share) / 2);
    double height = 0;
    for (const Piece& piece : bar(run)) {
      const double bottom = axes.at(0, height).y, upper = axes.at(0, height + piece.value).y;
      svg.box({x, upper}, step * bar_share, bottom - upper, piece.colour,
              fmt::format("{} on {}: {} {:.4g}", run.network, comparison.machines[run.machine].name, piece.name,
                          piece.value));
      height += piece.value;
    }
    svg.text({x + step * bar_share / 2, axes.at(0, height).y - 4}, fmt::format("{:.2f}", height), Svg::Anchor::middle,
             9);
    svg.text({x + step * bar_share / 2 + 4, corner.y + panel_height + 8}, comparison.machines[run.machine].name,
             Svg::Anchor::end, 10, -45);
  }
  for (std::size_t i = 0; i < networks.size(); ++i) {
    svg.text({corner.x + (static_cast<double>(i) + 0.5) * panel_width / groups, corner.y + panel_height + 78},
             networks[i], Svg::Anchor::middle, 12);
  }
}

}  // namespace

std::string comparison_chart(const Comparison& comparison) {
  std::vector<std::string> networks;
  for (const ComparedRun& run : comparison.runs) {
    if (std::ranges::find(networks, run.network) == networks.end()) networks.push_back(run.network);
  }
  Svg svg(left + 3 * panel_width + 2 * gap + 20, top + panel_height + 120);
  const std::string& base = comparison.machines[comparison.base].name;
  const auto panel = [&](int index, const std::string& title, const Bar& bar) {
    draw_panel(svg, {left + index * (panel_width + gap), top}, comparison, networks, title, bar);
  };
  panel(0, fmt::format("Latency, {} = 1", base), [&](const ComparedRun& run) {
    return std::vector<Piece>{{run.ms / comparison.base_of(run).ms, buffer_colour, "latency"}};
  });
  panel(1, fmt::format("Energy, {} = 1", base),
        [&](const ComparedRun& run) { return energy_pieces(run, comparison.base_of(run).energy.total()); });
  panel(2, "Throughput per compute area, TOPS/mm2", [&](const ComparedRun& run) {
    return std::vector<Piece>{{run.efficiency.tops_per_mm2, buffer_colour, "TOPS/mm2"}};
  });
  double x = left + panel_width + gap;
  for (const auto& [colour, name] : {std::pair{core_colour, "core"},
                                     {buffer_colour, "buffers"},
                                     {static_colour, "leakage"},
                                     {dram_colour, "DRAM"}}) {
    svg.box({x, 20}, 12, 12, colour);
    svg.text({x + 17, 31}, name, Svg::Anchor::start, 11);
    x += 80;
  }
  return svg.finish();
}

}  // namespace lpa::cli

#include "tools/lpasim/svg.h"

#include <cmath>

#include <fmt/format.h>

namespace lpa::cli {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// A distance of ticks: 1, 2 or 5 times a power of ten.
double round_step(double range, int count) {
  const double raw = range / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

std::vector<double> ticks(double low, double high, int count) {
  const double step = round_step(high - low, count);
  std::vector<double> values;
  const double first = std::ceil(low / step);
  for (int i = 0; i <= 2 * count && (first + i) * step <= high + step * 1e-9; ++i)
    values.push_back((first + i) * step + 0.0);
  return values;
}

constexpr const char* frame_colour = "#555";
constexpr const char* grid_colour = "#e4e4e4";

}  // namespace

Svg::Svg(double width, double height)
    : body_(
          fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
                      "font-family=\"sans-serif\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                      width, height)) {}

void Svg::line(Point from, Point to, const std::string& colour, double width) {
  body_ +=
      fmt::format("<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"{}\" stroke-width=\"{}\"/>\n",
                  from.x, from.y, to.x, to.y, colour, width);
}

void Svg::polyline(const std::vector<Point>& points, const std::string& colour, double width) {
  std::string list;
  for (const Point& point : points) list += fmt::format("{:.2f},{:.2f} ", point.x, point.y);
  body_ +=
      fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n", list, colour, width);
}

void Svg::box(Point corner, double width, double height, const std::string& colour, const std::string& tip) {
  body_ += fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\">", corner.x,
                       corner.y, width, height, colour);
  if (!tip.empty()) body_ += fmt::format("<title>{}</title>", escaped(tip));
  body_ += "</rect>\n";
}

void Svg::text(Point at, const std::string& text, Anchor anchor, double size, double degrees) {
  constexpr const char* anchors[] = {"start", "middle", "end"};
  body_ += fmt::format("<text x=\"{0:.2f}\" y=\"{1:.2f}\" text-anchor=\"{2}\" font-size=\"{3}\"", at.x, at.y,
                       anchors[static_cast<int>(anchor)], size);
  if (degrees != 0) body_ += fmt::format(" transform=\"rotate({} {:.2f} {:.2f})\"", degrees, at.x, at.y);
  body_ += fmt::format(">{}</text>\n", escaped(text));
}

Axes::Axes(Svg& svg, Point corner, double width, double height, Point low, Point high)
    : svg_(svg), corner_(corner), width_(width), height_(height), low_(low), high_(high) {}

Point Axes::at(double x, double y) const {
  return {corner_.x + (x - low_.x) / (high_.x - low_.x) * width_,
          corner_.y + (high_.y - y) / (high_.y - low_.y) * height_};
}

void Axes::ticks_x(int count) {
  svg_.line({corner_.x, corner_.y + height_}, {corner_.x + width_, corner_.y + height_}, frame_colour);
  for (const double value : ticks(low_.x, high_.x, count)) {
    const Point foot = at(value, low_.y);
    svg_.line(foot, {foot.x, foot.y + 4}, frame_colour);
    svg_.text({foot.x, foot.y + 17}, fmt::format("{:.6g}", value), Svg::Anchor::middle, 11);
  }
}

void Axes::ticks_y(int count) {
  for (const double value : ticks(low_.y, high_.y, count)) {
    const Point foot = at(low_.x, value);
    svg_.line(foot, {corner_.x + width_, foot.y}, grid_colour);
    svg_.text({foot.x - 6, foot.y + 4}, fmt::format("{:.6g}", value), Svg::Anchor::end, 11);
  }
  svg_.line(corner_, {corner_.x, corner_.y + height_}, frame_colour);
}

void Axes::label_x(const std::string& text) {
  svg_.text({corner_.x + width_ / 2, corner_.y + height_ + 34}, text, Svg::Anchor::middle);
}

void Axes::label_y(const std::string& text) {
  svg_.text({corner_.x - 52, corner_.y + height_ / 2}, text, Svg::Anchor::middle, 12, -90);
}

}  // namespace lpa::cli

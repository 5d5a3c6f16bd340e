// Drawings as SVG text.
#pragma once

#include <string>
#include <vector>

namespace lpa::cli {

struct Point {
  double x = 0, y = 0;
};

/// A drawing on a white page; coordinates in pixels, y downwards.
class Svg {
 public:
  Svg(double width, double height);

  void line(Point from, Point to, const std::string& colour, double width = 1);
  void polyline(const std::vector<Point>& points, const std::string& colour, double width = 1.5);
  /// `tip`: what a browser shows when the pointer is over it.
  void box(Point corner, double width, double height, const std::string& colour, const std::string& tip = {});
  enum class Anchor { start, middle, end };
  /// `degrees`: clockwise, about `at`.
  void text(Point at, const std::string& text, Anchor anchor = Anchor::start, double size = 12, double degrees = 0);

  std::string finish() const { return body_ + "</svg>\n"; }

 private:
  std::string body_;
};

/// A frame with ticks into which data are drawn.
class Axes {
 public:
  /// The data's range must not be empty.
  Axes(Svg& svg, Point corner, double width, double height, Point low, Point high);

  Point at(double x, double y) const;
  /// About so many round numbers along either axis.
  void ticks_x(int count);
  void ticks_y(int count);
  void label_x(const std::string& text);
  void label_y(const std::string& text);

 private:
  Svg& svg_;
  Point corner_;
  double width_, height_;
  Point low_, high_;
};

}  // namespace lpa::cli

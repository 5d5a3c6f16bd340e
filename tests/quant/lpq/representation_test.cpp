#include "quant/lpq/representation.h"

#include <array>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace lpa::lpq {
namespace {

/// Values of the given shapes; no nodes.
workloads::Network values_of(const std::vector<workloads::Shape>& shapes) {
  workloads::Network network;
  for (const workloads::Shape& shape : shapes) network.values.push_back({"value", shape});
  return network;
}

std::vector<float> random_data(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::gamma_distribution<float> skewed(1.5f);
  std::vector<float> data(count);
  for (float& x : data) x = skewed(random);
  return data;
}

/// By the raw moments, which the implementation does not use.
double kurtosis_by_moments(const std::vector<float>& x) {
  const auto n = static_cast<double>(x.size());
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (const double v : x) {
    m1 += v / n;
    m2 += v * v / n;
    m3 += v * v * v / n;
    m4 += v * v * v * v / n;
  }
  const double variance = m2 - m1 * m1;
  const double fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1;
  return fourth / (variance * variance) - 3;
}

TEST(Representation, PoolsChannelsByTheirKurtosis) {
  for (const auto& [channels, height, width] : {std::array{5, 4, 7}, {37, 9, 13}, {16, 4, 4}, {1, 1, 3}, {33, 1, 2}}) {
    const int positions = height * width;
    const workloads::Network network = values_of({{1, channels, height, width}, {1, positions, channels}});
    const Representation representation(network, {0, 1}, Pooling::kurtosis);
    const auto c_size = static_cast<std::size_t>(channels), p_size = static_cast<std::size_t>(positions);
    ASSERT_EQ(representation.begins(), (std::vector<std::size_t>{0, c_size, 2 * c_size}));
    const std::vector<float> data = random_data(c_size * p_size, 3);
    std::vector<float> transposed(data.size());
    for (std::size_t c = 0; c < c_size; ++c) {
      for (std::size_t p = 0; p < p_size; ++p) transposed[p * c_size + c] = data[c * p_size + p];
    }
    std::vector<float> features(2 * c_size, -1);
    representation.pool(0, data, features);
    representation.pool(1, transposed, features);
    for (std::size_t c = 0; c < c_size; ++c) {
      const auto first = data.begin() + static_cast<std::ptrdiff_t>(c * p_size);
      const double expected = kurtosis_by_moments({first, first + positions});
      EXPECT_NEAR(features[c], expected, 1e-3) << channels << " channels, " << positions << " positions";
      EXPECT_NEAR(features[c_size + c], features[c], 1e-4) << "the same channel, stored with channels last";
    }
  }
}

TEST(Representation, AConstantChannelGivesZero) {
  const workloads::Network network = values_of({{1, 3, 2, 2}});
  const Representation representation(network, {0}, Pooling::kurtosis);
  std::vector<float> features(3, -1);
  representation.pool(0, std::vector<float>{0, 0, 0, 0, 5, 5, 5, 5, 1e-30f, 0, 0, 0}, features);
  EXPECT_EQ(features[0], 0);
  EXPECT_EQ(features[1], 0);
  EXPECT_TRUE(std::isfinite(features[2]));
}

TEST(Representation, WhatIsNotANumberIsNotTakenForAConstant) {
  const workloads::Network network = values_of({{1, 2, 3, 1}});
  const Representation representation(network, {0}, Pooling::kurtosis);
  std::vector<float> features(2);
  representation.pool(0, std::vector<float>{NAN, 1, 1, 2, INFINITY, 2}, features);
  EXPECT_TRUE(std::isnan(features[0]));
  EXPECT_TRUE(std::isnan(features[1]));
}

TEST(Representation, MeansAreMeans) {
  const workloads::Network network = values_of({{1, 2, 2, 1}});
  const Representation representation(network, {0}, Pooling::mean);
  std::vector<float> features(2);
  representation.pool(0, std::vector<float>{1, 2, 3, 5}, features);
  EXPECT_EQ(features, (std::vector<float>{1.5f, 4}));
}

TEST(Representation, ASinglePositionStaysAsItIsAndOtherValuesAreIgnored) {
  const workloads::Network network = values_of({{1, 4}, {1, 9}, {1, 3, 1, 1}});
  const Representation representation(network, {2, 0}, Pooling::kurtosis);
  EXPECT_EQ(representation.size(), 7u);
  std::vector<float> features(7, -1);
  representation.pool(0, std::vector<float>{1, 2, 3, 4}, features);
  representation.pool(1, std::vector<float>(9, 7), features);
  representation.pool(2, std::vector<float>{5, 6, 7}, features);
  EXPECT_EQ(features, (std::vector<float>{5, 6, 7, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace lpa::lpq

#include "quant/lpq/objective.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using ::testing::HasSubstr;
using workloads::testing::message_of;

const std::vector<std::size_t> begins{0, 5, 8, 12};

Features random_features(std::size_t images, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Features features{images, begins.back(), {}};
  for (std::size_t i = 0; i < images * begins.back(); ++i) features.data.push_back(normal(random));
  return features;
}

Features mixed(const Features& a, const Features& b, float share) {
  Features sum = a;
  for (std::size_t i = 0; i < sum.data.size(); ++i) sum.data[i] += share * b.data[i];
  return sum;
}

/// Cross-entropy from cosines: each value's part of a vector has length 1, the vector the root of their number.
double contrastive(const Features& quantized, const Features& fp32, std::size_t first_value, double temperature) {
  const auto cosine = [&](std::size_t i, std::size_t j, std::size_t v) {
    double product = 0, a = 0, b = 0;
    for (std::size_t f = begins[v]; f < begins[v + 1]; ++f) {
      const double x = quantized.image(i)[f], y = fp32.image(j)[f];
      product += x * y;
      a += x * x;
      b += y * y;
    }
    return product / std::sqrt(a * b);
  };
  double loss = 0;
  for (std::size_t i = 0; i < fp32.images; ++i) {
    double sum = 0, own = 0;
    for (std::size_t j = 0; j < fp32.images; ++j) {
      double logit = 0;
      for (std::size_t v = first_value; v < 3; ++v) logit += cosine(i, j, v);
      logit /= static_cast<double>(3 - first_value) * temperature;
      sum += std::exp(logit);
      if (i == j) own = logit;
    }
    loss += 2 * temperature * (std::log(sum) - own);
  }
  return loss / static_cast<double>(fp32.images);
}

TEST(Loss, ContrastiveLossesEqualTheirDefinition) {
  const Features fp32 = random_features(9, 1), quantized = mixed(fp32, random_features(9, 2), 0.5f);
  for (const double temperature : {3.0, 0.3}) {
    EXPECT_NEAR(Loss(Objective::global_local, temperature, begins, fp32)(quantized),
                contrastive(quantized, fp32, 0, temperature), 1e-5);
    EXPECT_NEAR(Loss(Objective::global, temperature, begins, fp32)(quantized),
                contrastive(quantized, fp32, 2, temperature), 1e-5);
  }
}

TEST(Loss, OutputLossesEqualTheirDefinition) {
  Features fp32{2, 12, std::vector<float>(24)}, quantized = fp32;
  fp32.image(0)[8] = 1;  // The output is features 8 to 11.
  quantized.image(0)[0] = 100;
  quantized.image(1)[9] = 2;
  const double p = std::exp(1.0) / (std::exp(1.0) + 3), rest = 1 / (std::exp(1.0) + 3);
  const double first = p * std::log(p / 0.25) + 3 * rest * std::log(rest / 0.25);
  const double second = std::log((std::exp(2.0) + 3) / 4) - 2 * 0.25;
  EXPECT_NEAR(Loss(Objective::kl, 1, begins, fp32)(quantized), (first + second) / 2, 1e-6);
  EXPECT_NEAR(Loss(Objective::mse, 1, begins, fp32)(quantized), (1.0 / 4 + 4.0 / 4) / 2, 1e-6);
}

TEST(Loss, GrowsWithTheDifference) {
  const Features fp32 = random_features(20, 1), noise = random_features(20, 2);
  for (const Objective objective : {Objective::global_local, Objective::global, Objective::kl, Objective::mse}) {
    const Loss loss(objective, 0.3, begins, fp32);
    double last = loss(fp32);
    for (const float share : {0.2f, 0.5f, 1.0f, 2.0f}) {
      const double next = loss(mixed(fp32, noise, share));
      EXPECT_GT(next, last);
      last = next;
    }
  }
}

TEST(Loss, OfWhatIsNotANumberIsTheWorst) {
  const Features fp32 = random_features(3, 1);
  Features quantized = fp32;
  quantized.image(1)[10] = std::numeric_limits<float>::quiet_NaN();
  for (const Objective objective : {Objective::global_local, Objective::global, Objective::kl, Objective::mse}) {
    EXPECT_EQ(Loss(objective, 1, begins, fp32)(quantized), Loss::worst);
  }
}

TEST(Loss, VectorsOfZerosAreNoError) {
  Features fp32 = random_features(3, 1);
  std::ranges::fill(fp32.image(1), 0.0f);
  EXPECT_TRUE(std::isfinite(Loss(Objective::global_local, 1, begins, fp32)(fp32)));
}

TEST(Loss, RefusesImagesThatTellNothing) {
  const auto error = [](const Features& fp32) {
    return message_of<workloads::InputError>([&] { Loss(Objective::global_local, 1, begins, fp32); });
  };
  EXPECT_THAT(error(random_features(1, 1)), HasSubstr("at least 2 calibration images"));
  Features same = random_features(3, 1);
  for (const std::size_t i : {1u, 2u}) std::ranges::copy(same.image(0), same.image(i).begin());
  EXPECT_THAT(error(same), HasSubstr("look alike"));
  EXPECT_NO_THROW(Loss(Objective::kl, 1, begins, same));
}

}  // namespace
}  // namespace lpa::lpq

#include "quant/lpq/evaluate.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "quant/lpq/fit.h"
#include "quant/lpq/software_machine.h"
#include "tests/quant/lpq/small_network.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using workloads::InputError;

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    for (int i = 0; i < 8; ++i) calibration_.push_back(dataset_.image(i));
    model_ = fit(network_, graph_, calibration_, {});
  }

  const workloads::Network network_ = testing::make_small_network(1);
  const workloads::LayerGraph graph_ = workloads::lower(network_);
  const workloads::Dataset dataset_ = testing::make_small_dataset(3, 40);
  std::vector<workloads::Tensor> calibration_;
  QuantizedModel model_;
};

TEST_F(Evaluate, GivesTheSoftwareMachinesLabelsAndEvents) {
  formats::Arithmetic arithmetic = formats::arithmetic_preset("poster");
  arithmetic.aligned[0] = {.integer_bits = 3, .fraction_bits = 5};  // so that sums saturate
  const SoftwareMachine machine(graph_, model_, arithmetic);
  formats::AccumulateEvents events;
  std::vector<int> labels;
  int hits = 0;
  for (int i = 0; i < 30; ++i) {
    const WordMap logits = machine.run_to_end(quantize_input(dataset_.image(i), model_.input), &events);
    labels.push_back(argmax(logits, model_.layers.back().output));
    hits += labels.back() == dataset_.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  EXPECT_GT(events.saturations, 0U);
  for (const int threads : {1, 3}) {
    const Evaluation evaluation = evaluate(graph_, model_, arithmetic, dataset_, 30, threads);
    EXPECT_EQ(evaluation.images, 30);
    EXPECT_EQ(evaluation.predicted, labels);
    EXPECT_EQ(evaluation.hits, hits);
    EXPECT_DOUBLE_EQ(evaluation.top1(), hits / 30.0);
    EXPECT_EQ(evaluation.events.saturations, events.saturations);
    EXPECT_EQ(evaluation.events.nar_products, 0U);
  }
}

TEST_F(Evaluate, GivesTheExecutorsLabelsInFp32) {
  workloads::Executor executor(network_);
  std::vector<int> labels;
  for (int i = 0; i < 40; ++i) {
    const auto logits = executor.run(dataset_.image(i)).data;
    labels.push_back(static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  EXPECT_EQ(evaluate_fp32(network_, dataset_, 40, 1).predicted, labels);
  EXPECT_EQ(evaluate_fp32(network_, dataset_, 40, 3).predicted, labels);
}

TEST_F(Evaluate, RejectsMoreImagesThanThereAreAndOtherShapes) {
  const auto wide = formats::arithmetic_preset("wide");
  EXPECT_THROW(evaluate(graph_, model_, wide, dataset_, 41, 1), InputError);
  EXPECT_THROW(evaluate_fp32(network_, dataset_, 41, 1), InputError);
  workloads::Dataset other = dataset_;
  other.height = 4;
  other.width = 16;
  EXPECT_THROW(evaluate(graph_, model_, wide, other, 1, 1), InputError);
  EXPECT_EQ(evaluate(graph_, model_, wide, dataset_, 0, 1).top1(), 0.0);
}

TEST_F(Evaluate, CanBeCancelled) {
  CancelFlag cancel{true};
  EXPECT_THROW(evaluate(graph_, model_, formats::arithmetic_preset("wide"), dataset_, 4, 2, {}, &cancel), Cancelled);
  EXPECT_THROW(evaluate_fp32(network_, dataset_, 4, 2, {}, &cancel), Cancelled);
}

}  // namespace
}  // namespace lpa::lpq

#include "tools/lpasim/report.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lpa::cli {
namespace {

using nlohmann::ordered_json;

/// A layer of `macs` MACs whose array is busy for `busy` of `cycles` cycles.
driver::LayerResult layer(const std::string& name, int weight_bits, std::uint64_t macs, std::uint64_t busy,
                          std::uint64_t cycles) {
  driver::LayerResult result;
  result.name = name;
  result.op = weight_bits == 0 ? "MaxPool" : "Conv";
  result.weight_bits = weight_bits;
  result.activation_bits = weight_bits == 0 ? 0 : 8;
  result.weight_format = weight_bits == 0 ? "" : "LP<8,1,3,-0.25>";
  result.activation_format = "LP<8,2,3,0>";
  result.output_format = "LP<8,2,3,0>";
  if (weight_bits != 0) {
    result.m = 10;
    result.n = 4;
    result.k = macs / 40;
  }
  result.counters.macs = macs;
  result.counters.cycles = cycles;
  result.counters.by_cause[static_cast<std::size_t>(hw::Cause::busy)] = busy;
  result.counters.by_cause[static_cast<std::size_t>(hw::Cause::ppu)] = cycles - busy;
  result.counters.array_span = 2 * busy;
  result.counters.dram_read_bytes = 100;
  result.counters.dram_write_bytes = 20;
  return result;
}

RunRecord record_of(std::vector<driver::LayerResult> layers) {
  RunRecord record;
  record.machine.array.rows = 4;
  record.machine.array.columns = 2;
  record.network = "net.onnx";
  record.quantized = std::string("Q");
  record.dataset = "data";
  record.images = 2;
  record.top1 = 0.5;
  record.top1_fp32 = 1.0;
  record.wall_seconds = 0.5;
  for (const auto& result : layers) record.result.total += result.counters;
  record.result.layers = std::move(layers);
  return record;
}

TEST(Report, UtilizationOfALayerIsSpatialTimesTemporal) {
  // 4 x 2 PEs with one lane each: 8 lanes; 50 busy cycles offer 400 MACs.
  const ordered_json report = build_report(record_of({layer("conv", 8, 200, 50, 200)}));
  const ordered_json& use = report["layers"][0]["utilization"];
  EXPECT_DOUBLE_EQ(use["spatial"], 0.5);
  EXPECT_DOUBLE_EQ(use["temporal"], 0.25);
  EXPECT_DOUBLE_EQ(use["overall"], 200.0 / (200 * 8));
}

TEST(Report, PackedWeightsCountAllTheirLanes) {
  const ordered_json report = build_report(record_of({layer("conv", 2, 800, 50, 50)}));
  EXPECT_DOUBLE_EQ(report["layers"][0]["utilization"]["spatial"], 800.0 / (50 * 8 * 4));
}

TEST(Report, TotalsWeighEveryLayerWithItsLanes) {
  const ordered_json report =
      build_report(record_of({layer("a", 8, 400, 50, 100), layer("b", 4, 400, 50, 50), layer("c", 0, 0, 0, 50)}));
  const ordered_json& use = report["totals"]["utilization"];
  EXPECT_DOUBLE_EQ(use["spatial"], 800.0 / (50 * 8 + 50 * 16));
  EXPECT_DOUBLE_EQ(use["temporal"], 0.5);
  EXPECT_DOUBLE_EQ(use["overall"], use["spatial"].get<double>() * 0.5);
}

TEST(Report, ALayerWithoutArrayHasNoUtilization) {
  const ordered_json report = build_report(record_of({layer("pool", 0, 0, 0, 50)}));
  for (const char* key : {"spatial", "temporal", "overall"}) {
    EXPECT_EQ(report["layers"][0]["utilization"][key], 0.0);
    EXPECT_EQ(report["totals"]["utilization"][key], 0.0);
  }
}

TEST(Report, CausesSumToTheCycles) {
  const ordered_json report = build_report(record_of({layer("a", 8, 40, 30, 100), layer("b", 0, 0, 0, 7)}));
  const auto sum = [](const ordered_json& part) {
    std::uint64_t cycles = 0;
    for (const auto& cause : part["cycles_by_cause"]) cycles += cause.get<std::uint64_t>();
    return cycles;
  };
  EXPECT_EQ(sum(report["totals"]), 107U);
  EXPECT_EQ(report["totals"]["cycles"], 107U);
  EXPECT_EQ(sum(report["layers"][0]), 100U);
}

TEST(Report, TimeFollowsFromTheClock) {
  RunRecord record = record_of({layer("a", 8, 40, 30, 1000)});
  record.machine.clock_mhz = 250;
  const ordered_json report = build_report(record);
  EXPECT_DOUBLE_EQ(report["totals"]["time_ms"], 0.004);
  EXPECT_DOUBLE_EQ(report["totals"]["cycles_per_image"], 500);
  EXPECT_DOUBLE_EQ(report["simulator"]["simulated_cycles_per_second"], 2000);
}

TEST(Report, TheArraysSpanIsThatOfEachLayerAndTheirSum) {
  const ordered_json report = build_report(record_of({layer("a", 8, 40, 30, 100), layer("p", 0, 0, 0, 5)}));
  EXPECT_EQ(report["layers"][0]["array_span"], 60);
  EXPECT_EQ(report["layers"][1]["array_span"], 0);
  EXPECT_EQ(report["totals"]["array_span"], 60);
  EXPECT_THAT(layers_csv(report), testing::HasSubstr(",array_span,"));
}

TEST(Report, HardwareHoldsEveryParameterAsTypedValue) {
  const ordered_json report = build_report(record_of({layer("a", 8, 40, 30, 100)}));
  EXPECT_EQ(report["hardware"].size(), hw::machine_parameters().size());
  EXPECT_EQ(report["hardware"]["array.rows"], 4);
  EXPECT_EQ(report["hardware"]["array.double_buffer_weights"], true);
  EXPECT_EQ(report["hardware"]["psum.preset"], "wide");
}

TEST(Report, EnergySumsToTheTotals) {
  RunRecord record = record_of({layer("a", 8, 40, 30, 100), layer("b", 4, 80, 30, 90), layer("p", 0, 0, 0, 5)});
  record.result.layers[0].counters.active_products = 11;
  const ordered_json report = build_report(record);
  for (const auto& [part, total] : report["totals"]["energy_pj"].items()) {
    double sum = 0;
    for (const ordered_json& layer : report["layers"]) sum += layer["energy_pj"][part].get<double>();
    EXPECT_NEAR(sum, total.get<double>(), 1e-9 * sum) << part;
  }
  for (const ordered_json& layer : report["layers"]) {
    double sum = 0;
    for (const auto& [part, energy] : layer["energy_pj"].items()) sum += part == "total" ? 0 : energy.get<double>();
    EXPECT_DOUBLE_EQ(sum, layer["energy_pj"]["total"].get<double>());
  }
  const ordered_json& area = report["area_mm2"];
  EXPECT_DOUBLE_EQ(area["compute"].get<double>(), area["pe"].get<double>() + area["decoders"].get<double>());
}

TEST(Report, EfficiencyIsOfTwoOperationsAMac) {
  const ordered_json report = build_report(record_of({layer("a", 8, 4000, 30, 100), layer("p", 0, 0, 0, 5)}));
  const ordered_json& part = report["layers"][0];
  EXPECT_DOUBLE_EQ(part["efficiency"]["gops"], 8000 / 200.0) << "100 cycles of 2 ns";
  EXPECT_DOUBLE_EQ(part["efficiency"]["tops_per_w"], 8000 / part["energy_pj"]["total"].get<double>());
  EXPECT_DOUBLE_EQ(part["efficiency"]["tops_per_mm2"], 0.04 / report["area_mm2"]["compute"].get<double>());
  EXPECT_EQ(report["layers"][1]["efficiency"]["gops"], 0);
  EXPECT_EQ(report["layers"][1]["efficiency"]["tops_per_w"], 0);
}

TEST(Report, LeavesOutWhatWasNotComputed) {
  RunRecord record = record_of({layer("a", 8, 40, 30, 100)});
  record.values = false;
  record.top1.reset();
  record.top1_fp32.reset();
  const ordered_json report = build_report(record);
  EXPECT_FALSE(report.contains("accuracy"));
  EXPECT_EQ(report["simulator"]["values"], false);
  for (const char* key : {"saturations", "nar_products", "active_products"}) {
    EXPECT_FALSE(report["totals"].contains(key));
    EXPECT_FALSE(report["layers"][0].contains(key));
  }
  EXPECT_THAT(layers_csv(report), testing::Not(testing::HasSubstr("saturations")));
  EXPECT_THAT(report_text(report),
              testing::Not(testing::AnyOf(testing::HasSubstr("top-1"), testing::HasSubstr("NaR"))));
  EXPECT_THAT(report_text(report), testing::HasSubstr("fast model without values"));
}

TEST(LayersCsv, HasAHeaderAndALineForEachLayer) {
  const std::string csv =
      layers_csv(build_report(record_of({layer("a", 8, 400, 50, 100), layer("b", 4, 400, 50, 50)})));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_THAT(csv, testing::StartsWith("name,op,m,n,k,groups,weight_format,"));
  EXPECT_THAT(csv, testing::HasSubstr(",cycles_by_cause.busy,"));
  EXPECT_THAT(csv, testing::HasSubstr(",dram_bytes.read,"));
}

TEST(LayersCsv, QuotesWhatHoldsCommasOrQuotes) {
  const std::string csv = layers_csv(build_report(record_of({layer("a\"b", 8, 400, 50, 100)})));
  EXPECT_THAT(csv, testing::HasSubstr("\r\n\"a\"\"b\",Conv,10,4,10,1,\"LP<8,1,3,-0.25>\","));
}

TEST(ReportText, ShowsLayersTotalsAndBothAccuracies) {
  const std::string text =
      report_text(build_report(record_of({layer("conv_a", 8, 200, 50, 200), layer("p", 0, 0, 0, 5)})));
  EXPECT_THAT(text, testing::HasSubstr("conv_a"));
  EXPECT_THAT(text, testing::HasSubstr("10x4x5"));
  EXPECT_THAT(text, testing::HasSubstr("LP<8,1,3,-0.25>"));
  EXPECT_THAT(text, testing::HasSubstr("fill_drain"));
  EXPECT_THAT(text, testing::HasSubstr("2 images, 205 cycles (102 an image)"));
  EXPECT_THAT(text, testing::HasSubstr("top-1: 50.0 % on the simulated machine, 100.0 % in fp32"));
}

}  // namespace
}  // namespace lpa::cli

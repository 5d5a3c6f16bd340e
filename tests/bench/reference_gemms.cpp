#include "tests/bench/reference_gemms.h"

#include <algorithm>
#include <chrono>
#include <omp.h>
#include <vector>

#include <dnnl.hpp>

namespace lpa::test {
namespace {

using dnnl::memory;
using workloads::Layer;

/// A batch of plain matrices.
memory::desc matrices(std::int64_t count, std::int64_t rows, std::int64_t columns) {
  return {{count, rows, columns}, memory::data_type::f32, memory::format_tag::abc};
}

}  // namespace

double reference_gemms_seconds(const workloads::LayerGraph& graph) {
  omp_set_num_threads(1);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::chrono::steady_clock::duration total{};
  for (const Layer& layer : graph.layers) {
    if (!layer.uses_array()) continue;
    const std::int64_t count = layer.product_count();
    const memory::desc a = matrices(count, layer.m(), layer.k());
    const memory::desc b = matrices(count, layer.k(), layer.n());
    const memory::desc c = matrices(count, layer.m(), layer.n());
    const dnnl::matmul product(dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), engine));
    std::vector<float> data_a(a.get_size() / sizeof(float), 1.0f);
    std::vector<float> data_b(b.get_size() / sizeof(float), 1.0f);
    std::vector<float> data_c(c.get_size() / sizeof(float));
    const auto start = std::chrono::steady_clock::now();
    product.execute(stream, {{DNNL_ARG_SRC, memory(a, engine, data_a.data())},
                             {DNNL_ARG_WEIGHTS, memory(b, engine, data_b.data())},
                             {DNNL_ARG_DST, memory(c, engine, data_c.data())}});
    stream.wait();
    total += std::chrono::steady_clock::now() - start;
  }
  return std::chrono::duration<double>(total).count();
}

}  // namespace lpa::test

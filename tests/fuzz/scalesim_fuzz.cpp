// Any bytes as a topology of SCALE-Sim: an InputError, or layers that are a trace unless they are too large.
#include "tests/fuzz/memory_file.h"
#include "traces/excerpt.h"
#include "traces/recipe.h"
#include "traces/scalesim.h"
#include "workloads/input_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lpa::traces;
  const lpa::testing::MemoryFile file(data, size);
  try {
    Trace trace = independent_layers("fuzz.csv", read_scalesim_topology(file.path()));
    apply_recipe(trace, Recipe::mixed);
    check_trace(trace);
  } catch (const lpa::workloads::InputError&) {
  } catch (const TraceFault&) {
  }
  return 0;
}

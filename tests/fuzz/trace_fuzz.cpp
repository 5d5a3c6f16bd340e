// Any bytes as a trace: an InputError, or a trace that is written as it was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "traces/excerpt.h"
#include "traces/trace.h"
#include "workloads/input_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lpa::traces;
  try {
    const Trace trace = parse_trace("fuzz.json", {reinterpret_cast<const char*>(data), size});
    const std::string text = trace_text(trace);
    if (trace_text(parse_trace("copy.json", text)) != text) std::abort();
    check_trace(excerpt(trace, trace.layers.size() / 2, trace.layers.size()));
  } catch (const lpa::workloads::InputError&) {
  }
  return 0;
}

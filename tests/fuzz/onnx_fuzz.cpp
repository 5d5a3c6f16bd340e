// Any bytes as an ONNX network: an InputError, or layers of the machine.
#include "tests/fuzz/memory_file.h"
#include "workloads/input_error.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const lpa::testing::MemoryFile file(data, size);
  try {
    lpa::workloads::lower(lpa::workloads::import_onnx(file.path()));
  } catch (const lpa::workloads::InputError&) {
  }
  return 0;
}

// The parameters of one LPA machine: everything that decides its timing and its arithmetic. Validated once, then
// passed by const reference.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw_model/config_error.h"
#include "hw_model/datapath/stages.h"
#include "hw_model/datapath/word.h"
#include "hw_model/memory/dram_config.h"
#include "quant/formats/arithmetic.h"
#include "quant/formats/number_system.h"

namespace lpa::hw {

struct ArrayConfig {
  int rows = 8;                       ///< R: inputs (k) of a tile.
  int columns = 8;                    ///< C: a tile has C * (8 / weight bits) outputs (n).
  bool double_buffer_weights = true;  ///< Load the next tile's weights while this one streams.
  bool fold_overlap = true;           ///< A tile may enter the array while another one is in it.
  bool pack_inputs = false;  ///< A PE takes 8 / activation bits inputs at a time, one word of each weight for each.
  datapath::Stages stages;

  /// Inputs that a PE takes at a time, for an activation width of 8, 4 or 2 bits.
  int inputs(int activation_bits) const { return pack_inputs ? 8 / activation_bits : 1; }
  int latency() const { return stages.latency(rows, columns); }  ///< From a bundle to its sums: see Stages.
};

/// One on-chip SRAM, used as two halves.
struct BufferConfig {
  int kib = 128;        ///< Capacity of both halves together, KiB.
  int port_bytes = 64;  ///< Bytes per access and cycle.
  int ports = 2;        ///< Of each half: 2 reads and writes in one cycle, 1 does either.

  std::int64_t half_bytes() const { return std::int64_t{kib} * 1024 / 2; }
  /// Accesses that move `bytes` bytes through the port.
  std::int64_t accesses(std::int64_t bytes) const { return (bytes + port_bytes - 1) / port_bytes; }
};

struct DmaConfig {
  int burst_bytes = 64;  ///< Largest transaction.
  int outstanding = 64;  ///< Transactions in flight per engine.
};

enum class MemoryType {
  ideal,  ///< A fixed latency and a bandwidth that all transactions share.
  dram    ///< As MachineConfig::dram says.
};

struct MemoryConfig {
  MemoryType type = MemoryType::ideal;
  int latency = 40;          ///< Ideal: cycles from the request to the first data.
  int bytes_per_cycle = 16;  ///< Ideal: 8 GB/s at 500 MHz.
  int mib = 256;             ///< Size, MiB.
};

struct PpuConfig {
  int lanes = 16;          ///< Elements per cycle.
  int parameter_kib = 32;  ///< Memory of its parameters.
};

/// What the PEs compute with.
enum class Datapath {
  lp,            ///< Logarithmic posits: LPA.
  ant,           ///< 4-bit int and flint, four PEs fusing to 8-bit int (Guo et al., MICRO 2022).
  bitfusion,     ///< Integers of 2-bit bricks (Sharma et al., ISCA 2018).
  adaptivfloat,  ///< adaptivfloat<8,4> (Tambe et al., DAC 2020).
  posit,         ///< posit<8,1>, and lanes of 4 and 2 bits as LPA has them.
  integer,       ///< 8-bit integers.
};

/// Random stalls of every interface inside the machine, for tests: results must not depend on them.
struct StallConfig {
  int permille = 0;  ///< Of 1000 cycles, how many each interface is closed in.
  int seed = 1;
};

struct MachineConfig {
  ArrayConfig array;
  Datapath datapath = Datapath::lp;
  std::array<bool, 3> weight_widths{true, true, true};  ///< Of weights, 8, 4 and 2 bits, that PEs take.
  int clock_mhz = 500;
  /// Width of r, and of u, in a lane of 2-bit weights; wider lanes have twice and four times as much, up to 16. No word
  /// depends on it, only area and energy: 10 bits hold every format with es <= 3; 4 are drawn in the published PE.
  int pe_log_bits = 10;
  BufferConfig weight_buffer{128, 64};
  BufferConfig input_buffer{256, 64};
  BufferConfig output_buffer{128, 64};
  DmaConfig dma;
  MemoryConfig memory;
  DramConfig dram;
  PpuConfig ppu;
  StallConfig stall;
  formats::Arithmetic arithmetic = formats::arithmetic_preset("wide");

  /// Throws ConfigError for the first parameter that is out of its range.
  void validate() const;

  /// The clock's period in ps, rounded: what every model of the machine keeps time with.
  std::uint64_t period_ps() const;
  /// What external memory can move at most, in bytes per cycle of the machine.
  double peak_memory_bytes() const;
  /// Whether PEs take weights of 8, 4 or 2 bits.
  bool takes(std::int64_t weight_bits) const { return weight_widths[weight_bits == 8 ? 0 : weight_bits == 4 ? 1 : 2]; }
  /// Whether PEs take activations of 8, 4 or 2 bits.
  bool takes_activations(std::int64_t bits) const {
    return datapath != Datapath::ant || !array.pack_inputs || bits >= 4;
  }
  /// What words are.
  formats::NumberSystem numbers() const;
  datapath::Multiplier multiplier() const;
  /// Weights per PE for a weight width of 8, 4 or 2 bits.
  static int pack(int weight_bits) { return 8 / weight_bits; }
  /// MACs per cycle of the whole array.
  int peak_macs(int weight_bits, int activation_bits = 8) const {
    return array.rows * array.columns * pack(weight_bits) * array.inputs(activation_bits);
  }
  /// Bytes that one raw partial sum takes in the output buffer: value, exponent (11 bits, aligned sums only), NaR flag.
  int psum_bytes(int weight_bits) const;
};

/// One named parameter. Names are those of the command line (--array.rows) and of configuration files ([array] rows).
struct Parameter {
  std::string name;
  std::string unit;         ///< "", "cycles", "KiB", ...
  std::string description;  ///< One line, with the legal range.
  std::function<std::string(const MachineConfig&)> get;
  /// Throws ConfigError if `text` is not of the parameter's type.
  std::function<void(MachineConfig&, const std::string& text)> set;
};

/// Every parameter, in the order in which they are listed. A preset comes before what it sets.
const std::vector<Parameter>& machine_parameters();

}  // namespace lpa::hw

// A memory of one's own: any TLM-2.0 target can stand where external memory does. This one has a near part, which
// answers after 20 ns, and a far part, which takes 300 ns. A matrix product runs once with its weights in the near part
// and once with them in the far part.
#include <cstdint>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw_model/driver/host.h"
#include "hw_model/driver/mapper.h"
#include "hw_model/driver/program.h"
#include "hw_model/machine.h"

namespace {

using lpa::formats::LpFormat;

class TwoPartMemory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<TwoPartMemory> machine{"machine"};
  tlm_utils::simple_target_socket<TwoPartMemory> host{"host"};

  static constexpr std::uint64_t far_begin = 0x80000;

  TwoPartMemory(const sc_core::sc_module_name& name, std::size_t bytes) : sc_module(name), bytes_(bytes) {
    machine.register_nb_transport_fw(this, &TwoPartMemory::nb_transport_fw);
    host.register_b_transport(this, &TwoPartMemory::b_transport);
  }

 private:
  /// The shortest answer that the base protocol allows: all is done on return, `delay` later. END_REQ, BEGIN_RESP and
  /// END_RESP never travel. A target that must answer later, or limit what is under way, returns TLM_ACCEPTED and calls
  /// nb_transport_bw.
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase&, sc_core::sc_time& delay) {
    access(payload);
    delay += sc_core::sc_time(payload.get_address() < far_begin ? 20 : 300, sc_core::SC_NS);
    return tlm::TLM_COMPLETED;
  }
  /// For the host, which loads and reads memory while simulated time stands still.
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) { access(payload); }

  void access(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    const std::uint64_t length = payload.get_data_length();
    if (length > bytes_.size() || address > bytes_.size() - length) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    if (payload.is_write()) std::memcpy(&bytes_[address], payload.get_data_ptr(), length);
    if (payload.is_read()) std::memcpy(payload.get_data_ptr(), &bytes_[address], length);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  std::vector<std::uint8_t> bytes_;
};

constexpr std::int64_t m = 24, n = 16, k = 8;
constexpr std::uint64_t descriptor_at = 0, input_at = 0x40000, output_at = 0x60000;
const LpFormat format{8, 1, 3, 0, lpa::formats::Regime::bounded};

std::uint8_t word(double value) {
  return static_cast<std::uint8_t>(lpa::formats::encode(format, value, lpa::formats::Rounding::nearest_log));
}

/// M x K by K x N in LP<8,1,3>.
lpa::hw::Descriptor product(const lpa::hw::MachineConfig& config, std::uint64_t weights_at) {
  lpa::hw::Descriptor d;
  d.weight = d.input = d.encoded = d.output = d.addend = {8, 1, 3, 0, 0};
  d.in_h = d.out_h = m;
  d.in_c = d.input_pitch = k;
  d.out_c = d.output_pitch = d.addend_pitch = n;
  d.weight_address = static_cast<std::int64_t>(weights_at);
  d.input_address = static_cast<std::int64_t>(input_at);
  d.output_address = static_cast<std::int64_t>(output_at);
  lpa::driver::map_layer(d, config, "product");
  return d;
}

/// All inputs 2, all weights 1: every output must be 2 K. Returns the cycles, or 0 if one is not.
std::uint64_t multiply(lpa::driver::Host& host, const lpa::hw::MachineConfig& config, std::uint64_t weights_at) {
  const lpa::hw::Descriptor layer = product(config, weights_at);
  const std::vector<lpa::formats::Word> weights(static_cast<std::size_t>(n * k), word(1));
  const std::vector<lpa::formats::BiasTerm> bias(static_cast<std::size_t>(n));
  host.write_memory(weights_at, lpa::driver::pack_weights(layer, config, weights.data(), bias.data()));
  host.write_memory(input_at, std::vector<std::uint8_t>(static_cast<std::size_t>(m * k), word(2)));
  const lpa::hw::Counters counters = host.run(descriptor_at, {layer});
  const auto outputs = host.read_memory(output_at, static_cast<std::size_t>(m * n));
  return outputs == std::vector<std::uint8_t>(outputs.size(), word(2 * k)) ? counters.cycles : 0;
}

}  // namespace

int sc_main(int, char**) {
  const lpa::hw::MachineConfig config;
  const sc_core::sc_time period(static_cast<double>(config.period_ps()), sc_core::SC_PS);
  sc_core::sc_clock clock("clock", period, 0.5, period);
  sc_core::sc_signal<bool> irq("irq");
  lpa::hw::Machine machine("machine", config);
  TwoPartMemory memory("memory", 1 << 20);
  std::uint64_t near = 0, far = 0;
  lpa::driver::Host host("host", [&](lpa::driver::Host& self) {
    near = multiply(self, config, 0x10000);
    far = multiply(self, config, TwoPartMemory::far_begin);
  });
  machine.clk(clock);
  machine.irq(irq);
  machine.memory_socket().bind(memory.machine);
  host.irq(irq);
  host.memory.bind(memory.host);
  host.registers.bind(machine.control_socket());
  try {
    sc_core::sc_start();
    host.rethrow();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  fmt::print("{} x {} by {} x {}: {} cycles with near weights, {} with far ones\n", m, k, k, n, near, far);
  // 280 ns are 140 cycles, and the weights are fetched at once, before the array starts.
  if (near == 0 || far < near + 140) {
    fmt::print(stderr, "not what was expected\n");
    return 1;
  }
  return 0;
}

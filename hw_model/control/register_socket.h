// The machine's registers behind a TLM-2.0 target socket.
#pragma once

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw_model/control/controller_logic.h"

namespace lpa::hw {

/// Register accesses are loosely timed: 4 aligned bytes, no byte enables; anything else, a write to a read-only
/// register and a start while running get a TLM error response and change nothing.
class RegisterSocket : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<RegisterSocket> socket{"socket"};

  RegisterSocket(const sc_core::sc_module_name& name, ControllerLogic& logic);

  /// Called before an access looks at the controller, and after it has changed it.
  void on_access(std::function<void()> before, std::function<void()> after);

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  bool access(tlm::tlm_generic_payload& payload);

  ControllerLogic& logic_;
  std::function<void()> before_, after_;
};

}  // namespace lpa::hw

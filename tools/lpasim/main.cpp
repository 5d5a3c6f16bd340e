// lpasim: the command line. Its sub-commands live in files of their own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>

#include <fmt/format.h>
#include <systemc>

#include "hw_model/driver/simulation.h"
#include "hw_model/machine_config.h"
#include "quant/formats/format_error.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/version.h"
#include "workloads/input_error.h"

namespace {

using lpa::cli::Error;
using lpa::cli::ExitCode;
using lpa::cli::Words;

struct Entry {
  const char* name;
  const char* summary;
  ExitCode (*function)(const Words&);
  bool simulates;  ///< Needs the SystemC kernel.
};

constexpr Entry commands[] = {
    {"quantize", "choose number formats for a trained network and write its words", lpa::cli::quantize, true},
    {"report-quant", "draw the formats that were chosen, and the search that chose them", lpa::cli::report_quant,
     false},
    {"compare-formats", "compare number formats of equal width on a network's weights", lpa::cli::compare_formats,
     false},
    {"evaluate", "evaluate a quantized network in software, with the machine's arithmetic", lpa::cli::evaluate, false},
    {"run", "run a quantized network on the simulated machine, cycle by cycle", lpa::cli::run, true},
    {"import", "make a trace of a trained network", lpa::cli::import_trace, false},
    {"replay", "run a trace on the simulated machine, cycle by cycle", lpa::cli::replay, true},
    {"compare", "run traces on several machines and compare them", lpa::cli::compare, true},
    {"traces", "list the traces that come with the program", lpa::cli::list_traces, false},
    {"format", "print the words of a number format", lpa::cli::format, false},
    {"describe", "print the machine's parameters, peak throughput and buffers", lpa::cli::describe, false},
    {"costs", "print the machine's area, the energy of its actions and where they come from", lpa::cli::costs, false},
};

const Entry* find_command(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(commands), std::end(commands), [&](const Entry& entry) { return name == entry.name; });
  return found == std::end(commands) ? nullptr : found;
}

std::string general_help() {
  std::string text =
      "Usage: lpasim COMMAND [options]\n\n"
      "Cycle-accurate simulator of the Logarithmic-Posit Accelerator, with its quantizer.\n\nCommands:\n";
  for (const Entry& entry : commands) text += fmt::format("  {:<15} {}\n", entry.name, entry.summary);
  text += "\nlpasim COMMAND --help lists a command's options; lpasim --version prints the version.\n";
  return text;
}

[[noreturn]] void unknown_command(const std::string& name) {
  Words names;
  for (const Entry& entry : commands) names.emplace_back(entry.name);
  const std::string candidate = lpa::cli::nearest(name, names);
  throw Error(ExitCode::usage,
              fmt::format("unknown command '{}'{}", name,
                          candidate.empty() ? "; see lpasim --help" : fmt::format("; did you mean '{}'?", candidate)));
}

/// Runs `action` and turns whatever it throws into one line on stderr and an exit code.
int guarded(const std::function<ExitCode()>& action) {
  ExitCode code = ExitCode::failure;
  std::string message;
  try {
    code = action();
    if (std::fflush(stdout) != 0) throw Error(ExitCode::failure, "the output cannot be written");
  } catch (const Error& error) {
    code = error.code();
    message = error.what();
  } catch (const lpa::workloads::InputError& error) {
    code = ExitCode::input;
    message = error.what();
  } catch (const lpa::driver::MachineError& error) {
    code = ExitCode::machine;
    message = error.what();
  } catch (const lpa::hw::ConfigError& error) {
    code = ExitCode::usage;
    message = error.what();
  } catch (const lpa::formats::FormatError& error) {
    code = ExitCode::usage;
    message = error.what();
  } catch (const std::bad_alloc&) {
    message = "out of memory";
  } catch (const std::exception& error) {
    message = std::ferror(stdout) != 0 ? "the output cannot be written" : error.what();
  } catch (...) {
    message = "unknown error";
  }
  if (!message.empty()) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "lpasim: {}\n", message);
  }
  return static_cast<int>(code);
}

ExitCode dispatch(const Words& words) {
  if (words.empty()) throw Error(ExitCode::usage, "a command is missing; see lpasim --help");
  if (words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
    fmt::print("{}", general_help());
    return ExitCode::success;
  }
  if (words.front() == "--version") {
    fmt::print("lpasim {}\n", lpa::cli::version());
    return ExitCode::success;
  }
  const Entry* entry = find_command(words.front());
  if (entry == nullptr) unknown_command(words.front());
  return entry->function(Words(words.begin() + 1, words.end()));
}

}  // namespace

/// Entered by the SystemC kernel, with the arguments that main() got.
int sc_main(int argc, char** argv) {
  return guarded([&] { return dispatch(Words(argv + 1, argv + argc)); });
}

int main(int argc, char** argv) {
  const Entry* entry = argc > 1 ? find_command(argv[1]) : nullptr;
  if (entry == nullptr || !entry->simulates) {
    return guarded([&] { return dispatch(Words(argv + std::min(argc, 1), argv + argc)); });
  }
  return guarded([&] {
    setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    return static_cast<ExitCode>(sc_core::sc_elab_and_sim(argc, argv));
  });
}

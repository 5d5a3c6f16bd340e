// lpasim format: the words of a number format, to check a decoder by eye.
#include <cmath>

#include <fmt/format.h>

#include "quant/formats/number_format.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/table.h"

namespace lpa::cli {

ExitCode format(const Words& arguments) {
  const Command command{
      .name = "format",
      .summary =
          "Prints every word of a number format: LP<n,es,rs,sf>, posit<n,es>, adaptivfloat<n,e,bias>,\n"
          "int<n,scale>, pot<n,scale>, flint<n,scale> or lns<n,i>. Quote it: the shell knows < and >.",
      .options = {},
      .positional = "FORMAT"};
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const formats::NumberFormat format = formats::parse_number_format(options.text(command.positional));
  Table table({"word", "kind", "sign", "k", "e", "f", "log2|x|", "value"});
  for (const auto& word : formats::describe_words(format)) {
    const bool has_log = std::isfinite(word.value) && word.value != 0;
    table.add({word.bits, word.kind, word.sign, word.k, word.e, word.f,
               has_log ? fmt::format("{:.8g}", std::log2(std::abs(word.value))) : "-",
               std::isnan(word.value) ? "NaR" : fmt::format("{:.10g}", word.value)});
  }
  fmt::print("{}\n{}", formats::to_string(format), table.text());
  return ExitCode::success;
}

}  // namespace lpa::cli

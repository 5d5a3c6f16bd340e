#include "tools/lpasim/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/driver/scalesim_machine.h"
#include "tests/tools/lpasim/temporary_folder.h"
#include "tools/lpasim/error.h"

namespace lpa::cli {
namespace {

using Words = std::vector<std::string>;

Command test_command() {
  return {.name = "work",
          .summary = "Works.",
          .options = {{.name = "out", .placeholder = "DIR", .description = "where", .required = true},
                      {.name = "images", .placeholder = "N", .description = "how many", .fallback = "8"},
                      {.name = "model",
                       .placeholder = "MODEL",
                       .description = "which",
                       .kind = Option::Kind::value,
                       .required = false,
                       .fallback = "pin"},
                      {.name = "layer-bits",
                       .placeholder = "NAME=BITS",
                       .description = "bits",
                       .kind = Option::Kind::repeated},
                      {.name = "force", .placeholder = "", .description = "replace", .kind = Option::Kind::flag}},
          .machine = true};
}

/// The error that an action ends with, as "code: message".
template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + ": " + error.what();
  }
  return "no error";
}

std::string parse_error(const Words& words) {
  return error_of([&] { parse_arguments(test_command(), words); });
}

std::string machine_error(const Words& words) {
  return error_of([&] { static_cast<void>(parse_arguments(test_command(), words).machine()); });
}

TEST(Options, ValuesAndFlagsAreReadFromTheCommandLine) {
  const Arguments arguments = parse_arguments(test_command(), {"--out", "R", "--images=12", "--force"});
  EXPECT_EQ(arguments.text("out"), "R");
  EXPECT_EQ(arguments.integer("images", 1, 100), 12U);
  EXPECT_TRUE(arguments.flag("force"));
}

TEST(Options, AnOptionThatIsNotGivenHasItsDefault) {
  const Arguments arguments = parse_arguments(test_command(), {"--out", "R"});
  EXPECT_EQ(arguments.integer("images", 1, 100), 8U);
  EXPECT_FALSE(arguments.flag("force"));
  EXPECT_THAT(arguments.list("layer-bits"), testing::IsEmpty());
}

TEST(Options, ARepeatedOptionKeepsAllValuesInOrder) {
  const Arguments arguments =
      parse_arguments(test_command(), {"--layer-bits", "a=4", "--out", "R", "--layer-bits", "b=2"});
  const auto values = arguments.list("layer-bits");
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0].text, "a=4");
  EXPECT_EQ(values[1].text, "b=2");
}

TEST(Options, HelpWinsOverEverythingElse) {
  EXPECT_TRUE(parse_arguments(test_command(), {"--help"}).help());
  EXPECT_TRUE(parse_arguments(test_command(), {"--images", "3", "-h"}).help());
}

TEST(Options, AMisspeltOptionSuggestsTheNearest) {
  EXPECT_EQ(parse_error({"--out", "R", "--array.row", "16"}),
            "2: unknown option '--array.row'; did you mean '--array.rows'?");
  EXPECT_EQ(parse_error({"--imgaes=3", "--out", "R"}), "2: unknown option '--imgaes'; did you mean '--images'?");
  EXPECT_EQ(parse_error({"--hardwar", "x"}), "2: unknown option '--hardwar'; did you mean '--hardware'?");
}

TEST(Options, AnOptionThatResemblesNoneSuggestsTheHelp) {
  EXPECT_EQ(parse_error({"--zzzzzzzzzzzzzzzz"}), "2: unknown option '--zzzzzzzzzzzzzzzz'; see lpasim work --help");
}

TEST(Options, ABeginningOfAnOptionIsNotTheOption) {
  EXPECT_EQ(parse_error({"--out", "R", "--image", "3"}), "2: unknown option '--image'; did you mean '--images'?");
}

TEST(Options, AMissingOptionIsNamed) {
  EXPECT_EQ(parse_error({}), "2: work: option '--out DIR' is missing; see lpasim work --help");
}

TEST(Options, AMissingValueIsNamed) {
  EXPECT_THAT(parse_error({"--images", "3", "--out"}),
              testing::AllOf(testing::StartsWith("2: "), testing::HasSubstr("--out")));
}

TEST(Options, AnOptionGivenTwiceIsAnError) {
  EXPECT_EQ(parse_error({"--out", "R", "--out", "S"}), "2: option '--out' is given twice");
}

TEST(Options, AnUnexpectedArgumentIsNamed) {
  EXPECT_EQ(parse_error({"--out", "R", "stray"}), "2: unexpected argument 'stray'; see lpasim work --help");
}

TEST(Options, ANumberOutOfRangeSaysWhatWouldBeRight) {
  for (const char* text : {"0", "101", "-3", "x", "8x", "1e2", "99999999999999999999999"}) {
    const Arguments arguments = parse_arguments(test_command(), {"--out", "R", std::string("--images=") + text});
    EXPECT_EQ(error_of([&] { static_cast<void>(arguments.integer("images", 1, 100)); }),
              std::string("2: option '--images': '") + text + "' is not valid, expected a whole number from 1 to 100");
  }
}

TEST(Options, AChoiceListsWhatIsLegal) {
  const Arguments arguments = parse_arguments(test_command(), {"--out", "R", "--model", "slow"});
  EXPECT_EQ(error_of([&] {
              arguments.choice("model", {"pin", "fast"});
            }),
            "2: option '--model': 'slow' is not valid, expected pin, fast");
}

TEST(Options, AConfigurationFileTakesTheSameNames) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("run.ini", "# a comment\nout = R\nimages = 3  # three\nforce = on\n\n[array]\nrows = 16\n");
  const Arguments arguments = parse_arguments(test_command(), {"--config", file.string()});
  EXPECT_EQ(arguments.text("out"), "R");
  EXPECT_EQ(arguments.integer("images", 1, 100), 3U);
  EXPECT_TRUE(arguments.flag("force"));
  EXPECT_EQ(arguments.machine().array.rows, 16);
}

TEST(Options, TheShippedMachineOfScaleSimIsTheDrivers) {
  const Arguments arguments =
      parse_arguments(test_command(), {"--out", "R", "--hardware", LPA_CONFIGS "/scalesim_ws_32x32.ini"});
  const hw::MachineConfig machine = arguments.machine();
  for (const hw::Parameter& parameter : hw::machine_parameters()) {
    EXPECT_EQ(parameter.get(machine), parameter.get(driver::scalesim_machine(32, 32))) << parameter.name;
  }
}

TEST(Options, TheCommandLineWinsOverFiles) {
  const TemporaryFolder folder;
  const auto config = folder.write("run.ini", "out = R\nimages = 3\n[array]\ncolumns = 4\n");
  const auto hardware = folder.write("m.ini", "[array]\nrows = 16\ncolumns = 32\n");
  const Arguments arguments = parse_arguments(
      test_command(),
      {"--config", config.string(), "--hardware", hardware.string(), "--images", "5", "--array.rows", "2"});
  EXPECT_EQ(arguments.integer("images", 1, 100), 5U);
  EXPECT_EQ(arguments.machine().array.rows, 2);
  EXPECT_EQ(arguments.machine().array.columns, 4);
}

TEST(Options, APresetOfTheCommandLineWinsOverTheFilesWidths) {
  const TemporaryFolder folder;
  const auto hardware = folder.write("m.ini", "[psum]\nfraction_bits = 12\n");
  const Words words{"--out", "R", "--hardware", hardware.string()};
  EXPECT_EQ(parse_arguments(test_command(), words).machine().arithmetic.aligned[0].fraction_bits, 12);
  Words with_preset = words;
  with_preset.insert(with_preset.end(), {"--psum.preset", "poster"});
  EXPECT_EQ(parse_arguments(test_command(), with_preset).machine().arithmetic.aligned[0].fraction_bits, 8);
}

TEST(Options, EveryMachineParameterCanBeGivenBackAsItIsPrinted) {
  const hw::MachineConfig config;
  for (const auto& parameter : hw::machine_parameters()) {
    SCOPED_TRACE(parameter.name);
    const Arguments arguments =
        parse_arguments(test_command(), {"--out", "R", "--" + parameter.name, parameter.get(config)});
    EXPECT_EQ(parameter.get(arguments.machine()), parameter.get(config));
  }
}

TEST(Options, AMisspeltKeyNamesFileAndLine) {
  const TemporaryFolder folder;
  const auto file = folder.write("m.ini", "[array]\ncolumns = 8\n\nrow = 16\n");
  EXPECT_EQ(parse_error({"--out", "R", "--hardware", file.string()}),
            "3: " + file.string() + ":4: unknown key 'array.row'; did you mean 'array.rows'?");
}

TEST(Options, AHardwareFileTakesMachineParametersOnly) {
  const TemporaryFolder folder;
  const auto file = folder.write("m.ini", "images = 3\n");
  EXPECT_THAT(parse_error({"--out", "R", "--hardware", file.string()}),
              testing::StartsWith("3: " + file.string() + ":1: unknown key 'images'"));
}

TEST(Options, AConfigurationFileCannotNameAnother) {
  const TemporaryFolder folder;
  const auto file = folder.write("run.ini", "out = R\nhardware = m.ini\n");
  EXPECT_EQ(
      parse_error({"--config", file.string()}),
      "3: " + file.string() +
          ":2: unknown key 'hardware'; a configuration file cannot name another one, give it on the command line");
}

TEST(Options, ALineThatIsNoAssignmentNamesFileAndLine) {
  const TemporaryFolder folder;
  const auto file = folder.write("m.ini", "[array]\nrows = 16\nnonsense\n");
  EXPECT_EQ(parse_error({"--out", "R", "--hardware", file.string()}),
            "3: " + file.string() + ":3: 'nonsense' is not a '[section]' or 'key = value'");
}

TEST(Options, AKeyGivenTwiceNamesItsSecondLine) {
  const TemporaryFolder folder;
  const auto file = folder.write("m.ini", "[array]\nrows = 16\nrows = 8\n");
  EXPECT_EQ(parse_error({"--out", "R", "--hardware", file.string()}),
            "3: " + file.string() + ":3: 'array.rows' is given twice");
}

TEST(Options, AMissingFileIsNamed) {
  EXPECT_EQ(parse_error({"--out", "R", "--hardware", "/no/such.ini"}), "3: /no/such.ini: cannot be opened");
  EXPECT_EQ(parse_error({"--out", "R", "--hardware", "/"}), "3: /: is a folder, expected a configuration file");
}

TEST(Options, ABadMachineValueOfTheCommandLineIsAUsageError) {
  EXPECT_THAT(machine_error({"--out", "R", "--array.rows", "many"}),
              testing::StartsWith("2: option --array.rows = 'many': expected"));
  EXPECT_THAT(machine_error({"--out", "R", "--array.rows", "0"}),
              testing::StartsWith("2: option --array.rows = 0: expected"));
}

TEST(Options, ABadMachineValueOfAFileNamesFileAndLine) {
  const TemporaryFolder folder;
  for (const char* value : {"many", "0", ""}) {
    const auto file = folder.write("m.ini", std::string("[array]\ncolumns = 4\nrows = ") + value + "\n");
    EXPECT_THAT(machine_error({"--out", "R", "--hardware", file.string()}),
                testing::StartsWith("3: " + file.string() + ":3: 'array.rows'"));
  }
}

TEST(Options, TheSourceThatSetTheBadValueLastIsToBlame) {
  const TemporaryFolder folder;
  const auto file = folder.write("m.ini", "[array]\nrows = 0\n");
  EXPECT_EQ(machine_error({"--out", "R", "--hardware", file.string(), "--array.rows", "8"}), "no error");
  EXPECT_THAT(machine_error({"--out", "R", "--hardware", file.string(), "--array.columns", "8"}),
              testing::StartsWith("3: " + file.string()));
}

TEST(Options, ABadFlagInAFileSaysWhatWouldBeRight) {
  const TemporaryFolder folder;
  const auto file = folder.write("run.ini", "out = R\nforce = maybe\n");
  const Arguments arguments = parse_arguments(test_command(), {"--config", file.string()});
  EXPECT_EQ(error_of([&] { static_cast<void>(arguments.flag("force")); }),
            "3: " + file.string() + ":2: 'force': 'maybe' is not valid, expected on or off");
}

TEST(Options, APositionalArgumentIsTakenOnce) {
  const Command command{.name = "format", .summary = "", .options = {}, .positional = "FORMAT"};
  EXPECT_EQ(parse_arguments(command, {"LP<4,0,2,0>"}).text("FORMAT"), "LP<4,0,2,0>");
  EXPECT_EQ(error_of([&] { parse_arguments(command, {}); }), "2: format: FORMAT is missing; see lpasim format --help");
  EXPECT_EQ(error_of([&] {
              parse_arguments(command, {"a", "b"});
            }),
            "2: unexpected argument 'b'; see lpasim format --help");
}

TEST(Options, HelpListsEveryOption) {
  const std::string text = help_text(test_command());
  for (const char* name : {"--out DIR", "--images N", "--layer-bits NAME=BITS", "--force", "--hardware FILE",
                           "--config FILE", "--help", "(default 8)"}) {
    EXPECT_THAT(text, testing::HasSubstr(name));
  }
}

TEST(Nearest, PicksTheSmallestEditDistance) {
  const Words names{"rows", "columns", "row_major"};
  EXPECT_EQ(nearest("row", names), "rows");
  EXPECT_EQ(nearest("colums", names), "columns");
  EXPECT_EQ(nearest("rwos", names), "rows");  // A swap of neighbours is one edit.
  EXPECT_EQ(nearest("rows", names), "rows");
}

TEST(Nearest, IsEmptyIfNothingResembles) {
  EXPECT_EQ(nearest("zzzzzz", {"rows", "columns"}), "");
}

}  // namespace
}  // namespace lpa::cli

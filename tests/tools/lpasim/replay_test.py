"""lpasim import, replay and traces, end to end."""

import json
import os
import unittest

import jsonschema

from support import SOURCE, TinyRunTest

TOPOLOGY = ("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
            "Conv1, 11, 10, 3, 3, 4, 12, 2,\nDP2, 6, 6, 3, 3, 8, 1, 1,\n")
GEMMS = "Layer, M, N, K,\nfirst, 20, 12, 30,\nsecond, 7, 9, 40,\n"


class ReplayTest(TinyRunTest):
    schema = json.loads((SOURCE / "tools/lpasim/report.schema.json").read_text())

    def import_tiny(self, name, *arguments):
        trace = self.folder / name
        self.succeed("import", self.network, "--out", trace, *arguments)
        return trace

    def replay(self, trace, *arguments, out="R"):
        self.succeed("replay", trace, "--out", self.folder / out, *arguments)
        report = json.loads((self.folder / out / "report.json").read_text())
        jsonschema.validate(report, self.schema)
        return report

    @staticmethod
    def without_simulator(report):
        return {key: value for key, value in report.items() if key != "simulator"}

    def test_a_quantized_networks_trace_takes_the_runs_cycles_and_words(self):
        self.succeed(*self.arguments(images=1))
        run = self.report()
        trace = self.import_tiny("tiny.json", "--quantized", self.quantized, "--with-tensors")
        replay = self.replay(trace, "--check", out="T")
        self.assertEqual(replay["replay"], {"words": "file", "seed": 1})
        self.assertNotIn("accuracy", replay)
        for layer, other in zip(replay["layers"], run["layers"]):
            for key in ("name", "m", "n", "k", "cycles", "cycles_by_cause", "dram_bytes", "weight_format"):
                self.assertEqual(layer[key], other[key], msg=key)

    def test_the_same_seed_gives_the_same_report(self):
        trace = self.import_tiny("tiny.json", "--recipe", "mixed")
        first = self.replay(trace, "--check", "--psum.preset", "poster")
        second = self.replay(trace, "--psum.preset", "poster", out="S")
        self.assertEqual(self.without_simulator(first), self.without_simulator(second))
        other = self.replay(trace, "--psum.preset", "poster", "--seed", "2", out="O")
        self.assertEqual(other["totals"]["cycles"], first["totals"]["cycles"])

    def test_both_models_and_values_off_agree(self):
        trace = self.import_tiny("tiny.json", "--recipe", "w4")
        fast = self.replay(trace)
        pin = self.replay(trace, "--model", "pin", out="P")
        self.assertEqual(self.without_simulator(fast), self.without_simulator(pin))
        off = self.replay(trace, "--values", "off", out="V")
        self.assertEqual(off["totals"]["cycles_by_cause"], fast["totals"]["cycles_by_cause"])

    def test_a_part_runs_as_in_the_whole(self):
        trace = self.import_tiny("tiny.json")
        whole = self.replay(trace, "--values", "off")
        last = len(whole["layers"])
        part = self.replay(trace, "--layers", f"1:{last}", "--check", out="P")
        self.assertEqual([layer["name"] for layer in part["layers"]],
                         [layer["name"] for layer in whole["layers"][1:]])
        for layer, other in zip(part["layers"], whole["layers"][1:]):
            self.assertEqual(layer["macs"], other["macs"])
        self.fail_with(2, f"the trace has layers 0 to {last - 1} only", "replay", trace, "--layers", "1:99", "--out",
                       self.folder / "F")

    def test_weight_bits_take_the_place_of_the_traces(self):
        trace = self.import_tiny("tiny.json")
        report = self.replay(trace, "--weight-bits", "2", "--check")
        formats = {layer["weight_format"][:5] for layer in report["layers"] if layer["k"]}
        self.assertEqual(formats, {"LP<2,"})
        words = self.import_tiny("words.json", "--quantized", self.quantized, "--with-tensors")
        self.fail_with(2, "the trace brings the words of its own formats", "replay", words, "--weight-bits", "2",
                       "--out", self.folder / "F")

    def test_topologies_of_scale_sim_run(self):
        for text, macs in ((TOPOLOGY, 5 * 5 * 12 * 36 + 4 * 4 * 8 * 9), (GEMMS, 20 * 12 * 30 + 7 * 9 * 40)):
            topology = self.folder / "topology.csv"
            topology.write_text(text)
            for arguments in ((), ("--weight-bits", "4", "--check")):
                report = self.replay(topology, "--force", *arguments)
                self.assertEqual(report["totals"]["macs"], macs)
                self.assertEqual(len(report["layers"]), 2)
        topology.write_text(GEMMS + "third, 1, 0, 1,\n")
        self.fail_with(3, "topology.csv:4: column 'N': 0; 1 to 2147483647 expected", "replay", topology, "--out",
                       self.folder / "F")

    def test_a_configuration_of_scale_sim_is_a_machine(self):
        topology = self.folder / "topology.csv"
        topology.write_text(GEMMS)
        configuration = self.folder / "scale.cfg"
        configuration.write_text("[general]\nrun_name = r\n[architecture_presets]\nArrayHeight: 16\nArrayWidth: 8\n"
                                 "IfmapSramSzkB: 64\nFilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: ws\n"
                                 "[run_presets]\nInterfaceBandwidth: CALC\n")
        report = self.replay(topology, "--hardware", configuration, "--clock.mhz", "250")
        hardware = report["hardware"]
        self.assertEqual((hardware["array.rows"], hardware["array.columns"], hardware["clock.mhz"]), (16, 8, 250))
        # SCALE-Sim's folds of 2R + C + M - 2 cycles: ceil(K / R) * ceil(N / C) of them.
        self.assertEqual([layer["array_span"] for layer in report["layers"]], [2 * 2 * 58 - 1, 3 * 2 * 45 - 1])
        configuration.write_text(configuration.read_text().replace("ws", "os"))
        self.fail_with(3, "scale.cfg:9: 'Dataflow'", "replay", topology, "--hardware", configuration, "--out",
                       self.folder / "F")

    def test_a_large_trace_is_refused_before_anything_is_drawn(self):
        topology = self.folder / "large.csv"
        topology.write_text("Layer, M, N, K,\nhuge, 40000, 40000, 40000,\n")
        self.fail_with(4, "raise memory.mib", "replay", topology, "--out", self.folder / "F")

    def test_errors_name_file_line_and_field(self):
        trace = self.import_tiny("tiny.json")
        lines = trace.read_text().split("\n")
        number = next(i for i, line in enumerate(lines) if '"kernel": [3, 3]' in line)
        lines[number] = lines[number].replace("[3, 3]", "[3, 30]")
        trace.write_text("\n".join(lines))
        self.fail_with(3, f"tiny.json:{number + 1}: layers[0].geometry.kernel: ", "replay", trace, "--out",
                       self.folder / "F")
        self.assertFalse((self.folder / "F").exists())

    def test_existing_files_are_kept_without_force(self):
        trace = self.import_tiny("tiny.json")
        self.fail_with(2, "exists already; --force replaces it", "import", self.network, "--out", trace)
        self.succeed("import", self.network, "--out", trace, "--recipe", "w2", "--force")
        self.replay(trace)
        self.fail_with(2, "exists already; --force replaces it", "replay", trace, "--out", self.folder / "R")

    def test_options_that_exclude_each_other(self):
        for message, arguments in (("needs --quantized", ("--with-tensors",)),
                                   ("--quantized gives the formats", ("--quantized", self.quantized, "--recipe", "w8")),
                                   ("w8, w4, w2, mixed", ("--recipe", "w3"))):
            self.fail_with(2, message, "import", self.network, "--out", self.folder / "t.json", *arguments)
        self.fail_with(2, "must end in .json", "import", self.network, "--out", self.folder / "t.txt")

    def test_shipped_traces_are_found_by_name(self):
        listed = self.succeed("traces")
        self.assertRegex(listed, r"(?m)^resnet50 +\d+ +4089\.18 +25,557,032 +8 +torchvision")
        report = self.replay("resnet18_w4", "--layers", "19:21", "--values", "off")
        self.assertEqual(report["network"], "resnet18_w4")
        self.fail_with(2, "did you mean 'resnet50'?", "replay", "resnet5O", "--out", self.folder / "F")

    def test_the_environment_names_another_folder_of_traces(self):
        self.import_tiny("mine.json", "--source", "here")
        os.environ["LPASIM_TRACES"] = str(self.folder)
        self.addCleanup(os.environ.pop, "LPASIM_TRACES")
        self.assertRegex(self.succeed("traces"), r"(?m)^mine .* here$")
        self.replay("mine", "--values", "off")


if __name__ == "__main__":
    unittest.main()

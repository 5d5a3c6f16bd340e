"""The machines that LPA is compared with: that their words are those of the software evaluation in both models."""

import json
import unittest

from support import SOURCE, TinyRunTest

CONFIGS = SOURCE / "hw_model/configs"
MACHINES = {"int8_8x8": ("int", (8,)), "ant_8x8": ("ant", (8, 4)), "bitfusion_8x8": ("int", (8, 4, 2)),
            "adaptivfloat_8x8": ("adaptivfloat", (8,)), "posit_8x8": ("posit", (8, 4, 2))}


class OtherMachines(TinyRunTest):
    def quantize(self, numbers, bits, *extra):
        folder = self.folder / f"{numbers}{bits}"
        if not folder.exists():
            self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", 6, "--numbers", numbers,
                         "--weight-bits", bits, "--out", folder, *extra)
        return folder

    def test_both_models_run_their_words(self):
        for machine, (numbers, widths) in MACHINES.items():
            for bits in widths:
                with self.subTest(machine=machine, bits=bits):
                    run = ("run", "--network", self.network, "--quantized", self.quantize(numbers, bits), "--dataset", self.data,
                           "--images", 2, "--hardware", CONFIGS / f"{machine}.ini", "--check", "--force", "--out", self.folder / "R")
                    counts = []
                    for model in ("fast", "pin"):
                        self.assertIn("every word equals", self.succeed(*run, "--model", model))
                        counts.append(self.report()["totals"])
                    self.assertEqual(*counts)

    def test_narrow_activations_run_in_several_inputs_of_a_pe(self):
        for machine, numbers in (("ant_8x8", "ant"), ("bitfusion_8x8", "int")):
            quantized = self.quantize(numbers, 4, "--activation-bits", 4)
            self.assertIn("every word equals", self.succeed(
                "run", "--network", self.network, "--quantized", quantized, "--dataset", self.data, "--images", 2, "--hardware",
                CONFIGS / f"{machine}.ini", "--check", "--model", "pin", "--force", "--out", self.folder / "R"))

    def test_channels_may_have_their_own_scales(self):
        quantized = self.quantize("int", 8, "--sf", "per-channel")
        self.assertIn("channel", (quantized / "quant.json").read_text())
        self.assertIn("every word equals", self.succeed(
            "run", "--network", self.network, "--quantized", quantized, "--dataset", self.data, "--hardware",
            CONFIGS / "int8_8x8.ini", "--check", "--images", 2, "--out", self.folder / "R"))

    def test_traces_take_the_formats_of_the_machine(self):
        for machine, (numbers, widths) in MACHINES.items():
            with self.subTest(machine):
                self.assertIn("every word equals", self.succeed(
                    "replay", "resnet18", "--layers", "1:3", "--weight-bits", widths[-1], "--hardware", CONFIGS / f"{machine}.ini", "--check",
                    "--force", "--out", self.folder / "R"))
                formats = json.dumps(self.report()["layers"])
                self.assertIn({"ant": "flint"}.get(numbers, numbers) + f"<{widths[-1]},", formats)
                self.assertNotIn("LP<", formats)

    def test_words_of_another_machine_are_refused(self):
        self.fail_with(4, "but the machine computes with int words of 8, 4 or 2 bits (pe.datapath), which lpasim quantize --numbers int chooses", *self.arguments(
            "--hardware", CONFIGS / "int8_8x8.ini"))
        self.fail_with(4, "are int<8,", "run", "--network", self.network, "--quantized", self.quantize("int", 8), "--dataset", self.data,
                       "--images", 2, "--check", "--out", self.folder / "R")
        self.fail_with(2, "'--psum.preset': int words are added in fixed sums", "evaluate", "--network", self.network, "--quantized", self.quantize("int", 8), "--dataset", self.data,
                       "--psum.preset", "wide", "--out", self.folder / "e.json")

    def test_formats_of_several_machines_are_refused(self):
        quantized = self.quantize("int", 8)
        text = (quantized / "quant.json").read_text()
        document = json.loads(text)
        document["input"]["format"] = "posit<8,1>"
        (quantized / "quant.json").write_text(json.dumps(document))
        self.fail_with(3, "as the formats before it are", "evaluate", "--network", self.network, "--quantized", quantized, "--dataset",
                       self.data, "--psum.preset", "fixed")

    def test_traces_of_another_machine_replay_on_lpa(self):
        trace = self.folder / "t.json"
        self.succeed("import", self.network, "--quantized", self.quantize("adaptivfloat", 8), "--out", trace)
        document = json.loads(trace.read_text())
        document.pop("tensors", None)
        trace.write_text(json.dumps(document))
        self.assertIn("every word equals", self.succeed("replay", trace, "--check", "--out", self.folder / "R"))

    def test_wrong_numbers_are_usage_errors(self):
        quantize = ("quantize", "--network", self.network, "--dataset", self.data, "--images", 6, "--out", self.folder / "N")
        self.fail_with(2, "--numbers", *quantize, "--numbers", "float")
        self.fail_with(2, "'--weight-bits': '4' is not valid, expected 8, the width of adaptivfloat words", *quantize, "--numbers", "adaptivfloat",
                       "--weight-bits", 4)
        self.fail_with(2, "'--activation-bits': '2' is not valid, expected 8 or 4, the width of ant words", *quantize, "--numbers", "ant", "--activation-bits", 2)
        self.fail_with(2, "'--sf': 'per-channel' is not valid, expected per-tensor", *quantize, "--numbers", "posit", "--sf", "per-channel")
        self.fail_with(2, "lp with --method lpq", *quantize, "--numbers", "int", "--method", "lpq")
        self.assertFalse((self.folder / "N").exists())


if __name__ == "__main__":
    unittest.main()

"""From a network to a report, on a network small enough to take no time."""

import csv
import json
import shutil
import unittest

import jsonschema

from support import SOURCE, TinyRunTest, tiny_network, write_dataset

IMAGES = 3


class EndToEnd(TinyRunTest):
    """All tests use one network, data set and 8-bit quantization; what they write goes to a folder of their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.schema = json.loads((SOURCE / "tools/lpasim/report.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(cls.schema)

    def quantize(self, name, *extra):
        out = self.folder / name
        self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", "6", "--out", out, *extra)
        return out

    def run_machine(self, name, quantized, *extra):
        out = self.folder / name
        text = self.succeed("run", "--network", self.network, "--quantized", quantized, "--dataset", self.data,
                            "--images", IMAGES, "--out", out, "--check", *extra)
        report = json.loads((out / "report.json").read_text())
        jsonschema.validate(report, self.schema)
        return report, text, out

    def test_words_of_8_4_and_2_bits_equal_the_software_evaluation(self):
        for bits in (8, 4, 2):
            with self.subTest(bits=bits):
                quantized = self.quantized if bits == 8 else self.quantize(f"Q{bits}", "--weight-bits", bits)
                _, text, _ = self.run_machine(f"R{bits}", quantized)
                self.assertIn("every word equals the software evaluation's", text)

    def test_layers_of_different_widths_run_together(self):
        quantized = self.quantize("Q", "--layer-bits", "conv_b=4", "--layer-bits", "fc=2")
        report, _, _ = self.run_machine("R", quantized)
        widths = {layer["name"]: layer["weight_format"][:4] for layer in report["layers"] if layer["weight_format"]}
        self.assertEqual(widths, {"conv_a": "LP<8", "conv_b": "LP<4", "fc": "LP<2"})

    def test_all_accumulator_presets_run(self):
        for preset in ("wide", "poster", "fixed"):
            with self.subTest(preset):
                report, _, _ = self.run_machine(preset, self.quantized, "--psum.preset", preset)
                self.assertEqual(report["hardware"]["psum.preset"], preset)

    def test_the_report_conserves_cycles_and_macs(self):
        report, _, _ = self.run_machine("R", self.quantized)
        for part in [report["totals"], *report["layers"]]:
            self.assertEqual(sum(part["cycles_by_cause"].values()), part["cycles"])
        for layer in report["layers"]:
            self.assertEqual(layer["macs"], layer["m"] * layer["n"] * layer["k"] * layer["groups"])
        for count in ("cycles", "macs", "dram_bursts", "tiles", "vectors", "saturations"):
            self.assertEqual(report["totals"][count], sum(layer[count] for layer in report["layers"]), msg=count)
        # 6 x 6 positions, 5 outputs of 2 x 3 x 3 inputs; 5 of 5; 3 of 5.
        self.assertEqual(report["totals"]["macs"], IMAGES * (36 * 5 * 18 + 36 * 5 * 5 + 3 * 5))

    def test_packed_inputs_take_fewer_tiles_to_the_same_words(self):
        self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", IMAGES, "--weight-bits", "4",
                     "--activation-bits", "4", "--out", self.folder / "Q4")
        for model in ("fast", "pin"):
            reports = [self.run_machine(f"{model}{pack}", self.folder / "Q4", "--model", model,
                                        "--array.pack_inputs", pack)[0] for pack in ("off", "on")]
            self.assertEqual(reports[0]["totals"]["macs"], reports[1]["totals"]["macs"])
            # The input is not packed; 18, 5 and 5 steps k are 3, 1 and 1 tiles of 8 rows, or 2, 1 and 1.
            layers = [[layer["tiles"] for layer in report["layers"] if layer["macs"]] for report in reports]
            self.assertLess(sum(layers[1]), sum(layers[0]))

    def test_the_report_names_its_origin_and_hardware(self):
        report, _, _ = self.run_machine("R", self.quantized, "--array.rows", "4", "--array.columns", "2")
        self.assertEqual(report["network"], str(self.network))
        self.assertEqual(report["accuracy"]["images"], IMAGES)
        self.assertEqual((report["hardware"]["array.rows"], report["hardware"]["array.columns"]), (4, 2))
        self.assertEqual((report["simulator"]["model"], report["simulator"]["values"]), ("fast", True))

    def test_both_models_report_the_same(self):
        fast, _, _ = self.run_machine("F", self.quantized, "--model", "fast")
        pin, _, _ = self.run_machine("P", self.quantized, "--model", "pin")
        self.assertEqual(pin["simulator"].pop("model"), "pin")
        for report in (fast, pin):
            del report["simulator"]
        self.assertEqual(fast, pin)

    def test_without_values_there_is_what_does_not_depend_on_them(self):
        whole, _, _ = self.run_machine("R", self.quantized)
        text = self.succeed("run", "--network", self.network, "--quantized", self.quantized, "--dataset", self.data,
                            "--images", IMAGES, "--out", self.folder / "V", "--values", "off")
        report = json.loads((self.folder / "V" / "report.json").read_text())
        jsonschema.validate(report, self.schema)
        self.assertNotIn("accuracy", report)
        self.assertNotIn("top-1", text)
        del whole["accuracy"]
        for part, without in zip([whole["totals"], *whole["layers"]], [report["totals"], *report["layers"]]):
            del part["saturations"], part["nar_products"]
            self.assertLessEqual(part.pop("active_products"), part["macs"])
            energy, bound = part.pop("energy_pj"), without.pop("energy_pj")
            for name in energy:
                self.assertLessEqual(energy[name], bound[name])
            self.assertLessEqual(without.pop("efficiency")["tops_per_w"], part.pop("efficiency")["tops_per_w"])
        self.assertFalse(report["simulator"].pop("values"))
        for part in (whole, report):
            del part["simulator"]
        self.assertEqual(report, whole)

    def test_the_schema_refuses_what_it_does_not_know(self):
        report, _, _ = self.run_machine("R", self.quantized)
        report["totals"]["surprise"] = 1
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(report, self.schema)

    def test_the_csv_holds_the_layers_of_the_report(self):
        report, _, out = self.run_machine("R", self.quantized)
        with open(out / "layers.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["name"] for row in rows], [layer["name"] for layer in report["layers"]])
        for row, layer in zip(rows, report["layers"]):
            self.assertEqual(int(row["cycles"]), layer["cycles"])
            self.assertEqual(row["weight_format"], layer["weight_format"])
            self.assertEqual(int(row["cycles_by_cause.busy"]), layer["cycles_by_cause"]["busy"])

    def test_the_software_evaluation_has_the_machines_accuracy(self):
        report, _, _ = self.run_machine("R", self.quantized)
        file = self.folder / "evaluation.json"
        self.succeed("evaluate", "--network", self.network, "--quantized", self.quantized, "--dataset", self.data,
                     "--images", IMAGES, "--out", file)
        evaluation = json.loads(file.read_text())
        self.assertEqual(evaluation["accuracy"], report["accuracy"])
        self.assertEqual(evaluation["saturations"], report["totals"]["saturations"])

    def test_quantizing_again_on_one_thread_gives_the_same_files(self):
        again = self.quantize("Q", "--threads", "1")
        for name in ("quant.json", "weights.safetensors"):
            self.assertEqual((again / name).read_bytes(), (self.quantized / name).read_bytes(), msg=name)

    def test_force_replaces_a_result(self):
        quantized = self.quantize("Q", "--weight-bits", "2")
        old = (quantized / "quant.json").read_bytes()
        self.quantize("Q", "--weight-bits", "4", "--force")
        self.assertNotEqual((quantized / "quant.json").read_bytes(), old)
        self.run_machine("R", quantized)
        self.run_machine("R", quantized, "--force")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["Q", "R"])

    def test_a_quantized_network_of_another_network_is_refused(self):
        other = tiny_network(self.folder / "other.onnx", channels=3)
        data = write_dataset(self.folder / "rgb", channels=3)
        self.fail_with(3, "Q", "run", "--network", other, "--quantized", self.quantized, "--dataset", data, "--images", "1",
                       "--out", self.folder / "R")

    def test_damaged_weights_are_refused(self):
        quantized = shutil.copytree(self.quantized, self.folder / "Q")
        file = quantized / "weights.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
        self.fail_with(3, "weights.safetensors", "run", "--network", self.network, "--quantized", quantized,
                       "--dataset", self.data, "--images", "1", "--out", self.folder / "R")

    def test_a_machine_too_small_for_the_network_is_an_error_of_the_machine(self):
        big = tiny_network(self.folder / "big.onnx", size=64)
        data = write_dataset(self.folder / "large", height=64, width=64)
        quantized = self.folder / "QB"
        self.succeed("quantize", "--network", big, "--dataset", data, "--images", "1", "--out", quantized,
                     "--weight-bits", "2")
        self.fail_with(4, "raise output_buffer.kib", "run", "--network", big, "--quantized", quantized, "--dataset", data, "--images", "1",
                       "--out", self.folder / "R", "--output_buffer.kib", "1")
        self.assertFalse((self.folder / "R").exists())


if __name__ == "__main__":
    unittest.main()

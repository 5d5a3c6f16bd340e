"""lpasim quantize --method lpq and lpasim report-quant, as a user meets them."""
import json
import unittest
import xml.etree.ElementTree

from support import ProgramTest, tiny_network, write_dataset


class Search(ProgramTest):
    def setUp(self):
        super().setUp()
        self.network = tiny_network(self.folder / "tiny.onnx")
        self.data = write_dataset(self.folder / "data")

    def search(self, out, *extra):
        self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", "4", "--method", "lpq",
                     "--population", "4", "--passes", "2", "--cycles", "2", "--partners", "2", "--out", out, *extra)
        return (out / "quant.json").read_bytes()

    def test_the_result_depends_on_nothing_but_the_seed(self):
        checkpoint = self.folder / "search.json"
        first = self.search(self.folder / "one", "--threads", "1", "--checkpoint", checkpoint)
        self.assertEqual(self.search(self.folder / "two", "--threads", "3"), first)
        self.assertEqual(self.search(self.folder / "three", "--checkpoint", checkpoint), first, msg="from its end")

    def test_a_budget_is_kept_and_the_history_tells_how(self):
        for budget, unit in [("bits=4", "bits"), ("bytes=60", "bits"), ("cycles=900", "cycles"),
                             ("energy=1.6", "uJ")]:
            with self.subTest(budget):
                out = self.folder / budget
                search = json.loads(self.search(out, "--budget", budget))["search"]
                self.assertIn(unit, search["cost"])
                self.assertEqual(len(search["history"]), 2 * 2 * search["blocks"])
                self.assertLessEqual(search["history"][-1]["cost"], search["budget"])
                fitness = [search["initial_fitness"]] + [step["fitness"] for step in search["history"]]
                self.assertEqual(fitness, sorted(fitness, reverse=True))

    def test_a_machine_runs_what_was_chosen(self):
        self.search(self.folder / "Q", "--sf", "per-channel", "--activation-bits", "follow")
        layers = json.loads((self.folder / "Q" / "quant.json").read_text())["layers"]
        self.assertTrue(all("channel_sf" in layer["weight"] for layer in layers if "weight" in layer))
        self.succeed("run", "--network", self.network, "--quantized", self.folder / "Q", "--dataset", self.data,
                     "--images", "1", "--out", self.folder / "R", "--check")

    def test_the_drawing(self):
        self.search(self.folder / "Q", "--budget", "bits=5", "--sf", "per-channel")
        drawing = self.folder / "q.svg"
        report = ("report-quant", self.folder / "Q", "--network", self.network, "--out", drawing)
        self.succeed(*report)
        texts = [element.text for element in xml.etree.ElementTree.parse(drawing).iter()]
        for layer in json.loads((self.folder / "Q" / "quant.json").read_text())["layers"]:
            if "weight" in layer:
                self.assertIn(layer["weight"]["format"], texts)
        self.assertTrue(any(text and text.startswith("Fitness") for text in texts))
        self.fail_with(2, "q.svg", *report)
        self.fail_with(2, "a layer that has weights", *report, "--force", "--layer", "none")
        self.fail_with(3, "quant.json", "report-quant", self.folder, "--network", self.network, "--out",
                       self.folder / "other.svg")
        self.assertFalse((self.folder / "other.svg").exists())

    def test_formats_compared(self):
        result, drawing = self.folder / "c.json", self.folder / "c.svg"
        compare = ("compare-formats", "--network", self.network, "--bits", "6", "--out", result, "--svg", drawing)
        table = self.succeed(*compare)
        layers = json.loads(result.read_text())["layers"]
        for kind in ("LP", "AdaptivFloat", "posit", "LNS", "int", "ANT"):
            errors = sorted(layer["formats"][kind]["rmse"] / layer["rms"] for layer in layers)
            for extreme in (errors[0], errors[-1]):
                self.assertRegex(table, rf"{kind} .*{extreme:.5f}")
        texts = [element.text for element in xml.etree.ElementTree.parse(drawing).iter()]
        self.assertIn("AdaptivFloat", texts)
        self.fail_with(2, "c.json", *compare)
        self.fail_with(2, "expected a whole number from 4 to 8", "compare-formats", "--network", self.network, "--bits", "9")
        self.fail_with(3, "none.onnx", "compare-formats", "--network", self.folder / "none.onnx")

    def test_a_fit_has_no_history_to_draw(self):
        self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", "4", "--out",
                     self.folder / "Q")
        self.succeed("report-quant", self.folder / "Q", "--network", self.network, "--out", self.folder / "q.svg")
        self.assertNotIn("Fitness", (self.folder / "q.svg").read_text())


if __name__ == "__main__":
    unittest.main()

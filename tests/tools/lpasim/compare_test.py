"""lpasim compare, and the costs of other machines on their own."""

import json
import unittest
import xml.etree.ElementTree

import jsonschema

from support import SOURCE, ProgramTest

CONFIGS = SOURCE / "hw_model/configs"


class CompareTest(ProgramTest):
    def compare(self, out, *arguments):
        text = self.succeed("compare", "--trace", "resnet18", "--out", self.folder / out, *arguments)
        report = json.loads((self.folder / out / "compare.json").read_text())
        jsonschema.validate(report, json.loads((SOURCE / "tools/lpasim/compare.schema.json").read_text()))
        return report, text

    def test_equal_areas_and_ratios(self):
        report, text = self.compare("C", "--hardware", "lpa,ant,adaptivfloat", "--monte-carlo", "20")
        runs = {run["machine"]: run for run in report["runs"]}
        room = runs["lpa"]["area_mm2"]["compute"]
        self.assertAlmostEqual(room, 0.01208, places=9)
        for name in ("ant", "adaptivfloat"):
            self.assertLessEqual(runs[name]["area_mm2"]["compute"], room)
            self.assertGreater(runs[name]["area_mm2"]["compute"], 0.8 * room)
        base = runs["adaptivfloat"]
        for name, run in runs.items():
            energy = run["energy_pj"]
            self.assertAlmostEqual(sum(energy.values()) - energy["total"], energy["total"], delta=1e-6 * energy["total"])
            self.assertAlmostEqual(run["relative_latency"], run["latency_ms"] / base["latency_ms"])
            self.assertAlmostEqual(run["relative_energy"], energy["total"] / base["energy_pj"]["total"])
            spread = run["spread"]["relative_energy"]
            self.assertLessEqual(spread["p5"], spread["p50"])
            self.assertLessEqual(spread["p50"], spread["p95"])
            self.assertIn(name, text)
        self.assertEqual(base["spread"]["relative_energy"], {"p5": 1, "p50": 1, "p95": 1})
        drawing = xml.etree.ElementTree.parse(self.folder / "C" / "compare.svg")
        texts = [element.text for element in drawing.iter()]
        self.assertIn("Energy, adaptivfloat = 1", texts)
        again, _ = self.compare("D", "--hardware", "lpa,ant,adaptivfloat", "--monte-carlo", "20")
        self.assertEqual(again, report, msg="the seed decides the draws")

    def test_as_many_pes(self):
        report, _ = self.compare("C", "--at", "equal-pes", "--hardware", "lpa,int8", "--relative-to", "lpa")
        self.assertEqual([(machine["rows"], machine["columns"]) for machine in report["machines"]], [(8, 8), (8, 8)])
        lpa, int8 = report["runs"]
        self.assertEqual(lpa["relative_latency"], 1)
        self.assertGreater(int8["relative_latency"], 2, msg="LPA's weights have 2 and 4 bits")
        self.assertNotIn("spread", lpa)

    def test_wrong_names_and_files(self):
        out = ("--out", self.folder / "C")
        self.fail_with(2, "no machine 'ants' in", "compare", "--hardware", "ants", *out)
        self.fail_with(2, "expected each machine once", "compare", "--hardware", "lpa,ant,lpa", *out)
        self.fail_with(2, "expected traces of different networks", "compare", "--trace", "resnet18", "--trace",
                       SOURCE / "traces/networks/resnet18_w4.json", *out)
        self.fail_with(2, "did you mean 'ant'?", "compare", "--hardware", "ants", *out)
        self.fail_with(2, "expected one of lpa,ant", "compare", "--hardware", "lpa,ant", "--relative-to", "tpu", *out)
        file = self.folder / "c.json"
        machine = {"name": "m", "hardware": str(CONFIGS / "lpa_8x8.ini"), "narrow_activations": False, "source": "none",
                   "shares": {"*": {"8": 0.5}}}
        file.write_text(json.dumps({"machines": [machine]}))
        use = ("compare", "--machines", file, "--hardware", "m", *out)
        self.fail_with(3, "shares sum to 0.5, expected 1", *use)
        small = self.folder / "small.ini"
        small.write_text("[array]\nrows = 1\ncolumns = 1\n[pe]\nlog_bits = 4\n[psum]\npreset = poster\n")
        whole = machine | {"shares": {"*": {"8": 1}}}
        file.write_text(json.dumps({"machines": [whole | {"name": "small", "hardware": str(small)}, whole]}))
        self.fail_with(4, "not a single PE of 'm' fits", "compare", "--machines", file, "--hardware", "small,m", *out)
        file.write_text(json.dumps({"machines": [machine | {"shares": {"resnet50": {"8": 1}}}]}))
        self.fail_with(3, "shares of '*', any other network, are missing", *use)
        file.write_text("{}")
        self.fail_with(3, "not a comparison", *use)
        self.assertFalse((self.folder / "C").exists())

    def test_every_machine_of_the_comparison_runs_its_networks(self):
        names = [machine["name"] for machine in json.loads((CONFIGS / "comparison.json").read_text())["machines"]]
        report, _ = self.compare("C", "--at", "equal-pes", "--hardware", ",".join(names))
        self.assertEqual([run["machine"] for run in report["runs"]], names)

    def test_another_machine_on_its_own(self):
        ant = ("--hardware", CONFIGS / "ant_8x8.ini", "--out", self.folder / "R")
        self.succeed("replay", "resnet18", "--layers", "0:2", "--values", "off", *ant)
        report = json.loads((self.folder / "R" / "report.json").read_text())
        jsonschema.validate(report, json.loads((SOURCE / "tools/lpasim/report.schema.json").read_text()))
        self.assertEqual(report["hardware"]["pe.datapath"], "ant")
        self.assertNotIn("replaced_constants", report)
        costs = self.folder / "costs.json"
        costs.write_text(json.dumps({"constants": [{"name": "dram.background", "value": 1, "low": 1, "high": 1, "unit": "mW",
                                                    "node": "-", "source": "a data sheet", "scaling": "none"}]}))
        self.succeed("replay", "resnet18", "--layers", "0:2", "--values", "off", "--costs", costs, "--force", *ant)
        cheap = json.loads((self.folder / "R" / "report.json").read_text())
        jsonschema.validate(cheap, json.loads((SOURCE / "tools/lpasim/report.schema.json").read_text()))
        self.assertEqual(cheap["replaced_constants"], {"dram.background": 1})
        self.assertLess(cheap["totals"]["energy_pj"]["dram"], report["totals"]["energy_pj"]["dram"])
        self.fail_with(4, "has 2-bit weights, which the machine's PEs do not take", "replay", "resnet18", "--layers", "2:3",
                       "--weight-bits", "2", "--values", "off", "--force", *ant)


if __name__ == "__main__":
    unittest.main()

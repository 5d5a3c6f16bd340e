"""tools/lpq_study: that its tables hold what lpasim finds, and that a second run has nothing left to search."""

import csv
import json
import subprocess
import unittest

from support import LPASIM, SOURCE, TinyRunTest

TOOL = SOURCE / "tools/lpq_study"


class Study(TinyRunTest):
    def study(self, *extra):
        return subprocess.run([TOOL, "--lpasim", LPASIM, "--network", self.network, "--calibration", self.data, "--calibration-images", "6",
                               "--dataset", self.data, "--out", self.folder / "S", "--passes", "1", *map(str, extra)],
                              capture_output=True, text=True, timeout=200)

    def test_every_search_is_in_the_table_and_none_is_repeated(self):
        done = self.study("--seeds", 2, "--bits", 3)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        out = self.folder / "S"
        with open(out / "objectives.csv", newline="") as stream:
            rows = list(csv.DictReader(stream))
        self.assertEqual([row["method"] for row in rows[:3]], ["fit, 8 bits", "fit, 4 bits", "global-local"])
        self.assertEqual(len(rows), 2 + 5 * 2)
        self.assertEqual([float(row["weight_bits"]) for row in rows[:2]], [8, 4])
        for row in rows[2:]:
            self.assertLessEqual(float(row["weight_bits"]), 3)
            self.assertIn(row["method"], done.stdout)
        evaluation = json.loads((out / "tiny_kl_3bit_1passes_2" / "evaluation.json").read_text())
        self.assertEqual([float(row["top1"]) for row in rows if (row["method"], row["seed"]) == ("kl", "2")],
                         [evaluation["accuracy"]["top1"]])
        for bits in (4, 8):
            self.assertIn(f"{bits} bits, {len(json.loads((out / f'formats_{bits}bit.json').read_text())['layers'])} layers",
                          (out / "study.txt").read_text())
            self.assertTrue((out / f"formats_{bits}bit.svg").exists())

        searched = out / "tiny_kl_3bit_1passes_2" / "quant.json"
        before = searched.stat().st_mtime_ns
        self.assertEqual(self.study("--seeds", 2, "--bits", 3).stdout, done.stdout)
        self.assertEqual(searched.stat().st_mtime_ns, before)

        other = self.study("--seeds", 2, "--bits", 3, "--calibration-images", 4)
        self.assertEqual(other.returncode, 2)
        self.assertRegex(other.stderr, r"\Alpq_study: [^\n]*other calibration images[^\n]*\n\Z")

    def test_mistakes_end_in_one_line(self):
        for code, message, extra in [(3, "none.onnx", ["--network", self.folder / "none.onnx"]),
                                     (2, "--lpasim", ["--lpasim", self.folder / "none"])]:
            with self.subTest(message):
                done = self.study(*extra)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertRegex(done.stderr, r"\Alpq_study: [^\n]*" + message + r"[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()

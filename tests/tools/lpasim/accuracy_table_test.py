"""tools/accuracy_table: that it prints what lpasim evaluates, in software and on the simulated machine."""

import csv
import json
import subprocess
import unittest

from support import LPASIM, SOURCE, TinyRunTest

TOOL = SOURCE / "tools/accuracy_table"


class AccuracyTable(TinyRunTest):
    def table(self, *extra):
        return subprocess.run([TOOL, "--lpasim", LPASIM, "--network", self.network, "--calibration", self.data, "--calibration-images", "6",
                               "--dataset", self.data, *map(str, extra)], capture_output=True, text=True, timeout=100)

    def rows(self, *extra):
        file = self.folder / "t.csv"
        done = self.table("--csv", file, *extra)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(file, newline="") as stream:
            return done.stdout, list(csv.DictReader(stream))

    def test_holds_every_accumulator_and_width(self):
        text, rows = self.rows()
        self.assertEqual([(row["psum"], row["weight_bits"]) for row in rows],
                         [(sums, bits) for bits in "842" for sums in ("poster", "wide", "fixed 24", "fixed 32")])
        self.assertEqual({row["images"] for row in rows}, {"6"})
        lines = text.splitlines()
        self.assertEqual(lines[0].split("  ")[0], "weights")
        for line, group in zip(lines[1:4], (rows[:4], rows[4:8], rows[8:])):
            shown = [cell.strip() for cell in line.split("  ")[1:] if cell.strip()]
            self.assertEqual(shown[-4:], [f"{100 * float(row['top1']):.1f} %" for row in group])
        self.assertEqual(self.names(), ["t.csv"])

    def test_cells_are_what_lpasim_evaluates(self):
        _, rows = self.rows("--images", 5)
        quantized = self.folder / "Q"
        self.succeed("quantize", "--network", self.network, "--dataset", self.data, "--images", 6, "--weight-bits", 2,
                     "--out", quantized)
        self.succeed("evaluate", "--network", self.network, "--quantized", quantized, "--dataset", self.data, "--images",
                     5, "--psum.preset", "poster", "--out", self.folder / "e.json")
        wanted = json.loads((self.folder / "e.json").read_text())
        row = next(row for row in rows if (row["psum"], row["weight_bits"]) == ("poster", "2"))
        self.assertEqual((float(row["top1"]), int(row["saturations"]), row["images"]),
                         (wanted["accuracy"]["top1"], wanted["saturations"], "5"))
        self.assertGreater(wanted["saturations"], 0)

    def test_the_simulated_machine_gives_the_same_table(self):
        self.assertEqual(self.rows("--simulate"), self.rows())

    def test_holds_every_kind_of_words(self):
        text, rows = self.rows("--across", "numbers")
        self.assertEqual([(row["numbers"], row["weight_bits"]) for row in rows],
                         [("lp", "8"), ("int", "8"), ("ant", "8"), ("adaptivfloat", "8"), ("posit", "8"), ("lp", "4"), ("int", "4"),
                          ("ant", "4"), ("posit", "4"), ("lp", "2"), ("int", "2"), ("posit", "2")])
        self.assertEqual(text.splitlines()[2].split()[-3], "-")
        self.assertEqual(self.rows("--across", "numbers", "--simulate"), (text, rows))

    def test_mistakes_end_in_one_line(self):
        for code, message, extra in [(3, "none.onnx", ["--network", self.folder / "none.onnx"]),
                                     (2, "--lpasim", ["--lpasim", self.folder / "none"]),
                                     (2, "only fit chooses", ["--across", "numbers", "--method", "lpq"]),
                                     (2, "its folder does not exist", ["--csv", self.folder / "none" / "t.csv"])]:
            with self.subTest(message):
                done = self.table(*extra)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertRegex(done.stderr, r"\Aaccuracy_table: [^\n]*" + message + r"[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()

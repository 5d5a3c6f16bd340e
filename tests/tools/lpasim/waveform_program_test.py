"""Waveforms of `lpasim run --vcd`, and the save files that show them."""

import re
import subprocess
import unittest

from support import SOURCE, TinyRunTest, lpasim

MAKE_SAVE_FILE = SOURCE / "tools/gtkwave/make_save_file"
CAUSES = ["busy", "fill_drain", "weight_wait", "input_wait", "psum_wait", "output_wait", "ppu", "idle"]
PERIOD = 2000  # Picoseconds.


def signals(text):
    """Every signal of a VCD file by its full name, as GTKWave writes it: with its range if it has several bits."""
    scopes, names = [], set()
    for line in text.split("$enddefinitions")[0].splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            names.add(".".join(scopes + [words[4]]) + "".join(words[5:-1]))
    return names


def times(text):
    return [int(line[1:]) for line in text.splitlines() if line.startswith("#")]


def shown(save):
    """The signals that a save file shows."""
    return {line.split("} ")[1] for line in save.splitlines() if line.startswith("+{")}


class Waveform(TinyRunTest):
    def arguments(self, *extra):
        return super().arguments("--model", "pin", *extra)

    def test_covers_the_window_that_was_asked_for(self):
        self.succeed(*self.arguments("--vcd", self.folder / "w.vcd", "--vcd-window", "100:150"))
        stamps = times((self.folder / "w.vcd").read_text())
        self.assertEqual((stamps[0], stamps[-1]), (100 * PERIOD, 150 * PERIOD))
        self.assertEqual(self.names(), ["R", "R/layers.csv", "R/report.json", "w.vcd"])

    def test_begins_with_the_simulation_and_takes_1000_cycles(self):
        self.succeed(*self.arguments("--vcd", self.folder / "w.vcd"))
        stamps = times((self.folder / "w.vcd").read_text())
        self.assertEqual((stamps[0], stamps[-1]), (0, 1000 * PERIOD))

    def test_may_stand_in_the_result_folder_under_any_name(self):
        self.succeed(*self.arguments("--vcd", self.folder / "R" / "pins", "--vcd-window", "0:10"))
        self.assertEqual(self.names(), ["R", "R/layers.csv", "R/pins", "R/report.json"])
        self.succeed(*self.arguments("--vcd", self.folder / "R" / "pins", "--vcd-window", "0:20", "--force"))
        self.assertEqual(times((self.folder / "R" / "pins").read_text())[-1], 20 * PERIOD)

    def test_mistakes_are_refused_before_anything_runs(self):
        (self.folder / "old.vcd").write_text("old")
        w = self.folder / "w.vcd"
        for message, extra in [
                ("option '--vcd-window': needs --vcd FILE", ["--vcd-window", "0:10"]),
                ("expected A:B with whole numbers A < B <= A + 1000000", ["--vcd", w, "--vcd-window", "0:1000001"]),
                ("expected A:B", ["--vcd", w, "--vcd-window", "7"]),
                ("is a folder, expected a file", ["--vcd", self.folder]),
                ("exists already; --force replaces it", ["--vcd", self.folder / "old.vcd"]),
                ("is a result of another kind", ["--vcd", self.folder / "R" / "report.json"]),
        ]:
            with self.subTest(message):
                self.fail_with(2, message, *self.arguments(*extra))
        self.assertEqual(self.names(), ["old.vcd"])

    def test_a_window_behind_the_end_is_told_and_the_report_kept(self):
        done = lpasim(*self.arguments("--vcd", self.folder / "w.vcd", "--vcd-window", "900000:900001"))
        self.assertEqual((done.code, done.err), (
            2, "lpasim: option '--vcd-window': the run ended before cycle 900000; no waveform\n"))
        self.assertEqual(self.names(), ["R", "R/layers.csv", "R/report.json"])

    def test_save_files_show_signals_that_are_there(self):
        for rows, columns, bits in [(8, 8, 8), (2, 3, 2)]:
            with self.subTest(rows=rows, columns=columns, bits=bits):
                self.succeed(*self.arguments("--vcd", self.folder / "w.vcd", "--vcd-window", "0:1", "--force",
                                             "--array.rows", rows, "--array.columns", columns))
                save = self.folder / "w.gtkw"
                subprocess.run([MAKE_SAVE_FILE, "--rows", str(rows), "--columns", str(columns), "--weight-bits",
                                str(bits), save], check=True)
                wanted = shown(save.read_text())
                self.assertEqual(wanted - signals((self.folder / "w.vcd").read_text()), set())
                elements = {name for name in wanted if name.endswith(".product_valid")}
                self.assertEqual(len(elements), rows * columns)

    def test_the_shipped_save_file_is_what_the_script_makes(self):
        made = self.folder / "lpa_8x8.gtkw"
        subprocess.run([MAKE_SAVE_FILE, "--names", "tools/gtkwave", made], check=True)
        self.assertEqual(made.read_text(), (SOURCE / "tools/gtkwave/lpa_8x8.gtkw").read_text())

    def test_causes_are_shown_by_their_names(self):
        text = (SOURCE / "tools/gtkwave/cause.txt").read_text()
        self.assertEqual(text, "".join(f"{number} {name}\n" for number, name in enumerate(CAUSES)))
        header = (SOURCE / "hw_model/counters.h").read_text()
        self.assertEqual(re.search(r"cause_names\{\s*([^}]*)\}", header)[1].replace('"', "").split(", "), CAUSES)


if __name__ == "__main__":
    unittest.main()

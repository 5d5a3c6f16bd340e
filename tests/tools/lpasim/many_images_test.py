"""Runs of many images: the same report with any number of processes, and what is left when a run ends early."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

import jsonschema

from support import LPASIM, SOURCE, TinyRunTest, tiny_network, write_dataset


class ManyImages(TinyRunTest):
    def measured(self, *extra):
        """The report without what depends on the computer."""
        self.succeed(*self.arguments("--force", *extra, images=6))
        report = self.report()
        del report["simulator"]
        return report

    def test_the_report_does_not_depend_on_the_threads(self):
        for model in ("fast", "pin"):
            with self.subTest(model):
                one = self.measured("--model", model, "--threads", 1)
                self.assertNotIn("interrupted", one)
                for threads in (2, 5):
                    self.assertEqual(self.measured("--model", model, "--threads", threads), one)

    def test_a_recorded_run_reports_the_same(self):
        self.assertEqual(self.measured("--timeline", self.folder / "t.json"), self.measured())

    def test_every_child_checks_its_words(self):
        out = self.succeed(*self.arguments("--check", "--threads", 3, images=6))
        self.assertIn("check: every word equals the software evaluation's\n", out)

    def test_an_error_of_the_machine_is_told_once(self):
        self.fail_with(4, "raise output_buffer.kib", *self.arguments("--output_buffer.kib", 1, "--memory.mib", 1,
                                                                     "--array.columns", 128, "--threads", 3))
        self.assertEqual(self.names(), [])


class EndedEarly(TinyRunTest):
    """A network on which the pin-level model is busy for a while."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.network = tiny_network(cls.shared / "big.onnx", size=64)
        cls.data = write_dataset(cls.shared / "large", count=200, height=64, width=64)
        cls.quantized = cls.shared / "QB"
        done = subprocess.run([LPASIM, "quantize", "--network", cls.network, "--dataset", cls.data, "--images", "1",
                               "--out", cls.quantized, "--weight-bits", "2"], capture_output=True)
        assert done.returncode == 0

    def begin(self, *extra):
        arguments = self.arguments("--model", "pin", *extra, images=200)
        process = subprocess.Popen([LPASIM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        return process

    def wait_until(self, condition, process):
        for _ in range(10_000):
            if condition():
                return
            self.assertIsNone(process.poll(), msg="ended before it could be interrupted")
            time.sleep(0.005)
        self.fail("nothing happened")

    @staticmethod
    def children(process):
        try:
            text = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        except FileNotFoundError:
            return []
        return [int(number) for number in text.split()]

    def test_an_interrupt_keeps_the_finished_images(self):
        for number, code in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
            with self.subTest(number):
                process = self.begin("--threads", 1, "--force")
                self.wait_until(lambda: self.children(process), process)
                first = self.children(process)[0]
                # When a second child runs, the first image is finished.
                self.wait_until(lambda: [c for c in self.children(process) if c != first], process)
                process.send_signal(number)
                out, error = process.communicate(timeout=60)
                self.assertEqual((process.returncode, out), (code, ""))
                report = self.report()
                jsonschema.validate(report, json.loads((SOURCE / "tools/lpasim/report.schema.json").read_text()))
                images = report["images"]
                self.assertEqual(error, f"lpasim: interrupted; the report of {images} of 200 images is in "
                                        f"{self.folder / 'R'}\n")
                self.assertIs(report["interrupted"], True)
                self.assertTrue(1 <= images < 200)
                self.assertEqual(set(report["accuracy"]), {"images", "top1"})
                for layer in report["layers"]:
                    self.assertEqual(layer["macs"], layer["m"] * layer["n"] * layer["k"] * layer["groups"])
                self.assertEqual(report["totals"]["macs"] % images, 0)
                self.assertEqual(self.names(), ["R", "R/layers.csv", "R/report.json"])

    def test_an_interrupt_before_the_first_image_leaves_nothing(self):
        process = self.begin()
        self.wait_until(lambda: list(self.folder.iterdir()), process)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, error), (130, "", "lpasim: interrupted; nothing was written\n"))
        self.assertEqual(self.names(), [])

    def test_an_interrupt_leaves_no_recording(self):
        process = self.begin("--timeline", self.folder / "t.json")
        self.wait_until(lambda: len(list(self.folder.iterdir())) == 2, process)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertNotIn("t.json", self.names())
        self.assertEqual([name for name in self.names() if name.startswith(".")], [])

    def test_a_child_that_is_killed_is_told(self):
        process = self.begin("--threads", 2)
        self.wait_until(lambda: len(self.children(process)) == 2, process)
        os.kill(self.children(process)[1], signal.SIGKILL)
        out, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertRegex(error, r"\Alpasim: image \d+: its process died: Killed\n\Z")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    unittest.main()

"""What the program says and how it ends: help, version, tables, and every kind of bad input in one clear line."""

import json
import signal
import subprocess
import time
import unittest

from support import LPASIM, SOURCE, ProgramTest, tiny_network, write_dataset, write_npy


class Help(ProgramTest):
    def test_help_lists_the_commands(self):
        out = self.succeed("--help")
        for command in ["quantize", "evaluate", "run", "format", "describe"]:
            self.assertIn(f"\n  {command} ", out)

    def test_every_command_has_help(self):
        for command in ["quantize", "evaluate", "run", "format", "describe"]:
            with self.subTest(command):
                self.assertTrue(self.succeed(command, "--help").startswith(f"Usage: lpasim {command}"))

    def test_version_is_the_projects(self):
        self.assertRegex(self.succeed("--version"), r"\Alpasim \d+\.\d+\.\d+\n\Z")

    def test_nothing_at_all_is_a_usage_error(self):
        self.fail_with(2, "a command is missing; see lpasim --help")

    def test_a_misspelt_command_suggests_the_nearest(self):
        self.fail_with(2, "unknown command 'quantise'; did you mean 'quantize'?", "quantise")

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([LPASIM, "describe"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "lpasim: the output cannot be written\n"))


class Format(ProgramTest):
    def test_every_word_of_a_logarithmic_posit_is_listed(self):
        lines = self.succeed("format", "LP<4,0,2,0>").splitlines()
        words = [line for line in lines if line.lstrip()[:4].strip("01") == "" and line.strip()]
        self.assertEqual(len(words), 16)
        self.assertIn("NaR", words[8])
        self.assertIn("2.828427", words[7])  # 0111 is 2^1.5

    def test_a_format_that_cannot_be_is_refused(self):
        self.fail_with(2, "LP<4,9,2,0>", "format", "LP<4,9,2,0>")
        self.fail_with(2, "nonsense", "format", "nonsense")

    def test_the_format_is_required(self):
        self.fail_with(2, "FORMAT is missing", "format")


class Describe(ProgramTest):
    def test_the_default_machine(self):
        out = self.succeed("describe")
        self.assertRegex(out, r"array\.rows +8 +PEs")
        # 8 x 8 PEs at 500 MHz, 2 operations a MAC, 1, 2 and 4 lanes.
        for bits, macs, gops in [(8, 64, "64.0"), (4, 128, "128.0"), (2, 256, "256.0")]:
            self.assertRegex(out, rf"{bits} bit .* {macs} +{gops}\n")

    def test_options_change_the_machine(self):
        out = self.succeed("describe", "--array.rows", "16", "--array.columns=4", "--clock.mhz", "250")
        self.assertRegex(out, r"2 bit +any +4 +16 x 16 +256 +128\.0\n")

    def test_packed_inputs_multiply_the_throughput(self):
        out = self.succeed("describe", "--array.pack_inputs", "on")
        self.assertRegex(out, r"8 bit +8 bit +1 +8 x 8 +64 +64\.0\n")
        self.assertRegex(out, r"4 bit +4 bit +4 +16 x 16 +256 +256\.0\n")
        self.assertRegex(out, r"2 bit +2 bit +16 +32 x 32 +1024 +1024\.0\n")

    def test_a_hardware_file_changes_the_machine(self):
        (self.folder / "m.ini").write_text("[array]\nrows = 2\ncolumns = 3\n")
        self.assertRegex(self.succeed("describe", "--hardware", self.folder / "m.ini"), r"8 bit +any +1 +2 x 3 +6 +6\.0\n")

    def test_every_shipped_configuration_is_valid(self):
        files = sorted((SOURCE / "hw_model/configs").glob("*.ini"))
        self.assertTrue(files)
        for file in files:
            with self.subTest(file.name):
                self.succeed("describe", "--hardware", file)

    def test_a_misspelt_option_suggests_the_nearest(self):
        self.fail_with(2, "unknown option '--array.row'; did you mean '--array.rows'?", "describe", "--array.row", "16")

    def test_a_misspelt_key_names_file_and_line(self):
        file = self.folder / "m.ini"
        file.write_text("[array]\ncolums = 4\n")
        self.fail_with(3, f"{file}:2: unknown key 'array.colums'; did you mean 'array.columns'?", "describe",
                       "--hardware", file)

    def test_a_bad_value_is_refused(self):
        self.fail_with(2, "array.rows", "describe", "--array.rows", "0")
        self.fail_with(2, "array.rows", "describe", "--array.rows", "eight")
        file = self.folder / "m.ini"
        file.write_text("[clock]\nmhz = -5\n")
        self.fail_with(3, f"{file}:2: 'clock.mhz'", "describe", "--hardware", file)

    def test_costs_are_the_published_ones_and_can_be_replaced(self):
        poster = SOURCE / "hw_model/configs/lpa_8x8_poster.ini"
        self.assertRegex(self.succeed("costs", "--hardware", poster), r"compute +0\.012080 ")
        entry = {"name": "dram.read", "value": 4, "low": 3, "high": 5, "unit": "pJ/bit", "node": "-",
                 "source": "a data sheet, page 3", "scaling": "none"}
        file = self.folder / "costs.json"
        file.write_text(json.dumps({"constants": [entry]}))
        out = self.succeed("costs", "--costs", file)
        self.assertRegex(out, r"read a bit of external memory +4\.0000")
        self.assertIn("a data sheet, page 3", out)
        del entry["source"]
        file.write_text(json.dumps({"constants": [entry]}))
        self.fail_with(3, f"{file}: 'dram.read': 'source' is missing", "costs", "--costs", file)
        file.write_text(json.dumps({"constants": [entry | {"source": "a data sheet", "name": "dram.reads"}]}))
        self.fail_with(3, "unknown constant 'dram.reads'; did you mean 'dram.read'?", "costs", "--costs", file)


class BadInput(ProgramTest):
    def setUp(self):
        super().setUp()
        self.network = tiny_network(self.folder / "tiny.onnx")
        self.data = write_dataset(self.folder / "data")
        self.out = self.folder / "Q"

    def refuse(self, code, message, *extra, network=None, data=None, out=None):
        before = sorted(self.folder.rglob("*"))
        images = () if "--images" in extra else ("--images", "4")
        self.fail_with(code, message, "quantize", "--network", network or self.network, "--dataset", data or self.data,
                       *images, "--out", out or self.out, *extra)
        self.assertEqual(sorted(self.folder.rglob("*")), before, msg="something was left behind")

    def test_a_missing_option(self):
        self.fail_with(2, "option '--network FILE' is missing", "quantize")

    def test_a_missing_network(self):
        self.refuse(3, "none.onnx", network=self.folder / "none.onnx")

    def test_a_truncated_network(self):
        whole = self.network.read_bytes()
        for part in [0, 1, len(whole) // 2, len(whole) - 1]:
            with self.subTest(bytes=part):
                self.network.write_bytes(whole[:part])
                self.refuse(3, "tiny.onnx")

    def test_a_network_that_is_something_else(self):
        self.network.write_text("this is no network\n")
        self.refuse(3, "tiny.onnx")

    def test_an_operator_that_is_not_supported_is_named_with_its_node(self):
        tiny_network(self.network, pool_op="GlobalLpPool")
        self.refuse(3, "GlobalLpPool")

    def test_a_missing_dataset(self):
        self.refuse(3, "nowhere", data=self.folder / "nowhere")

    def test_a_dataset_without_labels(self):
        (self.data / "labels.npy").unlink()
        self.refuse(3, "labels.npy")

    def test_pixels_of_a_wrong_type(self):
        write_npy(self.data / "images.npy", "<f4", (6, 6, 6, 2), bytes(6 * 6 * 6 * 2 * 4))
        self.refuse(3, "images.npy")

    def test_truncated_pixels(self):
        whole = (self.data / "images.npy").read_bytes()
        (self.data / "images.npy").write_bytes(whole[:-1])
        self.refuse(3, "images.npy")

    def test_a_dataset_description_that_is_no_json(self):
        (self.data / "dataset.json").write_text("{")
        self.refuse(3, "dataset.json")

    def test_images_of_another_shape_than_the_networks_input(self):
        self.refuse(3, "tiny.onnx", data=write_dataset(self.folder / "large", height=8))

    def test_more_images_than_there_are(self):
        self.fail_with(3, "6", "quantize", "--network", self.network, "--dataset", self.data, "--images", "7", "--out",
                       self.out)

    def test_bad_values(self):
        self.refuse(2, "expected 8, 4, 2", "--weight-bits", "5")
        self.refuse(2, "expected 8, 4, 2, follow", "--activation-bits", "16")
        self.refuse(2, "expected a whole number of at least 0", "--seed", "x")
        self.refuse(2, "expected a whole number from 1", "--threads", "0")
        self.refuse(2, "expected fit", "--method", "magic")

    def test_bad_values_of_a_search(self):
        lpq = ("--method", "lpq")
        self.refuse(2, "expected some of 2, 4, 8", *lpq, "--bits", "3")
        self.refuse(2, "expected bits=N, bytes=N, cycles=N or energy=N", *lpq, "--budget", "4")
        self.refuse(2, "expected bits=N, bytes=N, cycles=N or energy=N", *lpq, "--budget", "cycles=-1")
        self.refuse(2, "expected a number from 0", *lpq, "--lambda", "nan")
        self.refuse(2, "expected global-local, global, kl, mse", *lpq, "--objective", "best")
        self.refuse(2, "expected none with --method lpq", *lpq, "--weight-bits", "4")
        self.refuse(2, "expected none with --method fit", "--budget", "bits=4")
        self.refuse(2, "expected bits=N, bytes=N, cycles=N or energy=N", *lpq, "--budget", "bits=inf")
        self.refuse(2, "expected at least bits=2", *lpq, "--budget", "bits=1")
        self.refuse(2, "expected at least cycles=", *lpq, "--budget", "cycles=9")
        self.refuse(2, "expected at least energy=", *lpq, "--budget", "energy=0.1")
        self.refuse(2, "expected none without --budget energy=N", *lpq, "--budget", "bits=4", "--costs", self.folder / "c.json")
        self.refuse(2, "expected widths that the machine's PEs take", *lpq, "--budget", "energy=9", "--pe.weight_bits", "8,4")
        self.refuse(2, "expected at least 2 for a contrastive objective", *lpq, "--images", "1")
        self.refuse(2, "--checkpoint", *lpq, "--checkpoint", self.folder / "nowhere" / "search.json")
        self.refuse(2, "--array.rows", *lpq, "--array.rows", "banana")

    def test_images_that_are_all_the_same(self):
        write_npy(self.data / "images.npy", "|u1", (6, 6, 6, 2), bytes(6 * 6 * 6 * 2))
        self.refuse(3, "look alike", "--method", "lpq")

    def test_bits_of_a_layer_that_is_not_there(self):
        self.refuse(2, "'conv_x=4' is not valid, expected a layer that has weights, such as 'conv_", "--layer-bits",
                    "conv_x=4")
        self.refuse(2, "expected NAME=BITS with 8, 4 or 2 bits", "--layer-bits", "conv_a=3")
        self.refuse(2, "expected NAME=BITS with 8, 4 or 2 bits", "--layer-bits", "conv_a")

    def test_a_misspelt_key_of_a_configuration_file(self):
        file = self.folder / "run.ini"
        file.write_text("weight-bits = 8\nmetod = fit\n")
        self.refuse(3, f"{file}:2: unknown key 'metod'; did you mean 'method'?", "--config", file)

    def test_an_existing_output_folder(self):
        self.out.mkdir()
        (self.out / "quant.json").write_text("precious")
        self.refuse(2, "exists already; --force replaces it")
        self.assertEqual((self.out / "quant.json").read_text(), "precious")

    def test_an_output_folder_of_something_else_is_not_replaced(self):
        self.out.mkdir()
        (self.out / "thesis.tex").write_text("precious")
        self.refuse(2, "holds 'thesis.tex'", "--force")
        self.assertEqual((self.out / "thesis.tex").read_text(), "precious")

    def test_an_output_path_that_cannot_be_written(self):
        self.refuse(2, "cannot be written", out="/proc/nowhere/Q")
        self.refuse(2, "tiny.onnx", out=self.network / "Q")

    def test_a_failed_run_leaves_the_old_result(self):
        self.out.mkdir()
        (self.out / "quant.json").write_text("old")
        self.refuse(3, "none.onnx", "--force", network=self.folder / "none.onnx")
        self.assertEqual((self.out / "quant.json").read_text(), "old")

    def test_models_that_cannot_be(self):
        for message, extra in [("'slow' is not valid, expected fast, pin", ["--model", "slow"]),
                               ("'maybe' is not valid, expected on, off", ["--values", "maybe"]),
                               ("option '--values': off needs --model fast", ["--values", "off", "--model", "pin"]),
                               ("option '--check': needs --values on", ["--values", "off", "--check"]),
                               ("option '--vcd': needs --model pin", ["--vcd", self.folder / "w.vcd"])]:
            with self.subTest(message):
                self.fail_with(2, message, "run", "--network", self.network, "--quantized", self.out, "--dataset",
                               self.data, "--out", self.folder / "R", *extra)

    def test_a_quantized_network_that_is_missing(self):
        self.fail_with(3, "quant.json", "run", "--network", self.network, "--quantized", self.out, "--dataset",
                       self.data, "--images", "1", "--out", self.folder / "R")
        self.assertFalse((self.folder / "R").exists())


class Interrupt(ProgramTest):
    """Work long enough to be interrupted, on the network and images that the project ships."""

    def interrupt(self, number, out, *arguments):
        process = subprocess.Popen([LPASIM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        # The temporary folder beside the target shows that the work has begun.
        for _ in range(1000):
            if any(out.parent.iterdir()):
                break
            time.sleep(0.002)
        self.assertIsNone(process.poll(), msg="ended before it could be interrupted")
        process.send_signal(number)
        printed, error = process.communicate(timeout=120)
        self.assertEqual(printed, "")
        self.assertEqual(error, "lpasim: interrupted; nothing was written\n")
        self.assertEqual(list(out.parent.iterdir()), [], msg="something was left behind")
        return process.returncode

    def quantize(self, out):
        return ("quantize", "--network", SOURCE / "workloads/data/resnet20/resnet20.onnx", "--dataset",
                SOURCE / "workloads/data/cifar10/calibration", "--images", "128", "--threads", "1", "--out", out)

    def test_quantize_ends_cleanly(self):
        out = self.folder / "Q"
        self.assertEqual(self.interrupt(signal.SIGINT, out, *self.quantize(out)), 130)

    def test_a_termination_ends_cleanly_too(self):
        out = self.folder / "Q"
        self.assertEqual(self.interrupt(signal.SIGTERM, out, *self.quantize(out)), 143)


if __name__ == "__main__":
    unittest.main()

"""What the tests of the program share: running it, and writing networks and data sets without any library."""

import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

LPASIM = os.environ["LPASIM"]
SOURCE = pathlib.Path(os.environ["LPASIM_SOURCE"])


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def lpasim(*arguments, cwd=None):
    done = subprocess.run([LPASIM, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=280)
    return Result(done.returncode, done.stdout, done.stderr)


class ProgramTest(unittest.TestCase):
    """A test with a temporary folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lpasim-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def succeed(self, *arguments):
        result = lpasim(*arguments)
        self.assertEqual((result.code, result.err), (0, ""), msg=f"lpasim {arguments}\n{result.out}")
        return result.out

    def fail_with(self, code, message, *arguments):
        """The program ends with `code` and prints nothing but one line on stderr, which holds `message`."""
        result = lpasim(*arguments)
        self.assertEqual(result.code, code, msg=f"lpasim {arguments}\n{result.out}{result.err}")
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"\Alpasim: [^\n]+\n\Z")
        self.assertIn(message, result.err)


class TinyRunTest(ProgramTest):
    """Tests that run one tiny network, quantized to 8 bits, on three images; what they write goes to self.folder."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="lpasim-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.network = tiny_network(cls.shared / "tiny.onnx")
        cls.data = write_dataset(cls.shared / "data")
        cls.quantized = cls.shared / "Q"
        done = lpasim("quantize", "--network", cls.network, "--dataset", cls.data, "--images", "6", "--out",
                      cls.quantized)
        assert done.code == 0, done.err

    def arguments(self, *extra, images=3):
        return ("run", "--network", self.network, "--quantized", self.quantized, "--dataset", self.data, "--images",
                images, "--out", self.folder / "R", *extra)

    def names(self):
        """Everything in self.folder."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*"))

    def report(self):
        return json.loads((self.folder / "R" / "report.json").read_text())


def write_npy(path, dtype, shape, data):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data)


def write_dataset(folder, count=6, height=6, width=6, channels=2, seed=1):
    folder.mkdir()
    noise = random.Random(seed)
    write_npy(folder / "images.npy", "|u1", (count, height, width, channels),
              noise.randbytes(count * height * width * channels))
    write_npy(folder / "labels.npy", "|u1", (count,), bytes(noise.randrange(3) for _ in range(count)))
    (folder / "dataset.json").write_text(json.dumps({
        "name": "noise", "classes": ["a", "b", "c"], "mean": [0.5] * channels, "std": [0.25] * channels,
        "layout": "NHWC uint8", "origin": "random numbers", "split": "all"}))
    return folder


# The wire format of protocol buffers, as far as an ONNX file needs it.
def varint(number):
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, dims, values):
    raw = struct.pack(f"<{len(values)}f", *values)
    return b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name) + field(9, raw)


def ints(name, values):
    return field(1, name) + b"".join(field(8, v) for v in values) + field(20, 7)


def node(op, name, inputs, output, attributes=()):
    return (b"".join(field(1, i) for i in inputs) + field(2, output) + field(3, name) + field(4, op) +
            b"".join(field(5, a) for a in attributes))


def value_info(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def tiny_network(path, channels=2, size=6, seed=2, pool_op="GlobalAveragePool"):
    """conv 3x3 + ReLU, conv 1x1 + residual + ReLU, global average pooling, a fully connected layer to 3 classes."""
    noise = random.Random(seed)

    def weights(name, *dims):
        count = 1
        for d in dims:
            count *= d
        return tensor(name, dims, [noise.gauss(0, 0.5) for _ in range(count)])

    pads = ints("pads", [1, 1, 1, 1])
    graph = b"".join(field(1, n) for n in [
        node("Conv", "conv_a", ["x", "wa", "ba"], "a", [ints("kernel_shape", [3, 3]), pads]),
        node("Relu", "relu_a", ["a"], "ra"),
        node("Conv", "conv_b", ["ra", "wb", "bb"], "b", [ints("kernel_shape", [1, 1])]),
        node("Add", "add", ["b", "ra"], "s"),
        node("Relu", "relu_s", ["s"], "rs"),
        node(pool_op, "pool", ["rs"], "p"),
        node("Flatten", "flatten", ["p"], "f"),
        node("Gemm", "fc", ["f", "wc", "bc"], "y", [field(1, "transB") + field(3, 1) + field(20, 2)])])
    graph += field(2, "tiny")
    graph += b"".join(field(5, t) for t in [
        weights("wa", 5, channels, 3, 3), weights("ba", 5), weights("wb", 5, 5, 1, 1), weights("bb", 5),
        weights("wc", 3, 5), weights("bc", 3)])
    graph += field(11, value_info("x", [1, channels, size, size])) + field(12, value_info("y", [1, 3]))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path

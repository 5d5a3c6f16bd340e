#!/usr/bin/env python3
"""Writes the traces of the networks/ folder: make_traces.py LPASIM [FOLDER], the current folder if none is given.

Needs PyTorch, torchvision 0.14 and onnx (Debian 12: python3-torch, python3-torchvision, python3-onnx); no weights are
fetched. Exports each network's definition to ONNX and has `lpasim import` make a trace of it by every recipe. README.md
describes the file.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision

from make_tables import NETWORKS

OPSET = 17
SUFFIXES = {'w8': '', 'w4': '_w4', 'mixed': '_mixed'}


def export(model, file):
    """Writes the network as ONNX, for one image of 224 x 224."""
    image = torch.zeros(1, 3, 224, 224)
    torch.onnx.export(model.eval(), image, str(file), opset_version=OPSET, input_names=['input'], output_names=['output'])


def main():
    program = pathlib.Path(sys.argv[1])
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else '.')
    for name, make in NETWORKS.items():
        torch.manual_seed(1)
        model = make()
        parameters = sum(p.numel() for p in model.parameters())
        with tempfile.TemporaryDirectory() as temporary:
            network = pathlib.Path(temporary) / f'{name}.onnx'
            export(model, network)
            for recipe, suffix in SUFFIXES.items():
                subprocess.run([program, 'import', network, '--recipe', recipe, '--parameters', str(parameters),
                                '--source', f'torchvision {torchvision.__version__}, batch 1, 224x224, no weights',
                                '--out', folder / f'{name}{suffix}.json', '--force'], check=True)


if __name__ == '__main__':
    main()

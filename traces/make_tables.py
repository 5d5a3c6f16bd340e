#!/usr/bin/env python3
"""Writes the layer tables of this folder: make_tables.py [FOLDER], the current folder if none is given.

Needs PyTorch and torchvision 0.14 (Debian 12: python3-torch, python3-torchvision); no weights are fetched. Runs each
network once on noise of 1 x 3 x 224 x 224 and notes the shapes that its layers see. README.md describes the columns.
"""
import csv
import pathlib
import sys

import torch
import torchvision
from torch import nn
from torchvision.models import VisionTransformer
from torchvision.models.swin_transformer import ShiftedWindowAttention

GEOMETRY = ['in_c', 'in_h', 'in_w', 'out_c', 'out_h', 'out_w', 'kh', 'kw', 'stride', 'pad', 'groups']
ATTENTION = (nn.MultiheadAttention, ShiftedWindowAttention)
NETWORKS = {name: getattr(torchvision.models, name)
            for name in ['resnet18', 'resnet34', 'resnet50', 'mobilenet_v2', 'vit_b_16', 'swin_t']}
# Image size, patch size, layers, heads, width, width within the MLP.
NETWORKS['deit_tiny_16'] = lambda: VisionTransformer(224, 16, 12, 3, 192, 768)
NETWORKS['deit_small_16'] = lambda: VisionTransformer(224, 16, 12, 6, 384, 1536)


def layer_table(model):
    """The rows of a model's table, in the order of execution."""
    rows = []
    names = {module: name for name, module in model.named_modules()}

    def add(name, kind, count, m, n, k, weights, geometry=None):
        rows.append({'idx': len(rows), 'name': name, 'kind': kind, 'count': count, 'M': m, 'N': n, 'K': k,
                     **(geometry or dict.fromkeys(GEOMETRY, '')), 'weights': weights, 'macs': count * m * n * k})

    def conv(module, inputs, output):
        _, in_c, in_h, in_w = inputs[0].shape
        _, out_c, out_h, out_w = output.shape
        (kh, kw), groups = module.kernel_size, module.groups
        assert module.stride[0] == module.stride[1] and module.padding[0] == module.padding[1]
        assert module.dilation == (1, 1)
        geometry = [in_c, in_h, in_w, out_c, out_h, out_w, kh, kw, module.stride[0], module.padding[0], groups]
        add(names[module], 'conv', groups, out_h * out_w, out_c // groups, in_c // groups * kh * kw,
            module.weight.numel(), dict(zip(GEOMETRY, geometry)))

    def linear(module, inputs, _):
        tokens = inputs[0].numel() // inputs[0].shape[-1]
        add(names[module], 'linear', 1, tokens, module.out_features, module.in_features, module.weight.numel())

    def attention(name, projection, windows, tokens, width, heads):
        add(name + '.qkv', 'linear', 1, windows * tokens, 3 * width, width, 3 * width * width)
        add(name + '.qk', 'matmul', windows * heads, tokens, tokens, width // heads, 0)
        add(name + '.av', 'matmul', windows * heads, tokens, width // heads, tokens, 0)
        add(name + projection, 'linear', 1, windows * tokens, width, width, width * width)

    def multi_head(module, _, output):
        attention(names[module], '.out_proj', 1, output[0].shape[1], module.embed_dim, module.num_heads)

    def windowed(module, inputs, _):
        _, height, width, channels = inputs[0].shape
        size = module.window_size[0]
        windows = -(-height // size) * -(-width // size)  # The map is padded to whole windows.
        attention(names[module], '.proj', windows, size * size, channels, module.num_heads)

    hooks = {nn.Conv2d: conv, nn.Linear: linear, nn.MultiheadAttention: multi_head, ShiftedWindowAttention: windowed}
    within_attention = {part for module in model.modules() if isinstance(module, ATTENTION)
                        for part in module.modules() if part is not module}
    for module in model.modules():
        if module not in within_attention:
            for kind, hook in hooks.items():
                if isinstance(module, kind):
                    module.register_forward_hook(hook)
    model.eval()
    with torch.no_grad():
        model(torch.randn(1, 3, 224, 224))
    return rows


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.')
    for name, make in NETWORKS.items():
        model = make()
        rows = layer_table(model)
        with open(folder / f'{name}.csv', 'w', newline='') as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator='\n')
            writer.writeheader()
            writer.writerows(rows)
        print(f"{name}: {len(rows)} layers, {sum(row['macs'] for row in rows) / 1e6:.2f} MMAC, "
              f"{sum(row['weights'] for row in rows):,} weights, "
              f'{sum(p.numel() for p in model.parameters()):,} parameters')


if __name__ == '__main__':
    main()

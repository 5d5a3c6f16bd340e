"""Export the trained ResNet-20 to ONNX and record its fp32 logits.

usage: export_onnx.py CIFAR_DIR WEIGHTS.pt OUT_STEM
CIFAR_DIR and WEIGHTS.pt are those of train_resnet20.py. Writes OUT_STEM.onnx (opset 13, batch 1, batch normalisation
folded) and OUT_STEM_test512_logits.npy (float32 [512,10], the first 512 test images in order), and prints top-1 over
those 512 and over all test images.
"""
import sys

import numpy as np
import onnx
import torch

from train_resnet20 import MEAN, STD, ResNet20, load


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, weights, stem = sys.argv[1:]
    torch.set_num_threads(1)
    net = ResNet20()
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    net.eval()
    torch.onnx.export(net, torch.randn(1, 3, 32, 32), stem + ".onnx", opset_version=13,
                      input_names=["input"], output_names=["logits"])
    onnx.checker.check_model(onnx.load(stem + ".onnx"))
    x, y = load(folder, "test")
    with torch.no_grad():
        logits = torch.cat([net((x[i:i + 500].float() / 255 - MEAN) / STD) for i in range(0, len(x), 500)])
    np.save(stem + "_test512_logits.npy", logits[:512].numpy())
    hits = logits.argmax(1) == y
    print(f"{sum(p.numel() for p in net.parameters())} parameters, top-1 {hits[:512].float().mean():.4f} (512), "
          f"{hits.float().mean():.4f} ({len(y)})")


if __name__ == "__main__":
    main()

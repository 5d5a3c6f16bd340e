"""What the training and export scripts of the networks for CIFAR-10 share (PyTorch, CPU).

CIFAR_DIR of those scripts holds train_u8.npz and test_u8.npz: x uint8 [N,32,32,3], y [N]. A network's input is
(x/255 - mean)/std.
"""
import sys

import numpy as np
import torch

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)


def load(folder, split):
    z = np.load(f"{folder}/{split}_u8.npz")
    return torch.from_numpy(z["x"]).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(z["y"].astype(np.int64))


def logits(net, x):
    with torch.no_grad():
        return torch.cat([net((x[i:i + 500].float() / 255 - MEAN) / STD) for i in range(0, len(x), 500)])


def accuracy(net, x, y):
    net.eval()
    hits = (logits(net, x).argmax(1) == y).float().mean().item()
    net.train()
    return hits


def export_main(net, usage):
    """main() of an export script: command line CIFAR_DIR WEIGHTS.pt OUT_STEM."""
    import onnx
    if len(sys.argv) != 4:
        sys.exit(usage)
    folder, weights, stem = sys.argv[1:]
    torch.set_num_threads(1)
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    net.eval()
    torch.onnx.export(net, torch.randn(1, 3, 32, 32), stem + ".onnx", opset_version=13,
                      input_names=["input"], output_names=["logits"])
    onnx.checker.check_model(onnx.load(stem + ".onnx"))
    x, y = load(folder, "test")
    result = logits(net, x)
    np.save(stem + "_test512_logits.npy", result[:512].numpy())
    hits = result.argmax(1) == y
    print(f"{sum(p.numel() for p in net.parameters())} parameters, top-1 {hits[:512].float().mean():.4f} (512), "
          f"{hits.float().mean():.4f} ({len(y)})")

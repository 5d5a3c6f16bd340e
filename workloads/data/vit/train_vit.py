"""Train the small ViT for CIFAR-10 that ships as the default transformer; CPU only.

Convolutional stem to 8x8 tokens, 6 pre-norm blocks, width 128, 4 heads, MLP ratio 2, GELU, class token.
usage: train_vit.py CIFAR_DIR EPOCHS OUT.pt [THREADS [INIT.pt PEAK_LR]]
CIFAR_DIR and the input are those of ../cifar10/training.py. Test accuracy is printed every epoch and selects nothing.
"""
import math, pathlib, sys, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cifar10"))
from training import MEAN, STD, accuracy, load


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, mlp_ratio * dim), nn.Linear(mlp_ratio * dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        attention = ((q * (dim // self.heads) ** -0.5) @ k.transpose(-2, -1)).softmax(-1)
        x = x + self.proj((attention @ v).transpose(1, 2).reshape(batch, tokens, dim))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, dim=128, depth=6, heads=4, mlp_ratio=2, classes=10):
        super().__init__()
        self.embed = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
                                   nn.Conv2d(64, dim, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2))
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, 65, dim) * 0.02)
        self.blocks = nn.Sequential(*[Block(dim, heads, mlp_ratio) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x))[:, 0])


def main():
    folder, epochs, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    torch.manual_seed(0)
    np.random.seed(0)
    x, y = load(folder, "train")
    tx, ty = load(folder, "test")
    net, batch, peak = ViT(), 128, 1e-3
    if len(sys.argv) > 6:
        net.load_state_dict(torch.load(sys.argv[5]))
        peak = float(sys.argv[6])
    steps = len(x) // batch
    total_steps, warmup = epochs * steps, steps * min(2, epochs)
    opt = torch.optim.AdamW(net.parameters(), lr=peak, weight_decay=0.05)
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda t: min((t + 1) / warmup, 0.5 * (1 + math.cos(math.pi * t / total_steps))))
    start = time.time()
    for epoch in range(epochs):
        order, total = torch.randperm(len(x)), 0.0
        for step in range(steps):
            idx = order[step * batch:(step + 1) * batch]
            img = F.pad(x[idx].float() / 255 - MEAN, (4, 4, 4, 4))
            dx, dy = np.random.randint(0, 9, 2)
            img = img[:, :, dy:dy + 32, dx:dx + 32] / STD
            img = torch.where((torch.rand(batch) < 0.5).view(-1, 1, 1, 1), img.flip(3), img)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(img).float(), y[idx], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            sched.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs} loss {total / steps:.3f} test_top1 {accuracy(net, tx, ty):.4f} "
              f"s {time.time() - start:.0f}", flush=True)
        torch.save(net.state_dict(), out)


if __name__ == "__main__":
    main()

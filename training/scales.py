"""Whether other scales would make 4 bits better: cosines of DINOv2's patch tokens with those of f32, mean and least, by how
each group of 32 weights of the MLPs chooses its scale. Attention has 8 bits, as `internvit` writes it.

    python training/scales.py target/dinov2-small

Needs torch, transformers, numpy and Pillow. The five photographs are the page's samples; what weighs is measured on them too.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import Dinov2Model

SIDE = 448
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
SMALLER = np.linspace(0.7, 1, 13)
# Whether the squared error is weighted by the mean square of the inputs to a power, and which scales are tried.
WAYS = {
    "as it is": (0, [1]),
    "smaller scales too": (0, SMALLER),
    "weighted": (1, [1]),
    "weighted, smaller scales too": (1, SMALLER),
    "weighted by the root, smaller scales too": (0.5, SMALLER),
}


def photographs():
    folder = Path(__file__).parent.parent / "www/samples"
    for path in sorted(folder.iterdir()):
        picture = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.BICUBIC)
        yield ((torch.tensor(np.array(picture)) / 255 - MEAN) / DEVIATION).permute(2, 0, 1)


def eight(w):
    scale = w.abs().amax(1, keepdim=True) / 127
    return (w / scale).round().clamp(-127, 127) * scale


def four(w, weights, ratios):
    rows, columns = w.shape
    groups = w.reshape(rows, columns // 32, 32)
    weights = weights.reshape(1, columns // 32, 32)
    largest = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    best, least = torch.zeros_like(groups), torch.full_like(largest, torch.inf)
    # The largest value becomes the code -8 or 7, or lies beyond.
    for code in (-8.0, 7.0):
        for ratio in ratios:
            scale = (largest / code * ratio).half().float()
            scale = torch.where(scale == 0, 1, scale)
            rounded = (groups / scale).round().clamp(-8, 7) * scale
            error = ((rounded - groups) ** 2 * weights).sum(2, keepdim=True)
            best, least = torch.where(error < least, rounded, best), error.minimum(least)
    return best.reshape(rows, columns)


@torch.no_grad()
def main():
    model = Dinov2Model.from_pretrained(sys.argv[1]).eval()
    x = torch.stack(list(photographs()))
    layers = {name: m for name, m in model.encoder.named_modules() if isinstance(m, torch.nn.Linear)}
    published = {name: m.weight.clone() for name, m in layers.items()}
    squares = {}

    def hook(name):
        def see(_module, given, _y):
            squares[name] = given[0].square().mean((0, 1))

        return see

    hooks = [m.register_forward_hook(hook(name)) for name, m in layers.items()]
    exact = model(x).last_hidden_state[:, 1:]
    for h in hooks:
        h.remove()
    for way, (power, ratios) in WAYS.items():
        for name, m in layers.items():
            w = published[name]
            m.weight.copy_(eight(w) if "attention" in name else four(w, squares[name] ** power, ratios))
        cosines = F.cosine_similarity(model(x).last_hidden_state[:, 1:], exact, dim=-1)
        print(f"| {way} | {cosines.mean():.5f} | {cosines.min():.4f} |", flush=True)


main()

"""Fits the head of materials that comes with DINOv2 ViT-S/14: a linear classifier on its frozen patch features, taught
by the procedural scenes that InternViT-Tiny learned from.

    python training/materials_head.py --internvit target/release/internvit --out www/models/dinov2-small/materials.safetensors

A patch is an example where one material covers most of it. Every material has the same weight, whatever its share of
the scenes. The same seed gives the same head.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

import materials
from evaluate import call
from scenes import scene

SEED, TEXTURES, SIDE, PATCH = 7, 24, 448, 14  # evaluate.py has a seed of its own
PURE = 0.8  # of a patch's pixels
DECAY, STEPS = 1e-4, 400


def example_labels(label):
    """[h·w]: the material of each patch, -1 where none covers enough of it."""
    n = len(label) // PATCH
    patches = label[: n * PATCH, : n * PATCH].reshape(n, PATCH, n, PATCH).swapaxes(1, 2).reshape(n * n, -1)
    counts = np.stack([(patches == kind).sum(1) for kind in range(len(materials.NAMES))], 1)
    return np.where(counts.max(1) >= PURE * PATCH**2, counts.argmax(1), -1)


def gathered(a, folder):
    """Features `[n, C]` and materials `[n]` of the pure patches of all scenes."""
    bank = materials.bank(SEED, TEXTURES)
    x, y = [], []
    for first in range(0, a.scenes, 20):
        drawn = [scene(SEED, i, bank, SIDE) for i in range(first, min(first + 20, a.scenes))]
        files = [folder / f"{i}.png" for i in range(len(drawn))]
        for file, s in zip(files, drawn):
            Image.fromarray(s.rgb).save(file)
        out = folder / "features.safetensors"
        call(a.internvit, "encode", *files, "--model", a.model, "--image-size", SIDE, "--hidden-states",
             ",".join(map(str, a.layers)), "--out", out)
        features = load_file(out)
        for i, s in enumerate(drawn):
            kinds = example_labels(s.material)
            tokens = np.concatenate([features[f"hidden_states.{n}"][i, 1:] for n in a.layers], 1)
            x.append(tokens[kinds >= 0].astype(np.float32))
            y.append(kinds[kinds >= 0])
        print(f"{first + len(drawn)} of {a.scenes} scenes", flush=True)
    return np.concatenate(x), np.concatenate(y)


def fitted(x, y, classes):
    """Weights `[classes, C]` and biases of softmax regression, by Nesterov's accelerated gradient."""
    share = np.bincount(y, minlength=classes)
    weight = (1 / np.maximum(share, 1)[y] / (share > 0).sum()).astype(np.float32)
    x = np.concatenate([x / np.sqrt(x.shape[1]), np.ones((len(x), 1), np.float32)], 1)
    bend = 0.5 * float((weight * (x**2).sum(1)).sum()) + DECAY
    now = before = np.zeros((classes, x.shape[1]), np.float32)
    target = np.eye(classes, dtype=np.float32)[y]
    for step in range(STEPS):
        ahead = now + step / (step + 3) * (now - before)
        scores = x @ ahead.T
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        slope = ((p - target) * weight[:, None]).T @ x + DECAY * ahead
        before, now = now, ahead - slope / bend
    return now[:, :-1] / np.sqrt(x.shape[1] - 1), now[:, -1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit", help="the command line's binary")
    arguments.add_argument("--model", default="dinov2-small")
    arguments.add_argument("--layers", type=int, nargs="+", default=[8, 12], help="blocks, from 1")
    arguments.add_argument("--scenes", type=int, default=200)
    arguments.add_argument("--out", type=Path, required=True)
    a = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        x, y = gathered(a, Path(folder))
    mean, variance = x.mean(0, dtype=np.float64), x.var(0, dtype=np.float64)
    x = ((x - mean) / np.sqrt(variance + 1e-5)).astype(np.float32)
    classes = len(materials.NAMES)
    weight, bias = fitted(x, y, classes)
    print(f"{len(y)} patches, {(np.argmax(x @ weight.T + bias, 1) == y).mean():.3f} of them right")
    tensors = {
        "norm.weight": np.ones_like(mean), "norm.bias": np.zeros_like(mean), "norm.running_mean": mean,
        "norm.running_var": variance, "conv_seg.weight": weight[:, :, None, None], "conv_seg.bias": bias,
    }
    about = {"head": "linear", "out_indices": [n - 1 for n in a.layers], "num_classes": classes,
             "classes": materials.NAMES, "palette": materials.PALETTE, "whole": True}
    tensors = {f"decode_head.{name}": np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
    save_file(tensors, a.out, {"segmentation": json.dumps(about)})


if __name__ == "__main__":
    main()

"""What few bits cost the bundled model, through the command line itself: the model is converted to
int8 and int4, and each photograph in www/samples is encoded with it and with the weights as they are;
w8a8 is int8 on a GPU, a software adapter where there is no other.

- by layer: relative L2 difference of the hidden states, and the mean cosine of patch tokens
- mIoU of the model's own head on the scenes of evaluate.py

    cargo build --release
    python training/quantise.py --internvit target/release/internvit --out docs/quantization.md
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from evaluate import HERE, call, on_scenes, table

START, END = "<!-- figures -->\n", "<!-- end -->\n"


def hidden_states(a, model, folder, device=None, dtype="f32"):
    """[layers + 1][photographs, tokens, channels]"""
    photos = sorted(path for path in a.samples.iterdir() if path.suffix in (".png", ".jpg"))
    layers = ",".join(map(str, range(a.layers + 1)))
    out = folder / "features.safetensors"
    call(a.internvit, "encode", *photos, "--model", model, "--hidden-states", layers, "--device", device or a.device,
         "--dtype", dtype, "--out", out)
    features = load_file(out)
    return [features[f"hidden_states.{i}"].astype(np.float64) for i in range(a.layers + 1)]


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def cosine(found, expected):
    """The mean over patch tokens, which follow the class token."""
    a, b = found[:, 1:], expected[:, 1:]
    return ((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit", help="the command line's binary")
    arguments.add_argument("--model", type=Path, default=HERE.parent / "www/models/internvit-tiny")
    arguments.add_argument("--samples", type=Path, default=HERE.parent / "www/samples", help="folder of the photographs")
    arguments.add_argument("--layers", type=int, default=12)
    arguments.add_argument("--scenes", type=int, default=40)
    arguments.add_argument("--image-size", type=int, default=448, help="side of the scenes that the model sees")
    arguments.add_argument("--device", default="cpu", help="as internvit takes it")
    arguments.add_argument("--out", type=Path, help="the document whose figures are replaced")
    a = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        expected, model = hidden_states(a, a.model, folder), a.model
        whole, stored = on_scenes(a, folder), sum(f.stat().st_size for f in a.model.glob("*.safetensors"))
        ends = [["as published", f"{stored / 1e6:.1f}", "0", "1", f"{whole['miou']:.4f}", f"{whole['accuracy']:.4f}"]]
        layers = [[i] for i in range(a.layers + 1)]
        for name, bits, device, dtype in (
            ("int8", "int8", a.device, "f32"), ("w8a8", "int8", "gpu", "w8a8"), ("int4", "int4", a.device, "f32"),
        ):
            a.model = folder / bits
            if not a.model.exists():
                call(a.internvit, "convert", model, "--dtype", bits, "--out", a.model)
            found = hidden_states(a, a.model, folder, device, dtype)
            for row, f, e in zip(layers, found, expected):
                row += [f"{relative(f, e):.2e}", f"{cosine(f, e):.5f}"]
            there = on_scenes(a, folder, device, dtype)
            stored = sum(f.stat().st_size for f in a.model.glob("*.safetensors"))
            ends.append([name, f"{stored / 1e6:.1f}", *layers[-1][-2:], f"{there['miou']:.4f}", f"{there['accuracy']:.4f}"])
    text = table(["weights", "MB", "relative L2", "cosine", "mIoU", "accuracy"], ends)
    text += "\n" + table(["after block", "int8: L2", "cosine", "w8a8: L2", "cosine", "int4: L2", "cosine"], layers)
    print(text)
    if a.out:
        before, after = a.out.read_text().split(START)[0], a.out.read_text().split(END)[1]
        a.out.write_text(before + START + text + END + after)


if __name__ == "__main__":
    main()

"""What the precisions cost a model's patch tokens: bytes of its weights, and the mean and the least cosine with those of
f32, over the photographs of a folder, at several sizes. The model is converted to each type of weights first.

    python training/rounding.py --internvit target/release/internvit --model target/dinov2-small
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from evaluate import HERE, call, table

TYPES = ("f32", "f16", "int8", "int4")


def features(a, model, folder, size):
    photos = sorted(path for path in a.samples.iterdir() if path.suffix in (".png", ".jpg"))
    out = folder / "features.safetensors"
    call(a.internvit, "encode", *photos, "--model", model, "--image-size", size, "--resize", "squash",
         "--device", a.device, "--out", out)
    return load_file(out)["last_hidden_state"][:, a.prefix :].astype(np.float64)


def cosines(found, expected):
    return (found * expected).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(expected, axis=-1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit", help="the command line's binary")
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--samples", type=Path, default=HERE.parent / "www/samples", help="folder of the photographs")
    arguments.add_argument("--image-sizes", type=int, nargs="+", default=[224, 448, 518])
    arguments.add_argument("--prefix", type=int, default=1, help="tokens before the patches")
    arguments.add_argument("--device", default="cpu", help="as internvit takes it")
    a = arguments.parse_args()
    rows, expected = [], {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for dtype in TYPES:
            call(a.internvit, "convert", a.model, "--dtype", dtype, "--out", folder / dtype)
            row = [dtype, f"{sum(f.stat().st_size for f in (folder / dtype).glob('*.safetensors')) / 1e6:.1f}"]
            for size in a.image_sizes:
                found = features(a, folder / dtype, folder, size)
                each = cosines(found, expected.setdefault(size, found))
                row += [f"{each.mean():.5f}", f"{each.min():.4f}"]
            rows.append(row)
    print(table(["weights", "MB", *(title for size in a.image_sizes for title in (f"{size}: mean", "least"))], rows))


if __name__ == "__main__":
    main()

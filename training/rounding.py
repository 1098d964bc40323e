"""What few bits cost a model's patch tokens: their cosines with those of the weights as they are, and the relative L2
difference, over the photographs of a folder. The model is converted to each type first.

    python training/rounding.py --internvit target/release/internvit --model target/dinov2-small
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from evaluate import HERE, call, table

TYPES = ("int8", "int4")


def features(a, model, folder):
    photos = sorted(path for path in a.samples.iterdir() if path.suffix in (".png", ".jpg"))
    out = folder / "features.safetensors"
    call(a.internvit, "encode", *photos, "--model", model, "--image-size", a.image_size, "--resize", "squash",
         "--hidden-states", ",".join(map(str, a.layers)), "--device", a.device, "--out", out)
    found = load_file(out)
    names = ["last_hidden_state", *(f"hidden_states.{n}" for n in a.layers)]
    return {name: found[name][:, a.prefix :].astype(np.float64) for name in names}


def compared(found, expected):
    cosines = (found * expected).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(expected, axis=-1)
    relative = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    return f"{cosines.mean():.4f}", f"{cosines.min():.4f}", f"{relative:.4f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit", help="the command line's binary")
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--samples", type=Path, default=HERE.parent / "www/samples", help="folder of the photographs")
    arguments.add_argument("--image-size", type=int, default=448)
    arguments.add_argument("--layers", type=int, nargs="+", default=[8, 12])
    arguments.add_argument("--prefix", type=int, default=1, help="tokens before the patches")
    arguments.add_argument("--device", default="cpu", help="as internvit takes it")
    a = arguments.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        expected = features(a, a.model, folder)
        for dtype in TYPES:
            call(a.internvit, "convert", a.model, "--dtype", dtype, "--out", folder / dtype)
            found = features(a, folder / dtype, folder)
            rows += [[dtype, name, *compared(found[name], expected[name])] for name in expected]
    print(table(["weights", "tensor", "cosine, mean", "cosine, least", "relative L2"], rows))


if __name__ == "__main__":
    main()

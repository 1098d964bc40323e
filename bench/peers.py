"""The same weights and the same input through PyTorch, onnxruntime and `internvit`, on the CPU (or, for
PyTorch, --torch-device cuda), in one go: medians and how far the outputs differ.

    python bench/peers.py --internvit target/release/internvit --model www/model

Needs torch, onnx, onnxscript, onnxruntime, numpy, safetensors. --model is a folder in OpenGVLab's names
with LayerNorm; --export keeps the ONNX file, which bench/browser.mjs takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save_file
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
import model as pytorch  # noqa: E402

pytorch.cosines = lambda c, patch: torch.zeros(c, 3, patch, patch)  # weights are loaded, not begun


def median(call, runs):
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        out = call()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2], out


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit")
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--torch-device", default="cpu")
    arguments.add_argument("--export", type=Path, help="folder for the ONNX file")
    arguments.add_argument("--json", type=Path)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)

    config = {"layer_norm_eps": 1e-6} | json.loads((a.model / "config.json").read_text())
    model = pytorch.InternViT(config).eval()
    weights = load_file(a.model / "model.safetensors")
    weights = {k.removeprefix("vision_model."): v.float() for k, v in weights.items() if not k.startswith("decode_head")}
    model.load_state_dict(weights)
    side = config["image_size"]
    x = torch.randn(1, 3, side, side)
    rows, outputs = {}, {}

    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_file({"pixel_values": x.numpy()}, folder / "input.safetensors")
        out = folder / "features.safetensors"

        def ours(*words):
            done = subprocess.run([a.internvit, *map(str, words), "--model", a.model, "--device", "cpu", "--json"], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            return json.loads(done.stdout)

        ours("encode", "--pixel-values", folder / "input.safetensors", "--out", out)
        measured = ours("bench", "--runs", a.runs)
        rows["internvit, CPU"] = measured["encode"]["median_ms"]
        print(f"internvit: peak {measured['memory']['host_peak_bytes'] / 1e6:.0f} MB, weights {measured['memory']['weight_bytes'] / 1e6:.0f} MB")
        outputs["internvit, CPU"] = load_numpy(out)["last_hidden_state"]
        for kind in [torch.float32] + ([torch.bfloat16] if a.torch_device != "cpu" else []):
            there = model.to(a.torch_device, kind)
            given = x.to(a.torch_device, kind)

            def run():
                y = there(given)
                return y.float().cpu()

            name = f"PyTorch {torch.__version__}, {a.torch_device}, {str(kind).split('.')[1]}, SDPA"
            rows[name], y = median(run, a.runs)
            outputs[name] = y.numpy()
        model.to("cpu", torch.float32)
        where = a.export or folder
        where.mkdir(parents=True, exist_ok=True)
        file = where / "model.onnx"
        torch.onnx.export(model, (x,), file, input_names=["pixel_values"], output_names=["last_hidden_state"],
                          opset_version=23, dynamo=True, external_data=sum(p.numel() for p in model.parameters()) > 1e8, verbose=False)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = a.threads
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        name = f"onnxruntime {onnxruntime.__version__}, CPU"
        rows[name], y = median(lambda: session.run(None, {"pixel_values": x.numpy()})[0], a.runs)
        outputs[name] = y

    truth = outputs[next(n for n in outputs if n.startswith("PyTorch") and "float32" in n)]
    ours_ms = rows["internvit, CPU"]
    result = []
    for name, ms in rows.items():
        error = float(np.linalg.norm(outputs[name] - truth) / np.linalg.norm(truth))
        result.append({"who": name, "median_ms": round(ms, 2), "ratio": round(ms / ours_ms, 3), "relative_l2": error})
        print(f"{name:44} {ms:10.1f} ms   {ms / ours_ms:5.2f} x   differs from PyTorch f32 by {error:.1e}")
    if a.json:
        a.json.write_text(json.dumps({"model": config, "runs": a.runs, "threads": a.threads, "rows": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()

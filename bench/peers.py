"""The same weights and the same input through PyTorch, onnxruntime and `internvit`, in one go: medians and
how far the outputs differ. On a GPU: PyTorch in f32 and bfloat16 with SDPA, `internvit` in f32 and f16.

    python bench/peers.py --internvit target/release/internvit --model www/models/internvit-tiny
    python bench/peers.py --internvit target/release/internvit --model DIR --gpu --batch 16

Needs torch, onnx, onnxscript, onnxruntime, numpy, safetensors. --model is a folder in OpenGVLab's names;
--export keeps the ONNX file, which bench/browser.mjs takes.
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


class FullWidthNorm(pytorch.Attention):
    """InternViT-6B's attention: RMSNorm over all heads' queries and keys, no bias."""

    def __init__(self, c, heads, eps):
        super().__init__(c, heads)
        self.qkv = torch.nn.Linear(c, 3 * c, bias=False)
        self.q_norm, self.k_norm = torch.nn.RMSNorm(c, eps), torch.nn.RMSNorm(c, eps)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = (t.view(b, n, self.heads, c // self.heads).transpose(1, 2) for t in (self.q_norm(q), self.k_norm(k), v))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))


def adapt(model, config):
    """Makes InternViT-6B's kind of block of the 300M's where the configuration says so."""
    c, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    for block in model.modules():
        if isinstance(block, pytorch.Block):
            if config["norm_type"] == "rms_norm":
                block.norm1, block.norm2 = torch.nn.RMSNorm(c, eps), torch.nn.RMSNorm(c, eps)
            if config["qk_normalization"]:
                block.attn = FullWidthNorm(c, heads, eps)
    return model


def median(call, runs):
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        out = call()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2], out


def onnx(a, model, x, folder, rows, outputs):
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


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit")
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--gpu", action="store_true", help="CUDA for PyTorch, any adapter for internvit; no onnxruntime")
    arguments.add_argument("--export", type=Path, help="folder for the ONNX file")
    arguments.add_argument("--json", type=Path)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)

    config = {"layer_norm_eps": 1e-6} | json.loads((a.model / "config.json").read_text())
    model = adapt(pytorch.InternViT(config), config).eval()
    weights = load_file(a.model / "model.safetensors")
    weights = {k.removeprefix("vision_model."): v.float() for k, v in weights.items() if not k.startswith("decode_head")}
    model.load_state_dict(weights)
    side = config["image_size"]
    x = torch.randn(a.batch, 3, side, side)
    rows, outputs = {}, {}
    place = "cuda" if a.gpu else "cpu"

    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_file({"pixel_values": x.numpy()}, folder / "input.safetensors")
        out = folder / "features.safetensors"

        def ours(*words):
            device = ["--device", "gpu" if a.gpu else "cpu"]
            done = subprocess.run([a.internvit, *map(str, words), "--model", a.model, *device, "--json"], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            return json.loads(done.stdout)

        for dtype in ["f32", "f16"] if a.gpu else ["f32"]:
            ours("encode", "--pixel-values", folder / "input.safetensors", "--out", out, "--dtype", dtype)
            measured = ours("bench", "--runs", a.runs, "--batch", a.batch, "--dtype", dtype)
            device = measured["device"]["name"]
            name = f"internvit, {device}, {dtype}"
            rows[name] = measured["encode"]["median_ms"]
            memory = measured["memory"]
            print(f"{name}: host at most {memory['host_peak_bytes'] / 1e6:.0f} MB, weights {memory['weight_bytes'] / 1e6:.0f} MB, "
                  f"activations {memory['slot_bytes'] / 1e6:.0f} MB")
            outputs[name] = load_numpy(out)["last_hidden_state"]
        for kind in [torch.float32] + ([torch.bfloat16] if a.gpu else []):
            there = model.to(place, kind)
            given = x.to(place, kind)
            # As internvit's figure: from pixels on the host to features on the host.
            pinned = x.pin_memory() if a.gpu else x

            def run():
                y = there(pinned.to(place, kind) if a.gpu else given)
                return y.float().cpu()

            name = f"PyTorch {torch.__version__}, {place}, {str(kind).split('.')[1]}, SDPA"
            rows[name], y = median(run, a.runs)
            outputs[name] = y.numpy()
            if a.gpu:
                for m, n, k in [(1025, 4096, 1024), (1025, 12800, 3200), (4096, 4096, 4096)]:
                    p, q = torch.randn(m, k, device=place, dtype=kind), torch.randn(n, k, device=place, dtype=kind)

                    def product():
                        for _ in range(20):
                            r = p @ q.T
                        torch.cuda.synchronize()
                        return r

                    ms, _ = median(product, a.runs)
                    print(f"PyTorch {str(kind).split('.')[1]} product {m} × {n} × {k}: {2e-9 * m * n * k * 20 / ms:.1f} TFLOP/s")
        model.to("cpu", torch.float32)
        if not a.gpu:
            onnx(a, model, x, folder, rows, outputs)

    truth = outputs[next(n for n in outputs if n.startswith("PyTorch") and "float32" in n)]
    ours_ms = next(ms for name, ms in rows.items() if name.startswith("internvit"))
    result = []
    for name, ms in rows.items():
        error = float(np.linalg.norm(outputs[name] - truth) / np.linalg.norm(truth))
        result.append({"who": name, "median_ms": round(ms, 2), "ratio": round(ms / ours_ms, 3), "relative_l2": error})
        print(f"{name:44} {ms:10.1f} ms   {ms / ours_ms:5.2f} x   differs from PyTorch f32 by {error:.1e}")
    if a.json:
        a.json.write_text(json.dumps({"model": config, "runs": a.runs, "threads": a.threads, "batch": a.batch, "rows": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()

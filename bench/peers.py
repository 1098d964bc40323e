"""The same weights and the same input through PyTorch, onnxruntime and `internvit`, in one go: medians and
how far the outputs differ. On a GPU: PyTorch in f32 and bfloat16 with SDPA, `internvit` in f32 and f16.

    python bench/peers.py --internvit target/release/internvit --model www/models/internvit-tiny
    python bench/peers.py --internvit target/release/internvit --model DIR --gpu --batch 16
    python bench/peers.py --internvit target/release/internvit --family clip-b32 --export target/peers-clip

Needs torch, onnx, onnxscript, onnxruntime, numpy, safetensors, and transformers for a family. --model is a folder in
OpenGVLab's names; --family a shape of another encoder, with random weights as `transformers` writes and runs them.
--export keeps the ONNX files, and a family's model in the folder `model`: bench/browser.mjs takes both.
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


# What `transformers` calls them, and what differs from its defaults.
FAMILIES = {
    "dinov2-s": ("Dinov2", {"hidden_size": 384, "num_attention_heads": 6, "patch_size": 14, "image_size": 518}),
    "clip-b32": ("CLIPVision", {"hidden_size": 768, "num_attention_heads": 12, "patch_size": 32, "image_size": 224}),
    "siglip-b16": ("SiglipVision", {"hidden_size": 768, "num_attention_heads": 12, "patch_size": 16, "image_size": 224}),
}


def published(a, folder):
    """A family's model by `transformers`, with random weights, saved in a folder; its shape and itself."""
    import transformers

    name, shape = FAMILIES[a.family]
    shape = shape | ({"image_size": a.size} if a.size else {})
    make = getattr(transformers, f"{name}Model")
    make(getattr(transformers, f"{name}Config")(**shape)).save_pretrained(folder)
    loaded = make.from_pretrained(folder, attn_implementation="sdpa").eval()

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = loaded

        def forward(self, pixel_values):
            return self.inner(pixel_values=pixel_values).last_hidden_state

    return shape, Tokens()


def median(call, runs):
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        out = call()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2], out


def fused(model, file, heads):
    """Writes the graph anew with the node that transformers.js' graphs have for attention, `MultiHeadAttention`, in place
    of opset 23's, which attends by heads: the transposes around it go. No mask is taken over: pictures have none."""
    import onnx as graphs

    made = graphs.load(model)
    graph = made.graph
    by_output = {out: node for node in graph.node for out in node.output}
    by_input = {name: node for node in graph.node for name in node.input}

    def follow(node, step, kinds):
        for kind in kinds:
            node = step(node)
            if node.op_type != kind:
                raise SystemExit(f"{model}: {node.op_type} beside Attention, expected {kind}")
        return node

    before, after = lambda node: by_output[node.input[0]], lambda node: by_input[node.output[0]]
    count = 0
    for node in graph.node:
        if node.op_type != "Attention":
            continue
        planes = []
        for name in node.input[:3]:
            transpose = by_output[name]
            if transpose.op_type != "Transpose":
                raise SystemExit(f"{model}: {transpose.op_type} before Attention, expected Transpose")
            planes.append(follow(transpose, before, ["Reshape"]).input[0])
        end = follow(node, after, ["Transpose", "Reshape"])
        scale = next(a.f for a in node.attribute if a.name == "scale")
        joined = graphs.helper.make_node("MultiHeadAttention", planes, list(end.output), domain="com.microsoft", num_heads=heads, scale=scale)
        end.output[0] += ".apart"
        node.CopyFrom(joined)
        count += 1
    if not any(opset.domain == "com.microsoft" for opset in made.opset_import):
        made.opset_import.append(graphs.helper.make_opsetid("com.microsoft", 1))
    needed, kept = {out.name for out in graph.output}, []
    # What only the old nodes read has no reader now.
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.insert(0, node)
    del graph.node[:]
    graph.node.extend(kept)
    for unread in [value for value in graph.initializer if value.name not in needed]:
        graph.initializer.remove(unread)
    large = made.ByteSize() > 1e9
    graphs.save(made, file, save_as_external_data=large, location=f"{file.name}.data")
    return count


def onnx(a, model, x, folder, rows, outputs, heads):
    import onnxruntime

    where = a.export or folder
    where.mkdir(parents=True, exist_ok=True)
    names = {"input_names": ["pixel_values"], "output_names": ["last_hidden_state"]}
    large = sum(p.numel() for p in model.parameters()) > 1e8
    torch.onnx.export(model, (x,), where / "model.onnx", opset_version=23, dynamo=True, external_data=large, verbose=False, **names)
    files = {"model.onnx": "opset 23"}
    if a.family:
        nodes = fused(where / "model.onnx", where / "fused.onnx", heads)
        files["fused.onnx"] = f"{nodes} × MultiHeadAttention"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = a.threads
    for file, what in files.items():
        session = onnxruntime.InferenceSession(where / file, options, providers=["CPUExecutionProvider"])
        name = f"onnxruntime {onnxruntime.__version__}, CPU, {what}"
        rows[name], outputs[name] = median(lambda: session.run(None, {"pixel_values": x.numpy()})[0], a.runs)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit")
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path)
    what.add_argument("--family", choices=FAMILIES)
    arguments.add_argument("--size", type=int, help="pixels on a side, of a family")
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--gpu", action="store_true", help="CUDA for PyTorch, any adapter for internvit; no onnxruntime")
    arguments.add_argument("--export", type=Path, help="folder for the ONNX file")
    arguments.add_argument("--json", type=Path)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)

    if a.family:
        a.model = (a.export or Path(tempfile.mkdtemp())) / "model"
        config, model = published(a, a.model)
    else:
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
            measured = ours("bench", "--image-size", side, "--runs", a.runs, "--batch", a.batch, "--dtype", dtype)
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
            onnx(a, model, x, folder, rows, outputs, config["num_attention_heads"])

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

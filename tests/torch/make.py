"""Checkpoints as PyTorch writes them, for tests/cli/torch.rs. Needs torch and safetensors.

    python tests/torch/make.py

Every file holds the same small encoder (config.json; 8 channels, 2 blocks, 4 px) with seeded values
that f16 and bf16 hold exactly; expected.safetensors has them in f32 under their canonical names.
"""
import os
import pathlib
from collections import OrderedDict

import numpy
import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
C, M, LAYERS, CLASSES = 8, 16, 2, 3
generator = torch.Generator().manual_seed(1)


def value(*shape):
    return torch.randint(-8, 9, shape, generator=generator).float() / 16


canonical = OrderedDict()
canonical["embeddings.class_embedding"] = value(1, 1, C)
canonical["embeddings.position_embedding"] = value(1, 5, C)
canonical["embeddings.patch_embedding.weight"] = value(C, 3, 2, 2)
canonical["embeddings.patch_embedding.bias"] = value(C)
for i in range(LAYERS):
    layer = f"encoder.layers.{i}"
    for norm in ("norm1", "norm2"):
        canonical[f"{layer}.{norm}.weight"] = 1 + value(C)
        canonical[f"{layer}.{norm}.bias"] = value(C)
    for name, out, inputs in (("attn.qkv", 3 * C, C), ("attn.proj", C, C), ("mlp.fc1", M, C), ("mlp.fc2", C, M)):
        canonical[f"{layer}.{name}.weight"] = value(out, inputs)
        canonical[f"{layer}.{name}.bias"] = value(out)
    canonical[f"{layer}.ls1"] = value(C)
    canonical[f"{layer}.ls2"] = value(C)


def mmseg(name):
    for old, new in (
        ("embeddings.class_embedding", "cls_token"),
        ("embeddings.position_embedding", "pos_embed"),
        ("embeddings.patch_embedding.", "patch_embed.proj."),
        ("encoder.layers.", "blocks."),
    ):
        name = name.replace(old, new)
    return name + ".gamma" if name.endswith((".ls1", ".ls2")) else name


def save(name, content, **options):
    torch.save(content, here / name, **options)


older = {"_use_new_zipfile_serialization": False}
blocks = OrderedDict((mmseg(name), tensor) for name, tensor in canonical.items())
save_file({name: tensor.contiguous() for name, tensor in canonical.items()}, here / "expected.safetensors")
save("plain.pth", canonical)
save("protocol4.pth", canonical, pickle_protocol=4)
save("older.pth", {"module": blocks}, **older)
save("half.pth", {name: tensor.half() for name, tensor in canonical.items()})
save("bfloat.pth", {name: tensor.bfloat16() for name, tensor in canonical.items()})

# One storage for everything, and parameters rather than tensors.
flat = torch.cat([tensor.flatten() for tensor in canonical.values()])
shared, at = {}, 0
for name, tensor in canonical.items():
    view = flat[at:at + tensor.numel()].view(tensor.shape)
    shared[name] = torch.nn.Parameter(view, requires_grad=False)
    at += tensor.numel()
save("shared.pth", shared)
save("older-shared.pth", shared, **older)

# As mmsegmentation saves: what was trained beside what it was trained with.
head = OrderedDict()
head["decode_head.conv_seg.weight"] = value(CLASSES, C, 1, 1)
head["decode_head.conv_seg.bias"] = value(CLASSES)
head["decode_head.norm.weight"] = 1 + value(C)
head["decode_head.norm.bias"] = value(C)
head["decode_head.norm.running_mean"] = value(C)
head["decode_head.norm.running_var"] = 1 + value(C) ** 2
head["decode_head.norm.num_batches_tracked"] = torch.tensor(80000)
head["auxiliary_head.conv_seg.weight"] = value(CLASSES, C, 1, 1)
state = OrderedDict((f"backbone.{name}", tensor) for name, tensor in blocks.items())
state.update(head)
state._metadata = OrderedDict([("", {"version": 1}), ("decode_head.norm", {"version": 2})])
meta = {
    "env_info": "sys.platform: linux\nPyTorch: 1.13", "config": "model = dict(type='EncoderDecoder')\n",
    "seed": 1234567890123, "epoch": 12, "iter": 80000, "mmseg_version": "0.30.0", "exp_name": "linear.py",
    "CLASSES": ["wall", "building", "sky"], "PALETTE": [[120, 120, 120], [180, 120, 120], [6, 230, 230]],
    "hook_msgs": {"best_score": numpy.float64(0.472), "last_ckpt": None, "done": True, "rate": 4e-5},
}
optimizer = {"state": {0: {"step": 5, "exp_avg": value(3)}}, "param_groups": [{"lr": 4e-5, "betas": (0.9, 0.999)}]}
content = {"meta": meta, "state_dict": state, "optimizer": optimizer}
save("mmseg.pth", content)
save("older-mmseg.pth", content, **older)
save_file({name: t for name, t in head.items() if "decode_head" in name}, here / "head.safetensors")

# Values that do not lie row by row, or of which one stands for many.
name = "encoder.layers.1.mlp.fc1.weight"
save("transposed.pth", {**canonical, name: canonical[name].t().contiguous().t()})
save("expanded.pth", {**canonical, name: torch.zeros(1).expand(M, C)})
save("double.pth", {**canonical, name: canonical[name].double()})
save("unsigned.pth", {**canonical, "counter": torch.ones(2, dtype=torch.uint16)})


class Evil:
    def __reduce__(self):
        return os.system, ("touch a-pickle-was-run",)


save("evil.pth", {"meta": Evil(), **canonical})
save("older-evil.pth", {"state_dict": canonical, "meta": Evil()}, **older)
save("module.pth", torch.nn.Linear(2, 2))

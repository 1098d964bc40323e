"""Fixtures of timm's encoders for which no released class stands elsewhere: random weights under the released
names, and what timm itself computes of them in float64, kept as f32.

    pip install torch timm safetensors && python tests/golden/make.py
"""

import json
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent

COMMON = {"img_size": 48, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "num_classes": 6}
SWIN = {"img_size": 32, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "mlp_ratio": 2, "num_classes": 6}

# Folder, architecture, arguments, what is special.
CASES = [
    ("swin_timm", "swin_tiny_patch4_window7_224", SWIN, "fused qkv; what merges a stage stands at the start of the next"),
    ("deit3_timm", "deit3_small_patch16_224", COMMON, "LayerScale, no distillation, no position of the class token"),
    ("eva01_timm", "eva_giant_patch14_clip_224", COMMON, "no rotation, plain MLP; q_bias and v_bias beside a fused qkv"),
    ("eva02_post_norm_timm", "eva02_enormous_patch14_clip_224", COMMON, "norms after attention and after the MLP"),
]


def noise(name, shape, random):
    """Values that make every tensor count: a wrong eps, a missing bias or a missing scale shows."""
    value = torch.randn(shape, generator=random)
    if "norm" in name and name.endswith(".weight"):
        return 1 + 0.1 * value
    if name.startswith("patch_embed.") or name in ("cls_token", "pos_embed"):
        # About 0.005, so that the first norm sees a variance near eps. Swin has a norm of its own there.
        return 0.005 * value / (shape[1:].numel() ** 0.5 if name.endswith("proj.weight") else 1)
    if value.dim() > 1:
        return value / shape[1:].numel() ** 0.5
    if name.endswith(".gamma"):
        return 0.3 + 0.1 * value
    return 0.1 * value


def outputs(model, pixels):
    """The results by the fixtures' names; hidden states as the released classes of transformers count them."""
    found = {}

    def keep(name):
        def hook(_, __, output):
            found[name] = output.flatten(1, -2)
        return hook

    if hasattr(model, "layers"):
        model.patch_embed.register_forward_hook(keep("hidden_states.0"))
        for stage, following in enumerate(model.layers[1:], 1):
            following.downsample.register_forward_hook(keep(f"hidden_states.{stage}"))
        model.layers[-1].register_forward_hook(keep(f"hidden_states.{len(model.layers)}"))
    else:
        model.blocks[0].register_forward_pre_hook(lambda _, given: found.update({"hidden_states.0": given[0]}))
        for number, block in enumerate(model.blocks, 1):
            block.register_forward_hook(keep(f"hidden_states.{number}"))
    last = model.forward_features(pixels)
    found["last_hidden_state"] = last.flatten(1, -2)
    found["pooler_output"] = model.forward_head(last, pre_logits=True)
    found["logits"] = model.forward_head(last)
    return found


def make(folder, architecture, arguments, note, seed):
    random = torch.Generator().manual_seed(seed)
    model = timm.create_model(architecture, pretrained=False, **arguments).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(noise(name, parameter.shape, random))
        side = arguments["img_size"]
        pixels = torch.randn([1, 3, side, side], generator=random)
        weights = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
        expected = outputs(model.double(), pixels.double())
    expected = {name: value.float().contiguous() for name, value in expected.items()}
    trained = {key: value for key, value in model.pretrained_cfg.items() if key not in ("url", "hf_hub_id")}
    config = {
        "architecture": architecture,
        "num_classes": model.num_classes,
        "num_features": model.num_features,
        "global_pool": getattr(model, "global_pool", "avg"),
        "model_args": arguments,
        "pretrained_cfg": {**trained, "input_size": [3, side, side], "num_classes": model.num_classes},
    }
    case = {
        "class": f"timm.create_model('{architecture}')",
        "weights": "f32",
        "tolerance": 1e-4,
        "outputs": {name: list(value.shape) for name, value in sorted(expected.items())},
        "inputs": {"pixel_values": list(pixels.shape)},
        "note": note,
    }
    place = HERE / folder
    place.mkdir(exist_ok=True)
    for name, value in [("config", config), ("case", case)]:
        (place / f"{name}.json").write_text(json.dumps(value, indent=1, default=list) + "\n")
    for name, tensors in [("model", weights), ("input", {"pixel_values": pixels}), ("expected", expected)]:
        save_file(tensors, place / f"{name}.safetensors")


for seed, (folder, architecture, arguments, note) in enumerate(CASES, 1):
    make(folder, architecture, arguments, note, seed)

"""Trains the bundled InternViT-Tiny on procedural scenes; no data is downloaded.

    python training/train.py --out www/models/internvit-tiny

One command, seeded, resumable: it saves its state every few minutes in --work and goes on from
there. It needs PyTorch, NumPy, Pillow and safetensors (training/requirements.txt).
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import materials
from model import CONFIG, MEAN, STD, Pupil
from scenes import patches, scene

PATCH = CONFIG["patch_size"]
# Share of the steps, pictures a step, pixels: small pictures first, as they are quick, then the
# model's own size, the last at twice that.
PHASES = [(0.62, 32, 112), (0.28, 16, 224), (0.1, 4, 448)]
TEMPERATURE = 0.15


class Scenes(torch.utils.data.IterableDataset):
    """Batches of scenes from step `first` on, in order, whatever the number of workers."""

    def __init__(self, seed, bank, first, schedule):
        self.seed, self.bank, self.first, self.schedule = seed, bank, first, schedule

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        at, of = (info.id, info.num_workers) if info else (0, 1)
        for step in range(self.first + at, len(self.schedule), of):
            count, side = self.schedule[step]
            yield batch(self.seed, range(step * 64, step * 64 + count), self.bank, side)


def batch(seed, indices, bank, side):
    drawn = [scene(seed, i, bank, side) for i in indices]
    cut = [patches(s, PATCH) for s in drawn]
    main = np.zeros((len(drawn), len(materials.NAMES)), np.float32)
    for row, s in zip(main, drawn):  # the materials of the main thing, or of everything
        inside = s.material[s.thing == s.main] if s.main else s.material
        row += np.bincount(inside.ravel(), minlength=len(row)) / inside.size
    pixels = torch.from_numpy(np.stack([s.rgb for s in drawn]))
    shares, thing, owner, albedo = (torch.from_numpy(np.stack(part)) for part in zip(*cut))
    return pixels, shares, thing, owner, albedo, torch.from_numpy(main)


def normalised(pixels, device):
    x = pixels.to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def grouping(tokens, shares, owner):
    """Tokens of one thing attract each other, tokens of other materials repel: supervised
    contrast (Khosla et al. 2020, arXiv:2004.11362) within each picture, on the features alone."""
    if tokens.shape[1] > 256:  # enough of them
        keep = torch.randperm(tokens.shape[1], device=tokens.device)[:256]
        tokens, shares, owner = tokens[:, keep], shares[:, keep], owner[:, keep]
    z = F.normalize(tokens, dim=-1)
    likeness = z @ z.transpose(1, 2) / TEMPERATURE
    material = shares.argmax(-1)
    clear = owner != 255
    things = owner > 0
    same_thing = (owner[:, :, None] == owner[:, None]) & things[:, :, None]
    same_surface = ~things[:, :, None] & ~things[:, None] & (material[:, :, None] == material[:, None])
    itself = torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
    usable = clear[:, :, None] & clear[:, None] & ~itself
    positive = (same_thing | same_surface) & usable
    negative = (material[:, :, None] != material[:, None]) & ~positive & usable
    log_all = likeness.masked_fill(~(positive | negative), -1e4).logsumexp(-1)
    count = positive.sum(-1)
    mean = (likeness * positive).sum(-1) / count.clamp(min=1)
    anchor = (count > 0) & negative.any(-1)
    return ((log_all - mean - count.clamp(min=1).log()) * anchor).sum() / anchor.sum().clamp(min=1)


def losses(pupil, given, device):
    pixels, shares, thing, owner, albedo, main = (g.to(device) for g in given)
    kind = device.split(":")[0]
    with torch.autocast(kind, torch.bfloat16):
        out = pupil(normalised(pixels, device))
    out = {name: value.float() for name, value in out.items()}
    return {
        "material": F.cross_entropy(out["material"], shares.flatten(0, 1)),
        "thing": 0.5 * F.binary_cross_entropy_with_logits(out["thing"], thing.flatten()),
        "albedo": 5.0 * F.mse_loss(out["albedo"], albedo.flatten(0, 1)),
        "grouping": 0.5 * grouping(out["tokens"], shares, owner),
        "main": 0.2 * F.cross_entropy(out["main"], main),
    }, (out["material"].argmax(-1) == shares.flatten(0, 1).argmax(-1)).float().mean()


def export(pupil, folder, note):
    """OpenGVLab's names for the encoder, mmseg's for the head, all f16."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"vision_model.{name}": t for name, t in pupil.vit.state_dict().items()}
    bn, conv = pupil.bn.state_dict(), pupil.conv_seg.state_dict()
    bn.pop("num_batches_tracked")
    tensors |= {f"decode_head.norm.{name}": t for name, t in bn.items()}
    tensors["decode_head.conv_seg.weight"] = conv["weight"][:, :, None, None]
    tensors["decode_head.conv_seg.bias"] = conv["bias"]
    tensors = {name: t.detach().half().contiguous().cpu() for name, t in sorted(tensors.items())}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    head = {
        "head": "linear",
        "out_indices": [CONFIG["num_hidden_layers"] - 1],
        "num_classes": len(materials.NAMES),
        "classes": materials.NAMES,
        "palette": materials.PALETTE,
    }
    config = CONFIG | {"torch_dtype": "float16", "segmentation": head, "training": note}
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(text + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, required=True, help="folder for config.json and model.safetensors")
    arguments.add_argument("--work", type=Path, default=Path("target/training"), help="folder for the state")
    arguments.add_argument("--steps", type=int, default=2400)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--workers", type=int, default=2, help="processes that draw scenes")
    a = arguments.parse_args()

    if a.device == "cpu":  # beside the processes that draw scenes; more threads than cores crawl
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - a.workers))
    torch.manual_seed(a.seed)
    schedule = [(count, side) for part, count, side in PHASES for _ in range(round(part * a.steps))]
    pupil = Pupil().to(a.device)
    decay = [p for p in pupil.parameters() if p.ndim > 1]
    rest = [p for p in pupil.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    first, spent = 0, 0.0
    state_file = a.work / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, map_location=a.device, weights_only=True)
        if [state["steps"], state["seed"]] != [a.steps, a.seed]:
            raise SystemExit(f"{state_file} belongs to other --steps or --seed; remove it or choose another --work")
        pupil.load_state_dict(state["pupil"])
        optimiser.load_state_dict(state["optimiser"])
        first, spent = state["step"], state["spent"]
        print(f"going on from step {first}", flush=True)
    a.work.mkdir(parents=True, exist_ok=True)

    print("drawing materials", flush=True)
    bank = materials.bank(a.seed, 64)
    data = Scenes(a.seed, bank, first, schedule)
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=a.workers, prefetch_factor=4 if a.workers else None)
    begin = saved = time.time()
    seen = {}
    for step, given in enumerate(loader, first):
        warm = min(1, (step + 1) / 200)
        rate = 1e-3 * warm * max(0.01, 0.5 + 0.5 * math.cos(math.pi * step / len(schedule)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(a.seed * 1_000_003 + step)
        parts, right = losses(pupil, given, a.device)
        optimiser.zero_grad(set_to_none=True)
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimiser.step()
        for name, value in (parts | {"accuracy": right}).items():
            seen.setdefault(name, []).append(float(value.detach()))
        if (step + 1) % 20 == 0:
            elapsed = spent + time.time() - begin
            said = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in seen.items())
            print(f"step {step + 1}/{len(schedule)}  {elapsed / 60:.1f} min  {said}", flush=True)
            seen = {}
        last = step + 1 == len(schedule)
        if last or time.time() - saved > 240:
            saved = time.time()
            state = {
                "pupil": pupil.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1,
                "spent": spent + saved - begin, "steps": a.steps, "seed": a.seed,
            }
            torch.save(state, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)
    minutes = (spent + time.time() - begin) / 60
    note = {"recipe": "training/train.py", "steps": a.steps, "seed": a.seed}
    export(pupil.eval(), a.out, note)
    print(f"{len(schedule)} steps in {minutes:.0f} minutes on {a.device}; written to {a.out}")


if __name__ == "__main__":
    main()

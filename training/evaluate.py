"""Measures a model of the size of the bundled one, through the command line itself:

- scenes: the model's own materials on procedural scenes whose textures no training has seen; IoU of
  each material over all scenes, their mean, and the share of pixels named rightly
- clicks: a simulated user teaches each sample photograph's main object to `internvit teach` in ten
  clicks; IoU with the masks in quality/masks.json, which are drawn by hand
- the same clicks on random weights of the same configuration
- the same clicks on objects of other photographs, where a folder of them is named by --objects: beside
  photo.png its object's mask is photo.mask.png, or one for each of several objects photo.NAME.mask.png,
  bright where the object is

    python training/evaluate.py --internvit target/release/internvit --json quality.json

The user clicks the middle of the object, then the middle of the background, then, as is the rule
for interactive segmentation, the middle of whatever is wrong and largest: the wrong pixel that is
farthest from any right one (Sofiiuk et al. 2021, arXiv:2102.06583).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.numpy import load_file

import materials
from scenes import scene

HERE = Path(__file__).parent
SEED, TEXTURES, SIDE = 99, 8, 448  # of the scenes; training has another seed
CLICKS, SHOWN = 10, (2, 3, 5, 8, 10)
PHOTOGRAPHS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def call(internvit, *words):
    done = subprocess.run([internvit, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"internvit {words[0]}: {done.stderr.strip()}")


def scores(confusion):
    """IoU of each class, NaN where it neither is nor is named, and the share of right pixels, from
    counts `[truth, named]`."""
    right = np.diag(confusion).astype(float)
    union = confusion.sum(0) + confusion.sum(1) - right
    return np.divide(right, union, out=np.full(len(right), np.nan), where=union > 0), right.sum() / confusion.sum()


def on_scenes(a, folder, device=None, dtype="f32"):
    bank = materials.bank(SEED, TEXTURES)
    drawn = [scene(SEED, i, bank, SIDE) for i in range(a.scenes)]
    files = [folder / f"scene-{i}.png" for i in range(a.scenes)]
    for file, s in zip(files, drawn):
        Image.fromarray(s.rgb).save(file)
    maps = folder / "maps"  # a folder with several photographs, a file with one
    call(a.internvit, "segment", *files, "--model", a.model, "--window", a.image_size, "--whole",
         "--device", device or a.device, "--dtype", dtype, "--out", maps)
    n = len(materials.NAMES)
    confusion = np.zeros((n, n), np.int64)
    for file, s in zip(files, drawn):
        named = load_file(maps / f"{file.stem}.safetensors" if maps.is_dir() else maps)["labels"][0]
        confusion += np.bincount(s.material.ravel().astype(int) * n + named.ravel(), minlength=n * n).reshape(n, n)
    iou, accuracy = scores(confusion)
    present = confusion.sum(1) > 0
    return {
        "scenes": a.scenes,
        "miou": round(float(np.mean(iou[present])), 4),
        "accuracy": round(float(accuracy), 4),
        "iou": {name: round(float(v), 4) for name, v, there in zip(materials.NAMES, iou, present) if there},
    }


def mask(drawing):
    image = Image.new("1", drawing["size"])
    for value, polygons in ((1, drawing["outline"]), (0, drawing["holes"])):
        for polygon in polygons:
            ImageDraw.Draw(image).polygon([tuple(p) for p in polygon], fill=value)
    return np.asarray(image)


def depth(region):
    """The distance of every pixel to the nearest one outside `region`; so are those that are
    outside the picture."""
    straight = np.where(np.pad(region, 1), np.float32(1e4), 0)
    for rows in (straight, straight[::-1]):
        for y in range(1, len(rows)):
            np.minimum(rows[y], rows[y - 1] + 1, out=rows[y])
    x = np.arange(straight.shape[1], dtype=np.float32)
    aside = (x[:, None] - x) ** 2
    return np.sqrt([(aside + row**2).min(1) for row in straight])[1:-1, 1:-1]


def middle(region):
    """The pixel `(x, y)` farthest from the region's border, and how far that is."""
    far = depth(region)
    y, x = np.unravel_index(far.argmax(), far.shape)
    return (int(x), int(y)), far[y, x]


def taught(a, model, photo, points, folder):
    """The object's mask after `points`, read from the labels that `teach` writes."""
    head, labels = folder / "head.safetensors", folder / "labels.png"
    layer = ["--layer", a.layer] if a.layer else []
    words = [word for name, (x, y) in points for word in ("--point", f"{name}:{x},{y}")]
    call(a.internvit, "teach", photo, *words, "--model", model, "--image-size", a.image_size, *layer,
         "--method", a.method, "--device", a.device, "--out", head, "--labels", labels)
    with safe_open(head, "np") as file:
        told = json.loads(file.metadata()["segmentation"])
    return np.asarray(Image.open(labels)) == told["classes"].index("object")


def clicked(a, model, photo, truth, folder):
    """The points of the simulated user, and the IoU after every one from the second on."""
    points = [("object", middle(truth)[0]), ("background", middle(~truth)[0])]
    iou = {}
    while True:
        found = taught(a, model, photo, points, folder)
        iou[len(points)] = round(float((found & truth).sum() / (found | truth).sum()), 4)
        if len(points) == CLICKS:
            break
        missed, excess = truth & ~found, found & ~truth
        for _, (x, y) in points:  # the next is neither here nor close by
            missed[y, x] = excess[y, x] = False
        (one, far), (other, farther) = middle(missed), middle(excess)
        if max(far, farther) == 0:
            break
        points.append(("object", one) if far >= farther else ("background", other))
    iou |= {n: iou[len(points)] for n in range(len(points) + 1, CLICKS + 1)}
    return {"iou": iou, "points": [[name, x, y] for name, (x, y) in points]}


def objects(folder):
    """The photographs of a folder and their objects' masks, by the masks' names."""
    photographs = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in PHOTOGRAPHS]
    masks = [p for p in photographs if p.stem.endswith(".mask")]
    for file in masks:
        name = file.stem.removesuffix(".mask")
        own = [p for p in photographs if p not in masks and f"{name}.".startswith(f"{p.stem}.")]
        if not own:
            raise SystemExit(f"{file}: no photograph beside it, expected {name}.png or .jpg")
        truth = np.asarray(Image.open(file).convert("L")) > 127
        yield name, max(own, key=lambda p: len(p.stem)), truth


def samples(a):
    drawings = json.loads((HERE / "quality/masks.json").read_text())
    return [(name, a.samples / name, mask(drawing)) for name, drawing in drawings.items()]


def on_clicks(a, model, listed, folder):
    out = {}
    for name, photo, truth in listed:
        out[name] = clicked(a, model, photo, truth, folder)
        print(name, *(f"{n}: {out[name]['iou'][n]}" for n in SHOWN), file=sys.stderr, flush=True)
    mean = {n: round(float(np.mean([one["iou"][n] for one in out.values()])), 4) for n in range(2, CLICKS + 1)}
    return {"mean": mean, "photographs": out}


def random_model(a, folder):
    """Random weights of the same configuration, without the head."""
    config = json.loads((a.model / "config.json").read_text())
    config.pop("segmentation", None)
    (folder / "config.json").write_text(json.dumps(config))
    call(a.internvit, "init", "--config", folder / "config.json", "--seed", a.seed, "--out", folder / "random")
    return folder / "random"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--internvit", default="internvit", help="the command line's binary")
    arguments.add_argument("--model", type=Path, default=HERE.parent / "www/models/internvit-tiny")
    arguments.add_argument("--samples", type=Path, default=HERE.parent / "www/samples", help="folder of the photographs")
    arguments.add_argument("--scenes", type=int, default=40, help="how many; 0 leaves this part out")
    arguments.add_argument("--layer", help="the blocks that clicks are taught on, as in 8,12; teach's own if left out")
    arguments.add_argument("--method", default="walk", help="walk or linear, as internvit teach takes it")
    arguments.add_argument("--objects", type=Path, help="folder of other photographs with masks of their objects")
    arguments.add_argument("--no-random", action="store_true", help="leave random weights out")
    arguments.add_argument("--image-size", type=int, default=448, help="short side that the model sees")
    arguments.add_argument("--seed", type=int, default=0, help="of the random weights")
    arguments.add_argument("--device", default="auto", help="as internvit takes it")
    arguments.add_argument("--json", type=Path, help="file for all numbers")
    a = arguments.parse_args()

    result = {"image_size": a.image_size, "layer": a.layer, "method": a.method, "seed": a.seed}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if a.scenes and "segmentation" in json.loads((a.model / "config.json").read_text()):
            result["materials"] = measured = on_scenes(a, folder)
            rows = [["all", measured["miou"], measured["accuracy"]], *([n, v, ""] for n, v in measured["iou"].items())]
            print(table([f"{a.scenes} scenes", "IoU", "accuracy"], rows), flush=True)
        listed = samples(a)
        result["clicks"] = {"model": on_clicks(a, a.model, listed, folder)}
        if not a.no_random:
            result["clicks"]["random"] = on_clicks(a, random_model(a, folder), listed, folder)
        if a.objects:
            result["clicks"]["objects"] = on_clicks(a, a.model, objects(a.objects), folder)
    rows = []
    for kind, measured in result["clicks"].items():
        each = {name: one["iou"] for name, one in measured["photographs"].items()} | {"mean": measured["mean"]}
        rows += [[name, kind, *(iou[n] for n in SHOWN)] for name, iou in each.items()]
    rows.sort(key=lambda row: row[0] == "mean")
    print(table(["IoU after", "weights", *(f"{n} clicks" for n in SHOWN)], rows))
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Photographs a second of one process and of N actors on a local Ray cluster, of the wheel and of PyTorch with the same
weights: DINOv2's shape in transformers' names.

    python bench/cluster.py MODEL PHOTOS --actors 2 --size 224

Each process and each actor has one thread. A rate is that of the time from the first photograph to the last, so that
opening a model is no part of it. Needs internvit (release), torch, transformers, pillow, 'ray[data]' and pyarrow.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import ray

EXAMPLES = str(Path(__file__).resolve().parent.parent / "docs/examples")
sys.path.insert(0, EXAMPLES)
from ray_encode import KINDS, Encode  # noqa: E402


class Torch:
    """The same by PyTorch: Pillow decodes, transformers' own model computes."""

    def __init__(self, model: str, device: str, threads: int, size: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        self.torch, self.size = torch, size
        self.model = transformers.Dinov2Model.from_pretrained(model, dtype=torch.float32).eval()
        self.features([io.BytesIO(Path(__file__).parent.parent.joinpath("www/samples/coffee.png").read_bytes())])

    def features(self, files: list[io.BytesIO]):
        import numpy as np
        from PIL import Image

        pixels = [
            np.asarray(Image.open(file).convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC), np.float32)
            for file in files
        ]
        mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
        values = ((np.stack(pixels) / 255 - mean) / deviation).transpose(0, 3, 1, 2)
        found = []
        with self.torch.inference_mode():
            for first in range(0, len(values), 8):
                out = self.model(self.torch.from_numpy(values[first : first + 8].copy()))
                found.append(self.torch.cat([out.pooler_output, out.last_hidden_state[:, 1:].mean(1)], 1))
        return self.torch.cat(found).numpy()

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = self.features([io.BytesIO(photo) for photo in batch["bytes"].to_pylist()])
        half = rows.shape[1] // 2
        column = lambda part: pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), half)  # noqa: E731
        return pa.table({"path": batch["path"], "cls_embedding": column(rows[:, :half]), "pooled_embedding": column(rows[:, half:])})


class Squashed(Encode):
    """The wheel's actor, with photographs squashed as PyTorch's are here."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        photos, names = batch["bytes"].to_pylist(), batch["path"].to_pylist()
        found = self.model.features(photos, names=names, patches=False, size=self.size, resize="squash")
        return found.to_arrow().select(["path", "cls_embedding", "pooled_embedding"])


def timed(kind: type) -> type:
    """The same actor, whose rows say when it began and ended."""

    class Timed(kind):  # type: ignore[misc, valid-type]
        def __call__(self, batch: pa.Table) -> pa.Table:
            begun = time.time()
            rows = super().__call__(batch)
            span = {"begun": begun, "ended": time.time()}
            for name, value in span.items():
                rows = rows.append_column(name, pa.array([value] * rows.num_rows))
            return rows

    Timed.__name__ = kind.__name__
    return Timed


def alone(kind: type, args: tuple, photos: list[str], batch: int) -> float:
    """Photographs a second of one process without Ray."""
    actor = kind(*args)
    tables = []
    for first in range(0, len(photos), batch):
        some = photos[first : first + batch]
        tables.append(pa.table({"path": some, "bytes": pa.array([Path(p).read_bytes() for p in some], pa.binary())}))
    start = time.perf_counter()
    for table in tables:
        actor(table)
    return len(photos) / (time.perf_counter() - start)


def together(kind: type, args: tuple, photos: list[str], batch: int, actors: int) -> float:
    """Photographs a second of N actors."""
    rows = (
        ray.data.read_binary_files(photos, include_paths=True, override_num_blocks=4 * actors)
        .map_batches(
            timed(kind), fn_constructor_args=args, batch_size=batch, batch_format="pyarrow", num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=actors),
        )
        .to_pandas()
    )
    assert sorted(rows["path"]) == sorted(photos)
    return len(photos) / (rows["ended"].max() - rows["begun"].min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("photos", help="a folder")
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    photos = sorted(str(path) for path in Path(args.photos).iterdir() if path.suffix.lower() in KINDS)
    # Workers import the example too.
    ray.init(num_cpus=2 * args.actors + 1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": EXAMPLES}})
    ray.data.DataContext.get_current().enable_progress_bars = False
    given = (args.model, "cpu", 1, args.size)
    for turn in range(args.rounds):
        for name, kind in (("internvit", Squashed), ("PyTorch", Torch)):
            one = ray.get(ray.remote(num_cpus=1)(alone).remote(kind, given, photos, args.batch))
            all_ = together(kind, given, photos, args.batch, args.actors)
            print(json.dumps({
                "round": turn, "with": name, "one": round(one, 2), "actors": args.actors, "together": round(all_, 2),
                "of_n_times_one": round(all_ / (args.actors * one), 3),
            }), flush=True)


if __name__ == "__main__":
    main()

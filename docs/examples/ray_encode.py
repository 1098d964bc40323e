"""Features of any number of photographs on a Ray cluster, as Parquet with the columns of `internvit encode`.

    python ray_encode.py PHOTOS OUT --model facebook/dinov2-small --actors 8 --gpus 1

PHOTOS is a folder, or a file with a path on each line; both it and OUT are of this machine or at an address that
pyarrow reads (`s3://…`). A photograph that cannot be read becomes a row with the reason in `error`. When it was stopped,
the same command goes on: what has a row in OUT is left out. Wants `pip install internvit 'ray[data]' pyarrow`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import ray

KINDS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Encode:
    """An actor: a model that stays open, and makes rows of the bytes of photographs."""

    def __init__(self, model: str, device: str, threads: int | None, size: int | None) -> None:
        # It is imported where it computes: the driver needs no model.
        import internvit

        self.model = internvit.open(model, device=device, threads=threads)
        self.size = size

    def __call__(self, batch: pa.Table) -> pa.Table:
        import internvit

        rows = batch.to_pylist()
        there = [row for row in rows if not row.get("error")]
        photos, names = [row["bytes"] for row in there], [row["path"] for row in there]
        features = self.model.features(photos, names=names, patches=False, size=self.size)
        features.failed += [(row["path"], internvit.ModelError(row["error"], "io")) for row in rows if row.get("error")]
        return features.to_arrow()


def read(row: dict[str, Any], files: pa.fs.FileSystem) -> dict[str, Any]:
    """A photograph's bytes, or why they could not be read."""
    try:
        with files.open_input_stream(row["path"], compression=None) as file:
            return {**row, "bytes": file.read(), "error": ""}
    except OSError as error:
        return {**row, "bytes": b"", "error": os.strerror(error.errno) if error.errno else str(error)}


def place(address: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system of an address, and the path there."""
    if "://" in address:
        return pa.fs.FileSystem.from_uri(address)
    return pa.fs.LocalFileSystem(), os.path.abspath(address)


def listed(photos: str) -> tuple[pa.fs.FileSystem, list[str]]:
    """The photographs of a folder, or those that a file names, all on one file system."""
    files, path = place(photos)
    if files.get_file_info(path).type == pa.fs.FileType.Directory:
        inside = files.get_file_info(pa.fs.FileSelector(path, recursive=True))
        return files, sorted(file.path for file in inside if file.is_file and file.path.lower().endswith(KINDS))
    with files.open_input_stream(path) as text:
        lines = [line for line in text.read().decode().splitlines() if line]
    files = place(lines[0])[0] if lines else files
    paths = (line.partition("://")[2] if "://" in line else os.path.abspath(line) for line in lines)
    return files, list(dict.fromkeys(paths))


def known(out: str) -> Counter[str]:
    """The photographs that have a row in OUT, and how many. A file that a stopped run left unfinished is put aside."""
    files, path = place(out)
    rows: Counter[str] = Counter()
    for file in files.get_file_info(pa.fs.FileSelector(path, allow_not_found=True)):
        folder, _, name = file.path.rpartition("/")
        # What begins so is passed over by readers of folders too.
        if not name.endswith(".parquet") or name.startswith(("_", ".")):
            continue
        try:
            columns = pa.parquet.read_schema(file.path, filesystem=files).names
        except pa.ArrowInvalid:
            files.move(file.path, f"{folder}/_unfinished-{name}")
            continue
        if "path" not in columns or "error" not in columns:
            raise SystemExit(f"{file.path}: has no columns path and error, so it is of another program; give a folder of its own")
        rows.update(pa.parquet.read_table(file.path, columns=["path"], filesystem=files)["path"].to_pylist())
    return rows


def encode(
    photos: str, out: str, model: str, actors: int, gpus: float = 0, cpus: float = 1, threads: int | None = None,
    size: int | None = None, part: int = 512, batch: int = 64,
) -> dict[str, Any]:
    """Encodes what has no row in OUT yet; what was done."""
    start = time.monotonic()
    there = known(out)
    files, wanted = listed(photos)
    missing = [path for path in wanted if path not in there]
    if missing:
        device, resources = ("gpu", {"num_gpus": gpus}) if gpus else ("cpu", {"num_cpus": cpus})
        threads = threads or max(1, int(cpus))
        # Ray's own reading would end the run at a file that is not there. Reading and writing wait more than they compute,
        # and go on also where actors have all processors.
        paths = ray.data.from_items([{"path": path} for path in missing], override_num_blocks=-(-len(missing) // part))
        found = paths.map(read, fn_kwargs={"files": files}, num_cpus=0)
        rows = found.map_batches(
            Encode,
            fn_constructor_args=(model, device, threads, size),
            batch_size=batch,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=actors),
            **resources,
        )
        store, path = place(out)
        rows.write_parquet(path, filesystem=store, ray_remote_args={"num_cpus": 0})
    rows = known(out)
    twice = [path for path, count in rows.items() if count > 1]
    left = [path for path in wanted if path not in rows]
    seconds = time.monotonic() - start
    return {
        "rows": rows.total(), "encoded": len(missing), "skipped": len(there), "twice": twice, "left": left,
        "seconds": round(seconds, 2), "images_per_second": round(len(missing) / seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", help="a folder, or a file with a path on each line")
    parser.add_argument("out", help="the folder for Parquet files")
    parser.add_argument("--model", default="bundled", help="as `internvit.open` takes it")
    parser.add_argument("--actors", type=int, default=1, help="models that are open at once")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of an actor; 0: it computes on processors")
    parser.add_argument("--cpus", type=float, default=1, help="processors of an actor without a GPU")
    parser.add_argument("--threads", type=int, help="threads of an actor without a GPU; as many as its processors")
    parser.add_argument("--size", type=int, help="side of the square in pixels; the model's own if left out")
    parser.add_argument("--part", type=int, default=512, help="photographs of a file of OUT, about: what is done again at most")
    parser.add_argument("--batch", type=int, default=64, help="photographs that go to an actor together")
    args = vars(parser.parse_args())
    # Joins the cluster of this machine or of RAY_ADDRESS, where there is one.
    ray.init()
    done = encode(**args)
    print(json.dumps(done))
    if done["twice"] or done["left"]:
        raise SystemExit("some photographs have two rows (twice), or none (left)")


if __name__ == "__main__":
    main()

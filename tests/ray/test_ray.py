"""docs/examples/ray_encode.py on a local cluster of two workers: what is killed in the middle costs no row and doubles none."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "docs/examples/ray_encode.py"
COUNT = 160
BAD = ("broken.png", "empty.jpg")
#: Bytes of a Parquet file that a stopped run left unfinished.
TORN = b"PAR1 and no more"


@pytest.fixture(scope="module")
def cluster():
    # On a machine that is busy a node takes longer to start than Ray waits by itself.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    from ray.cluster_utils import Cluster

    # Beside an actor each worker reads and writes; when one is gone the other does all.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.workers = [cluster.add_node(num_cpus=4) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Many photographs, each with pixels of its own, and two that cannot be read."""
    import zlib

    folder = tmp_path_factory.mktemp("photos")

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    for at in range(COUNT):
        pixels = np.random.default_rng(at).integers(0, 256, (48, 64, 3), np.uint8)
        rows = b"".join(b"\0" + row.tobytes() for row in pixels)
        head = (64).to_bytes(4, "big") + (48).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        (folder / f"{at:03}.png").write_bytes(png)
    (folder / BAD[0]).write_bytes(png[:400])
    (folder / BAD[1]).write_bytes(b"")
    return folder


def start(cluster, photos, out, *more):
    args = [sys.executable, str(PROGRAM), str(photos), str(out), "--model", "internvit-tiny", "--actors", "2", *more]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address, "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def end(driver, timeout=300):
    """What a run prints at its end."""
    said, _ = driver.communicate(timeout=timeout)
    assert driver.returncode == 0, said[-4000:]
    return json.loads([line for line in said.splitlines() if line.startswith("{")][-1])


def until(what, seconds=180):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that in time")


def files(out):
    return sorted(file for file in out.glob("*.parquet") if file.name[0] != "_") if out.exists() else []


def working(*kinds):
    """The processes that Ray named so: actors that have a model, and tasks that read or write."""

    def is_one(process):
        try:
            return any(word.startswith(kinds) for word in process.cmdline()[:1])
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if is_one(process)]


def whole(out):
    """How many rows are in files that were written to their end; a stopped run may leave one that was not."""

    def count(file):
        try:
            return pq.read_metadata(file).num_rows
        except pa.ArrowInvalid:
            return 0

    return sum(map(count, files(out)))


def rows(out):
    """All rows, by their paths; each photograph has one."""
    table = pq.read_table(out)
    assert [name for name in table.column_names if "embedding" in name] == ["cls_embedding", "pooled_embedding"]
    found = Counter(table["path"].to_pylist())
    assert [path for path, count in found.items() if count > 1] == []
    return table


def check(out, photos):
    table = rows(out)
    assert sorted(table["path"].to_pylist()) == sorted(str(path) for path in photos.iterdir())
    errors = {Path(path).name: why for path, why in zip(*(table[n].to_pylist() for n in ("path", "error"))) if why}
    assert sorted(errors) == sorted(BAD)
    good = {p: e for p, e, why in zip(*(table[n].to_pylist() for n in ("path", "cls_embedding", "error"))) if not why}
    assert all(len(embedding) == 192 for embedding in good.values())
    assert table.schema.field("cls_embedding").type.list_size == 192
    return good


def test_rows_are_those_of_one_process(cluster, photos, tmp_path):
    """Exactly once after an actor was killed, then the driver, then a whole worker; values as without Ray."""
    import internvit

    out = tmp_path / "out"
    driver = start(cluster, photos, out, "--part", "16", "--batch", "8")
    until(lambda: files(out))
    victim = until(lambda: working("ray::MapWorker"))[0]
    os.kill(victim.pid, signal.SIGKILL)
    before = len(files(out))
    until(lambda: len(files(out)) > before)
    driver.kill()
    driver.wait()
    # The cluster ends what the driver had begun.
    until(lambda: not working("ray::Map", "ray::Write"))
    there = whole(out)
    assert 0 < there < COUNT, "the driver was to be killed in the middle"
    (out / "torn.parquet").write_bytes(TORN)
    driver = start(cluster, photos, out, "--part", "16", "--batch", "8")
    known = set(files(out))
    until(lambda: set(files(out)) - known)
    cluster.remove_node(cluster.workers.pop(), allow_graceful=False)
    said = end(driver)
    assert (said["skipped"], said["encoded"], said["rows"]) == (there, COUNT + len(BAD) - there, COUNT + len(BAD))
    assert said["twice"] == said["left"] == []
    # Of the file that was not written to its end nothing is lost.
    assert (out / "_unfinished-torn.parquet").read_bytes() == TORN and not (out / "torn.parquet").exists()
    good = check(out, photos)
    with internvit.open("internvit-tiny", device="cpu", threads=2) as model:
        some = sorted(good)[::20]
        for name, cls in zip(some, model.features(some, patches=False).cls):
            assert np.abs(cls - np.array(good[name], np.float32)).max() < 1e-5
    # All is there: nothing is done, and nothing is written.
    known = files(out)
    said = end(start(cluster, photos, out))
    assert (said["encoded"], said["skipped"]) == (0, COUNT + len(BAD)) and files(out) == known
    shutil.rmtree(out)


def test_what_is_not_there_has_a_row(cluster, photos, tmp_path):
    """Alone, as in a second run that has nothing else to do, and beside others. Another program's file stays as it is."""
    out, names = tmp_path / "out", tmp_path / "names.txt"
    other = tmp_path / "other" / "sales.parquet"
    other.parent.mkdir()
    pq.write_table(pa.table({"sum": [1, 2]}), other)
    gone, folder, there = photos / "gone.png", tmp_path / "folder.png", photos / "000.png"
    folder.mkdir()
    names.write_text(f"{gone}\n")
    refused = start(cluster, names, other.parent)
    assert "sales.parquet: has no columns path and error" in refused.communicate(timeout=300)[0]
    assert refused.returncode == 1 and pq.read_table(other)["sum"].to_pylist() == [1, 2]
    said = end(start(cluster, names, out))
    assert (said["rows"], said["encoded"], said["left"]) == (1, 1, [])
    names.write_text(f"{gone}\n{there}\n{folder}\n")
    said = end(start(cluster, names, out))
    assert (said["rows"], said["encoded"], said["skipped"], said["left"]) == (3, 2, 1, [])
    table = rows(out)
    why = dict(zip(table["path"].to_pylist(), table["error"].to_pylist()))
    assert why[str(gone)] == "No such file or directory" and why[str(there)] is None and why[str(folder)]
    assert table.schema.field("cls_embedding").type.list_size == 192

"""The wheel as a stranger uses it: installed into an empty environment, in an empty folder."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import internvit
import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "www/samples"
GOLDEN = ROOT / "tests/golden"

# The package that is tested is the installed one.
assert not Path(internvit.__file__).is_relative_to(ROOT / "apps"), internvit.__file__


@pytest.fixture(scope="session")
def model():
    """DINOv2 ViT-S/14 in 8 bits, on the processor."""
    with internvit.open("bundled", device="cpu") as model:
        yield model


@pytest.fixture(scope="session")
def tiny():
    """InternViT-Tiny, which has a segmentation head."""
    with internvit.open("internvit-tiny", device="cpu") as model:
        yield model


@pytest.fixture
def cat():
    return str(SAMPLES / "chelsea.png")


@pytest.fixture
def photos(tmp_path, cat):
    """A folder of three photographs, a broken one, and what is no photograph."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(cat, folder / "a.png")
    shutil.copy(SAMPLES / "coffee.png", folder / "more/c.png")
    shutil.copy(SAMPLES / "coffee.png", folder / "z.png")
    (folder / "broken.png").write_bytes(Path(cat).read_bytes()[:2000])
    (folder / "notes.txt").write_text("no photograph")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A small CLIP with a tokenizer of a few words."""
    folder = tmp_path_factory.mktemp("clip")
    for file in (GOLDEN / "clip_quick_gelu").iterdir():
        shutil.copy(file, folder)
    words = {"[UNK]": 0, "a": 3, "photo": 4, "of": 5, "cat": 6, "dog": 7}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub of this machine with the model `tiny/internvit`, and an empty cache."""
    folder = tmp_path / "hub/tiny/internvit"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(ROOT / "www/models/internvit-tiny" / name, folder)
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there, which serves the hub")
    server = subprocess.Popen(
        [node, str(ROOT / "tests/common/hub.mjs"), str(tmp_path / "hub")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    monkeypatch.setenv("HF_ENDPOINT", server.stdout.readline().strip())
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    yield "tiny/internvit"
    server.stdin.close()
    server.wait(10)


@pytest.fixture
def command():
    """The command line of this repository, where it was built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / kind / "internvit" for kind in ("debug", "release")]
    found = [path for path in built if path.exists()]
    if not found:
        pytest.skip("the command line was not built: cargo build --bins")
    return str(max(found, key=lambda path: path.stat().st_mtime))

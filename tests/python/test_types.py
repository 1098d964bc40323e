"""Types, as a checker sees them, and documentation, as an editor shows it."""

import subprocess
import sys

import internvit

PROGRAM = """
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import internvit

model = internvit.open("bundled", device="cpu", progress=True)
f: internvit.FeatureSet = model.features(["a.png", b"bytes"], layers=[6, 12], progress=lambda done, of: None)
cls: npt.NDArray[np.float32] = f.cls
six: npt.NDArray[np.float32] = f.hidden[6]
one: internvit.PhotoFeatures = f[0]
errors: dict[str, str] = f.errors
view: internvit.View = model.look("cat.jpg", view="pca", k=4)
view.save("pca.png")
view.save(Path("pca.png"))
model.segment("cat.jpg").save_overlay(Path("parts.png"))
path: internvit.PhotoFeatures | internvit.FeatureSet = model.features("photos")
if isinstance(path, internvit.FeatureSet):
    print(path.errors)
shown: internvit.PhotoFeatures = model.features(Image.open("a.png"))
pixels: internvit.PhotoFeatures = model.features(np.zeros((4, 4, 3), np.uint8))
several: internvit.FeatureSet = model.features(Path(name) for name in ("a.png", "b.png"))
vector: npt.NDArray[np.float32] = one.embedding
head: internvit.Head = model.teach("cat.jpg").point("cat", [220, 160]).point("wall", [430, 20]).fit()
labels: npt.NDArray[np.int32] = model.segment_with(head, "cat.jpg").labels
names: list[str] = [guess.name for guess in model.classify_with(["a cat"], "cat.jpg")]
"""

WRONG = """
import internvit

internvit.open("bundled", dtype="f8")
internvit.open("bundled").features(["a.png"]).colour
internvit.open("bundled").features("a.png").colour
"""


def test_programs_and_the_package_are_checked(tmp_path):
    def check(*what):
        args = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *what]
        found = subprocess.run(args, capture_output=True, text=True, cwd=tmp_path)
        return found.returncode, found.stdout + found.stderr

    (tmp_path / "right.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    status, said = check("-p", "internvit")
    assert status == 0, said
    status, said = check("right.py")
    assert status == 0, said
    status, said = check("wrong.py")
    assert status == 1 and said.count(": error:") == 4, said


def test_everything_is_documented():
    for name in internvit.__all__:
        thing = getattr(internvit, name)
        if name == "Photo":
            continue
        assert thing.__doc__, name
        for member, value in vars(thing).items():
            if isinstance(thing, type) and not member.startswith("_") and (callable(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{member}"
    assert "float32" in internvit.View.data.__doc__ and "[photographs, C]" in internvit.FeatureSet.cls.__doc__

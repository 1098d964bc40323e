"""Types, as a checker sees them, and documentation, as an editor shows it."""

import subprocess
import sys

import internvit

PROGRAM = """
import numpy as np
import numpy.typing as npt

import internvit

model = internvit.open("bundled", device="cpu", progress=True)
f: internvit.FeatureSet = model.features(["a.png", b"bytes"], layers=[6, 12], progress=lambda done, of: None)
cls: npt.NDArray[np.float32] = f.cls
six: npt.NDArray[np.float32] = f.hidden[6]
one: internvit.PhotoFeatures = f[0]
errors: dict[str, str] = f.errors
view: internvit.View = model.look("cat.jpg", view="pca", k=4)
view.save("pca.png")
head: internvit.Head = model.teach("cat.jpg").point("cat", [220, 160]).point("wall", [430, 20]).fit()
labels: npt.NDArray[np.int32] = model.segment_with(head, "cat.jpg").labels
names: list[str] = [guess.name for guess in model.classify_with(["a cat"], "cat.jpg")]
"""

WRONG = """
import internvit

internvit.open("bundled", dtype="f8")
internvit.open("bundled").features(["a.png"]).colour
"""


def check(tmp_path, program):
    file = tmp_path / "program.py"
    file.write_text(program)
    args = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), str(file)]
    return subprocess.run(args, capture_output=True, text=True, cwd=tmp_path)


def test_a_program_is_checked(tmp_path):
    found = check(tmp_path, PROGRAM)
    assert found.returncode == 0, found.stdout + found.stderr
    wrong = check(tmp_path, WRONG)
    assert wrong.returncode == 1 and wrong.stdout.count(": error:") == 2, wrong.stdout


def test_the_package_is_checked(tmp_path):
    args = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "internvit"]
    found = subprocess.run(args, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stdout


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

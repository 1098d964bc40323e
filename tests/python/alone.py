"""The first programs of the READMEs and of docs/python.md with nothing installed but the wheel; `npm run test:python` runs this
before it installs what its other tests need."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def program(file):
    """The program of a document, but for lines that say what they want beside the wheel."""
    (found,) = re.findall(r"^```python\n(import internvit\n.*?)^```", (ROOT / file).read_text(), re.M | re.S)
    # The hub is not asked here.
    found = found.replace("facebook/dinov2-small", "dinov2-small")
    return "\n".join(line for line in found.splitlines() if "# wants" not in line)


for name in ("pandas", "tqdm", "PIL", "pyarrow"):
    assert importlib.util.find_spec(name) is None, f"{name} is installed: the environment is not empty"
for file in ("README.md", "apps/python/README.md", "docs/python.md"):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "photos").mkdir()
        for place in ("photos/a.png", "cat.jpg", "other.jpg"):
            shutil.copy(ROOT / "www/samples/chelsea.png", Path(folder, place))
        run = [sys.executable, "-c", program(file)]
        done = subprocess.run(run, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{file}: {done.stderr}"
        assert done.stderr.splitlines()[-1:] == ["1/1 photos"], f"{file}: {done.stderr!r}"
        assert Path(folder, "pca.png").stat().st_size > 1000, file

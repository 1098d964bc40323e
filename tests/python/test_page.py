"""What the page shows as Python; tests/browser/code.spec.mjs holds that it shows this program."""

import subprocess
import sys

from conftest import ROOT, SAMPLES


def test_the_page_s_program_runs_as_it_stands(tmp_path):
    (tmp_path / "coffee.png").write_bytes((SAMPLES / "coffee.png").read_bytes())
    program = ROOT / "tests/common/code/looked.py"
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "(8, 12)\n"
    assert (tmp_path / "coffee-similarity.png").stat().st_size > 1000

"""The real DINOv2, where it is there: against float64 references, and against transformers where that is there."""

import json
from pathlib import Path

import internvit
import numpy as np
import pytest
from conftest import ROOT, SAMPLES
from PIL import Image

REAL = ROOT.parent / "shared/models/dinov2-small"
#: f32 against float64 and against another library's f32.
SAME = 1e-5


def relative(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def real():
    if not REAL.exists():
        pytest.skip(f"{REAL.parent.name}/{REAL.name} is not there: no real DINOv2 to compare with")
    with internvit.open(REAL, device="cpu") as model:
        yield model


def test_against_references(real):
    from safetensors.numpy import load_file

    cases = sorted(path for path in (REAL / "reference").iterdir())
    assert cases
    for case in cases:
        name, _, size = case.name.rpartition("_")
        width, height = map(int, size.split("x"))
        expected = {k: v for file in case.glob("*.safetensors") for k, v in load_file(file).items()}
        photo = next(SAMPLES.parent.parent.glob(f"www/samples/{name}.*"), None)
        if photo is None or width != height:
            continue
        f = real.features(str(photo), layers=[0, 1, 6, 12], size=width, resize="squash")
        assert relative(np.concatenate([f.prefix, f.patches.reshape(-1, 384)]), expected["last_hidden_state"][0]) < SAME
        assert relative(f.pooled, expected["pooler_output"][0]) < SAME
        for layer in (0, 1, 6, 12):
            assert relative(f.tokens[layer], expected[f"hidden_states.{layer}"][0]) < SAME, (case.name, layer)


def test_against_transformers(real):
    torch = pytest.importorskip("torch", reason="torch is not there to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not there to compare with")
    other = transformers.Dinov2Model.from_pretrained(REAL, dtype=torch.float32).eval()
    photos = [SAMPLES / "chelsea.png", SAMPLES / "coffee.png"]
    found = real.features(photos, layers=[6], size=224, resize="squash")
    settings = json.loads((REAL / "preprocessor_config.json").read_text())
    mean, deviation = (np.array(settings[key], np.float32) for key in ("image_mean", "image_std"))
    for at, path in enumerate(photos):
        image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        pixels = ((np.asarray(image, np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None]
        with torch.no_grad():
            out = other(torch.from_numpy(pixels), output_hidden_states=True)
        assert relative(found.pooled[at], out.pooler_output[0].numpy()) < SAME
        assert relative(found.patches[at].reshape(-1, 384), out.last_hidden_state[0, 1:].numpy()) < SAME
        assert relative(found.hidden[6][at].reshape(-1, 384), out.hidden_states[6][0, 1:].numpy()) < SAME

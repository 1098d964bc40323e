"""Views, lessons, texts, classes."""

import internvit
import numpy as np
import pytest
from conftest import GOLDEN
from PIL import Image

SIDE = 112


def test_views(model, cat, tmp_path):
    shapes = {"pca": (8, 8, 3), "attention": (7, 8, 8), "rollout": (8, 8), "clusters": (8, 8), "norms": (8, 8)}
    for view, shape in shapes.items():
        found = model.look(cat, view, size=SIDE)
        assert (found.data.shape, found.data.dtype) == (shape, np.float32), view
    assert found.over().shape == found.over(0.5).shape == (300, 451, 3)
    found = model.look(cat, view="norms", size=SIDE, edges="smooth")
    fine = found.data_at_pixels()
    assert fine.shape == (300, 451) and np.isfinite(fine).all()
    assert abs(fine.mean() - found.data.mean()) < 0.05 * found.data.mean()
    found = model.look(cat, view="pca", size=SIDE)
    found.save(tmp_path / "pca.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "pca.png")), found.over())
    assert found._repr_png_()[:4] == b"\x89PNG" and len(found.region) == 4
    found = model.look(cat, "clusters", size=SIDE, k=4, layer=9)
    assert len(found.names) == len(found.palette) == len(found.shares) == 4 and abs(sum(found.shares) - 100) < 1e-6
    one = model.look(cat, "similarity", at=[220, 120], size=SIDE)
    assert one.data.max() > 0.999 and one.range is not None
    assert np.array_equal(model.look(cat, "norms", layer=-1, size=SIDE).data, model.look(cat, "norms", layer=12, size=SIDE).data)
    head = model.look(cat, "attention", size=SIDE, head=2, layer=6)
    assert not np.array_equal(head.data, model.look(cat, "attention", size=SIDE).data)
    assert model.look(cat, "pca", size=SIDE, shifts=2).data.shape[0] > 8


def test_views_that_are_not(model, cat):
    for view, settings, said in [
        ("pcs", {}, 'view "pcs": expected one of pca'),
        ("pca", {"k": 3}, "view pca: no setting k"),
        ("clusters", {"k": "many"}, "k: expected a whole number, found many"),
        ("similarity", {}, "the patch to compare with is missing"),
        ("similarity", {"at": [451, 0]}, "outside the photograph of 451 × 300 pixels"),
        ("norms", {"layer": 13}, "layer 13"),
        ("words", {"text": "a cat"}, "reads no texts"),
        ("pca", {"edges": "none"}, "edges must be"),
    ]:
        with pytest.raises(internvit.ModelError, match=said) as error:
            model.look(cat, view, size=SIDE, **settings)
        assert error.value.kind == "input" and "\n" not in str(error.value)


def test_the_own_head(tiny, cat, tmp_path):
    found = tiny.segment(cat)
    assert (found.labels.shape, found.labels.dtype, len(found.names)) == ((300, 451), np.int32, 15)
    assert found.palette.shape == (15, 3) and abs(sum(found.shares) - 100) < 1e-6
    share = 100 * np.bincount(found.labels.ravel(), minlength=15) / found.labels.size
    assert np.allclose(share, found.shares)
    found.save_overlay(tmp_path / "parts.png", 0.4)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "parts.png")), found.over(0.4))
    assert np.array_equal(tiny.look(cat, "segmentation").names, found.names)


def test_a_lesson(tiny, model, cat, tmp_path):
    head = tiny.teach(cat).point("cat", [220, 160]).point("cat", (90, 200)).point("wall", [430, 20]).fit()
    assert head.names == ["cat", "wall"] and head.palette.shape == (2, 3) and head.layers
    head.save(tmp_path / "taught.safetensors")
    found = tiny.segment_with(head, cat)
    assert found.labels.shape == (300, 451) and found.names == head.names
    assert (found.labels[160, 220], found.labels[20, 430]) == (0, 1)
    for other in (head.bytes, tmp_path / "taught.safetensors"):
        assert np.array_equal(tiny.segment_with(other, cat).labels, found.labels)
    probability, unsure = found.probability("cat"), found.unsure()
    assert probability.shape == unsure.shape == (300, 451) and 0 <= probability.min() <= probability.max() <= 1
    assert found.cut_out("cat").shape == (300, 451, 4)
    with pytest.raises(internvit.ModelError, match="class dog: there are cat, wall"):
        found.probability("dog")
    with pytest.raises(internvit.ModelError, match="at least two classes"):
        tiny.teach(cat).point("cat", [1, 1]).fit()
    with pytest.raises(internvit.ModelError, match="451,1: outside the photograph"):
        tiny.teach(cat).point("cat", [451, 1]).point("wall", [3, 3]).fit()
    with pytest.raises(internvit.ModelError) as error:
        model.segment_with(head, cat)
    assert error.value.kind == "checkpoint"
    with pytest.raises(ValueError, match="from 0"):
        tiny.teach(cat).point("cat", [-1, 1])
    linear = tiny.teach(cat).point("cat", [220, 160]).photo(cat).point("wall", [430, 20]).method("linear").layer(9).size(112).fit()
    assert linear.layers == [9]


def test_texts(clip, cat):
    with internvit.open(clip, device="cpu", texts=True) as model:
        texts = model.text(["a cat", "a dog"])
        assert texts.texts == ["a cat", "a dog"] and len(texts) == 2
        assert texts.features.shape[0] == 2 and not np.array_equal(*texts.features)
        found = model.classify_with(texts, cat)
        assert sorted(guess.name for guess in found) == texts.texts
        assert abs(sum(guess.probability for guess in found) - 1) < 1e-5 and found[0].probability >= found[1].probability
        assert found == model.classify_with(["a cat", "a dog"], cat)
        assert found[0].name == texts.texts[found[0].class_]
        assert model.look(cat, "words", text="a cat").data.ndim == 2
        assert "image_embeds" in model.features([cat]).to_arrow().column_names
        with pytest.raises(internvit.ModelError, match="no texts were given"):
            model.text([])
    with internvit.open(clip, device="cpu") as model:
        with pytest.raises(internvit.ModelError, match="text"):
            model.text("a cat")


def test_classes(model, cat):
    with internvit.open(GOLDEN / "vit_classification", device="cpu") as classifier:
        found = classifier.classify(cat)
        assert abs(sum(guess.probability for guess in found) - 1) < 1e-5
        assert [guess.probability for guess in found] == sorted((g.probability for g in found), reverse=True)
        logits = classifier.features([cat]).to_arrow()["logits"][0].values.to_numpy()
        assert logits.argmax() == found[0].class_
    with pytest.raises(internvit.ModelError, match="no classes of its own"):
        model.classify(cat)

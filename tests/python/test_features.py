"""Features of photographs in all their forms."""

import io
import os
import pickle
import subprocess
import sys

import internvit
import internvit._table
import numpy as np
import pytest
from conftest import SAMPLES
from PIL import Image

SIDE = 112
GRID = (8, 8)
C = 384


def test_one_photograph(model, cat):
    f = model.features(cat, layers=[6, -1], size=SIDE)
    assert isinstance(f, internvit.PhotoFeatures)
    assert (f.name, f.width, f.height, f.grid) == (cat, 451, 300, GRID)
    shapes = {name: getattr(f, name).shape for name in ("pooled", "cls", "prefix", "patches")}
    assert shapes == {"pooled": (C,), "cls": (C,), "prefix": (1, C), "patches": (*GRID, C)}
    assert list(f.hidden) == [6, 12] and f.hidden[6].shape == (*GRID, C)
    assert np.array_equal(f.hidden[-1], f.hidden[12]) and -1 in f.hidden and 3 not in f.hidden
    assert all(a.dtype == np.float32 for a in (f.pooled, f.cls, f.prefix, f.patches, f.hidden[6]))
    assert np.array_equal(f.cls, f.prefix[0]) and np.isfinite(f.patches).all() and f.patches.std() > 0.1


def test_a_photograph_in_all_its_forms(model, cat):
    bytes_ = open(cat, "rb").read()
    image = Image.open(cat)
    pixels = np.asarray(image.convert("RGB"))
    forms = [cat, bytes_, bytearray(bytes_), image, image.convert("RGBA"), pixels, np.asfortranarray(pixels)]
    found = [model.features(form, size=SIDE).cls for form in forms]
    for cls in found[1:]:
        assert np.array_equal(found[0], cls)
    together = model.features(forms, size=SIDE)
    assert together.names == [cat, "1", "2", "3", "4", "5", "6"]
    assert np.array_equal(together.cls[0], together.cls[6])
    stack = model.features(np.stack([pixels, pixels[:, ::-1]]), size=SIDE)
    assert len(stack) == 2 and np.abs(stack.cls[0] - found[0]).max() < 1e-4
    assert np.abs(stack.cls[0] - stack.cls[1]).max() > 1e-3


def test_orientations_are_obeyed(model, cat):
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(cat).convert("RGB").save(turned, "PNG", exif=exif)
    f = model.features(turned.getvalue(), size=SIDE)
    assert (f.width, f.height) == (300, 451)
    assert np.array_equal(f.cls, model.features(Image.open(turned), size=SIDE).cls)


def test_a_folder(model, photos):
    seen = []
    f = model.features(str(photos), layers=[6], size=SIDE, batch=2, progress=lambda *done: seen.append(done))
    assert f.names == [str(photos / name) for name in ("a.png", "more/c.png", "z.png")]
    assert (len(f), f.grid, f.cls.shape, f.patches.shape) == (3, GRID, (3, C), (3, *GRID, C))
    assert f.hidden[6].shape == f.hidden[-7].shape == (3, *GRID, C)
    assert np.array_equal(f.cls[1], f.cls[2]) and np.array_equal(f[1].cls, f.cls[1])
    assert np.array_equal(f[2].hidden[6], f.hidden[6][2])
    # What is stacked is kept once.
    assert np.shares_memory(f[0].patches, f.patches) and np.shares_memory(f.patches, f.patches)
    assert list(f.errors) == [str(photos / "broken.png")]
    assert f.errors[str(photos / "broken.png")] and "\n" not in f.errors[str(photos / "broken.png")]
    assert f.failed[0][1].kind == "image" and str(f.failed[0][1]).startswith(str(photos / "broken.png"))
    assert len(f.left_out) == 1 and seen[-1] == (4, 4) and sorted(seen) == seen
    assert len(f[:2]) == 2 and [photo.name for photo in f] == f.names
    again = pickle.loads(pickle.dumps(f))
    assert np.array_equal(again.cls, f.cls) and again.errors == f.errors


def test_shapes_that_differ(model, photos):
    tall = Image.open(photos / "a.png").rotate(90, expand=True)
    f = model.features([photos / "a.png", tall], size=SIDE, resize="native")
    assert f[0].grid != f[1].grid and f.cls.shape == (2, C)
    with pytest.raises(internvit.ModelError, match="take them one by one"):
        f.patches
    rows = f.to_arrow()
    assert rows["grid_h"].to_pylist() == [f[0].grid[0], f[1].grid[0]]


def test_more_lists_than_an_array_holds(model, photos, monkeypatch):
    square = Image.open(photos / "a.png").crop((0, 0, 300, 300))
    f = model.features([photos / "a.png", square, photos / "broken.png"], layers=[6], size=SIDE, resize="native")
    whole, both = f.to_arrow(), sum(tokens.size for tokens in (f[0].tokens[6], f[1].tokens[6]))
    assert whole["hidden_states.6"].num_chunks == 1
    monkeypatch.setattr(internvit._table, "MOST", both - 1)
    parts = f.to_arrow()
    assert parts["hidden_states.6"].num_chunks == 3 and parts["hidden_states.6"].null_count == 1
    assert parts.equals(whole) and parts.schema == whole.schema
    monkeypatch.setattr(internvit._table, "MOST", both)
    assert f.to_arrow()["hidden_states.6"].num_chunks == 1


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="all names of files are UTF-8 here")
def test_names_that_are_no_utf8(model, photos):
    raw = os.fsencode(photos)
    os.rename(photos / "a.png", raw + b"/caf\xe9.png")
    os.rename(photos / "broken.png", raw + b"/cr\xe8me.png")
    f = model.features(photos, size=SIDE)
    assert f.names == [f"{photos}/caf\\xE9.png", f"{photos}/more/c.png", f"{photos}/z.png"]
    assert list(f.errors) == [f"{photos}/cr\\xE8me.png"]
    assert str(f.failed[0][1]) == f"{photos}/cr\\xE8me.png: {f.failed[0][1].reason}"
    assert f.to_arrow()["path"].to_pylist() == [*f.names, *f.errors]
    path = os.fsdecode(raw + b"/caf\xe9.png")
    one = model.features(path, size=SIDE)
    assert one.name == f.names[0] and np.abs(one.cls - f[0].cls).max() < 1e-4
    assert model.look(path, "norms", size=SIDE).data.shape == (8, 8)
    assert model.features([path], size=SIDE, names=[path]).names == [one.name]


def test_names_that_are_given(model, photos):
    paths = [photos / "a.png", photos / "broken.png", photos / "nowhere.png", photos / "z.png"]
    f = model.features(paths, size=SIDE, names=["cat", "cut", "none", 4])
    assert f.names == ["cat", "4"] and list(f.errors) == ["cut", "none"]
    assert [str(error) for _, error in f.failed] == [f"{name}: {reason}" for name, reason in f.errors.items()]
    assert model.features(paths[0], size=SIDE, names=["one"]).name == "one"
    assert model.features(photos, size=SIDE, names=["0", "1", "2", "3"]).names == ["0", "2", "3"]


def test_images_that_cannot_be_read_cost_only_themselves(model, photos, cat):
    def cut():
        return Image.open(io.BytesIO((photos / "a.png").read_bytes()[:20000]))

    f = model.features([cat, cut(), Image.open(cat), photos / "broken.png", cut(), np.zeros((0, 4, 3), np.uint8)], size=SIDE)
    assert f.names == [cat, "2"] and list(f.errors) == ["1", str(photos / "broken.png"), "4", "5"]
    assert [error.kind for _, error in f.failed[:3]] == ["image"] * 3
    assert str(f.failed[0][1]) == "1: " + f.errors["1"] and "truncated" in f.errors["1"]
    assert list(model.features([cut()], names=["x"]).errors) == ["x"]
    for call in (model.features, model.look, model.segment, lambda photo: model.teach(photo).point("a", [1, 1]).fit()):
        with pytest.raises(internvit.ModelError, match="truncated") as error:
            call(cut())
        assert error.value.kind == "image"


def test_images_are_converted_a_few_at_a_time(model, cat):
    taken, seen = [], []

    def images(count):
        for at in range(count):
            taken.append(at)
            yield Image.open(cat)

    f = model.features(images(10), size=SIDE, batch=2, progress=lambda *done: seen.append((*done, len(taken))))
    assert f.names == [str(at) for at in range(10)] and not f.errors
    assert seen[0] == (2, 8, 8) and seen[-1] == (10, 10, 10), seen
    assert np.array_equal(f.cls[0], f.cls[9])
    seen.clear()
    assert len(model.features([Image.open(cat)] * 10, size=SIDE, batch=2, progress=lambda *done: seen.append(done))) == 10
    assert seen == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]
    with pytest.raises(ValueError, match="names: expected 3, one a photograph, found 2"):
        model.features(images(3), size=SIDE, names=["a", "b"])
    with pytest.raises(TypeError, match="found NoneType"):
        model.features(iter([Image.open(cat), None]), size=SIDE)
    assert len(model.features(iter([]))) == 0


def test_without_patches(model, photos):
    f = model.features(photos, size=SIDE, patches=False, layers=[3])
    assert f.patches.shape == (3, 0, 0, C) and f.cls.shape == (3, C) and f.hidden[3].shape == (3, *GRID, C)
    whole = model.features(photos, size=SIDE)
    assert np.array_equal(f.cls, whole.cls) and np.array_equal(f.pooled, whole.pooled)


def test_nothing_to_encode(model, tmp_path):
    assert len(model.features([])) == 0
    f = model.features([b"no picture", b""], names=["x", "y"])
    assert len(f) == 0 and list(f.errors) == ["x", "y"]
    with pytest.raises(internvit.ModelError, match="errors. says why"):
        f.cls
    table = f.to_arrow()
    assert table.num_rows == 2 and table["cls_embedding"].null_count == 2
    assert table.schema == model.features([str(SAMPLES / "coffee.png")], size=SIDE).to_arrow().schema
    with pytest.raises(internvit.ModelError) as error:
        model.features(tmp_path)
    assert error.value.kind == "image"


def test_photographs_of_one_name_keep_their_errors(model, cat):
    f = model.features([b"no picture", b"", b"neither"], names=["x", "x", "x"])
    assert list(f.errors) == ["x", "x (2)", "x (3)"] and len(set(f.errors.values())) > 1
    assert list(f.errors.values()) == [error.reason for _, error in f.failed]


def test_what_a_store_of_vectors_keeps(model, cat, clip):
    f = model.features([cat], size=SIDE)
    assert np.array_equal(f[0].embedding, f[0].pooled) and np.array_equal(f.embedding, f.pooled)
    with internvit.open(clip, device="cpu") as taught:
        f = taught.features([cat])
        assert np.array_equal(f.embedding[0], f[0].embedding) and abs(np.linalg.norm(f[0].embedding) - 1) < 1e-5
        assert np.array_equal(f.embedding[0], f.to_arrow()["image_embeds"][0].values.to_numpy())


def test_what_is_no_photograph(model, cat):
    pixels = np.zeros((4, 4, 3), np.uint8)
    for wrong, said in [
        (3, "found int"),
        (pixels.astype(np.float32), "found float32"),
        (pixels[:, :, :1], r"found uint8 \[4, 4, 1\]"),
        ([pixels, "a.png", None], "found NoneType"),
        (pixels[0], "found uint8"),
    ]:
        with pytest.raises(TypeError, match=said):
            model.features(wrong)
    with pytest.raises(internvit.ModelError) as error:
        model.features("nowhere.png")
    assert error.value.kind == "io" and str(error.value) == "nowhere.png: " + error.value.reason
    for settings, said in [
        ({"layers": [13]}, "layer 13"),
        ({"size": 100}, "image size 100: expected a multiple of 14"),
        ({"resize": "bend"}, "resize must be"),
    ]:
        with pytest.raises(internvit.ModelError, match=said) as error:
            model.features(cat, **settings)
        assert error.value.kind == "input"
    with pytest.raises(internvit.ModelError, match="asked for were 6"):
        model.features(cat, layers=[6], size=SIDE).hidden[5]
    with pytest.raises(ValueError, match="names: expected 1"):
        model.features([cat], names=["a", "b"])
    with pytest.raises(TypeError):
        model.features(cat, layer=6)


def test_tables(model, photos, tmp_path):
    import pandas as pd
    import polars as pl
    import pyarrow.parquet as pq

    f = model.features(photos, layers=[6], size=SIDE)
    table = f.to_arrow()
    assert table.column_names == [
        "path", "width", "height", "grid_h", "grid_w", "cls_embedding", "pooled_embedding", "hidden_states.6", "error",
    ]
    assert table["path"].to_pylist() == [*f.names, str(photos / "broken.png")]
    assert table["error"].to_pylist() == [None] * 3 + list(f.errors.values())
    assert table["width"].to_pylist() == [451, 600, 600, None]
    pq.write_table(table, tmp_path / "f.parquet")
    read = pl.read_parquet(tmp_path / "f.parquet").filter(pl.col("error").is_null())
    assert np.array_equal(read["cls_embedding"].to_numpy(), f.cls)
    states = read["hidden_states.6"].to_numpy().reshape(3, 65, C)
    assert np.array_equal(states[:, 1:].reshape(f.hidden[6].shape), f.hidden[6])
    frame = f.to_pandas()
    assert list(frame.columns) == table.column_names and isinstance(frame, pd.DataFrame)
    assert np.array_equal(np.stack(frame["cls_embedding"][:3]), f.cls) and frame["width"][0] == 451


def test_the_same_as_the_command_line_writes(model, photos, tmp_path, command):
    import pyarrow.parquet as pq

    out = tmp_path / "encoded.parquet"
    settings = ["--image-size", str(SIDE), "--hidden-states", "6", "--device", "cpu", "--model", "dinov2-small"]
    subprocess.run([command, "encode", str(photos), "--out", str(out), *settings], check=True, capture_output=True)
    encoded, own = pq.read_table(out), model.features(photos, layers=[6], size=SIDE).to_arrow()
    assert encoded.schema.remove_metadata() == own.schema
    for name in own.column_names:
        if own[name].type == "string" or str(own[name].type) == "int32":
            assert encoded[name].to_pylist() == own[name].to_pylist(), name
            continue
        left, right = (
            np.stack(table[name].combine_chunks().drop_null().to_numpy(zero_copy_only=False)) for table in (encoded, own)
        )
        assert np.abs(left - right).max() <= 1e-4 * np.abs(right).max(), name

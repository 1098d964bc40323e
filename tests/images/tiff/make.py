"""Makes the TIFFs beside this file, and expected.json: the SHA-256 of each one's RGB bytes, upright, which
are Pillow 13's where it reads the kind, and else those that the samples say (`truth`).

python make.py; needs Pillow and numpy.
"""

import hashlib
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

WIDTH, HEIGHT = 23, 17
expected = {}

y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3))
slope = np.stack([x * 11, y * 15, 255 - x * 5 - y * 8], axis=-1).clip(0, 255)
rgb = np.where(((x // 5 + y // 3) % 4 == 0)[..., None], noise, slope).astype(np.uint8)
grey = rgb[..., 1].copy()
alpha = ((x * 11 + y * 7) % 256).astype(np.uint8)
alpha[:3], alpha[3:5] = 0, 255


def store(name, data, truth=None):
    """Writes a file, and what it holds: a grey or RGB array, or what Pillow makes of it."""
    open(name + ".tif", "wb").write(data)
    if truth is None:
        image = Image.open(io.BytesIO(data))
        image.load()
        image = image.convert("LA") if image.mode == "La" else image
        truth = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    if truth.ndim == 2:
        truth = np.repeat(truth[..., None], 3, axis=2)
    digest = hashlib.sha256(truth.astype(np.uint8).tobytes()).hexdigest()
    expected[name + ".tif"] = [truth.shape[1], truth.shape[0], digest]


def saved(name, image, truth=None, **options):
    out = io.BytesIO()
    image.save(out, "TIFF", **options)
    store(name, out.getvalue(), truth)


def packed(row, bits, order):
    """A row of samples, whole bytes in the file's order, others from the highest bit on."""
    if row.dtype.kind == "f" or bits in (16, 32, 64):
        kind = row.dtype.kind if row.dtype.kind != "b" else "u"
        return row.astype(f"{order}{kind}{bits // 8}").tobytes()
    digits = (row.reshape(-1, 1).astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.astype(np.uint8).ravel()).tobytes()


def predicted(row, bits, order, predictor):
    if predictor == 1:
        return packed(row, bits, order)
    if predictor == 2:
        apart = np.diff(row.astype(np.int64), axis=0, prepend=0) & ((1 << bits) - 1)
        return packed(apart.astype(np.uint64), bits, order)
    planes = np.frombuffer(row.astype(f">f{bits // 8}").tobytes(), np.uint8)
    planes = planes.reshape(-1, bits // 8).T.ravel().astype(np.int64)
    step = row.shape[1]
    planes[step:] -= planes[:-step].copy()
    return (planes & 255).astype(np.uint8).tobytes()


SIZES = {1: "B", 3: "H", 4: "I", 5: "II", 11: "f", 12: "d", 16: "Q"}


def tiff(samples, bits, photo, order="<", big=False, pack=False, planar=False, tile=None, rows=None, more=None,
         predictor=1, reverse=False, leave=()):
    """A TIFF by hand: of samples [height, width, samples] or grey."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width, count = samples.shape
    planes = [samples[..., i:i + 1] for i in range(count)] if planar else [samples]
    chunks = []
    for plane in planes:
        across, down = tile or (width, rows or height)
        for top in range(0, height, down):
            for left in range(0, width, across):
                part = plane[top:top + down, left:left + across]
                if tile:
                    part = np.pad(part, [(0, down - part.shape[0]), (0, across - part.shape[1]), (0, 0)])
                data = b"".join(predicted(row, bits, order, predictor) for row in part)
                data = zlib.compress(data) if pack else data
                chunks.append(bytes(int(f"{byte:08b}"[::-1], 2) for byte in data) if reverse else data)
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * count), 259: (3, [8 if pack else 1]),
            262: (3, [photo]), 277: (3, [count]), 284: (3, [2 if planar else 1])}
    if samples.dtype == np.int16 or samples.dtype.kind == "f":
        tags[339] = (3, [{"i": 2, "f": 3}[samples.dtype.kind]] * count)
    tags |= {266: (3, [2])} if reverse else {}
    tags |= {317: (3, [predictor])} if predictor > 1 else {}
    tags |= {322: (3, [tile[0]]), 323: (3, [tile[1]])} if tile else {278: (3, [rows or height])}
    starts, at = [], 16 if big else 8
    for data in chunks:
        starts.append(at)
        at += len(data) + len(data) % 2
    tags |= {324 if tile else 273: (4, starts), 325 if tile else 279: (4, [len(data) for data in chunks])}
    tags |= more or {}
    tags = {tag: value for tag, value in tags.items() if tag not in leave}
    wide, entry = (8, 20) if big else (4, 12)
    place, entries, beyond = at + (8 if big else 2) + entry * len(tags) + wide, b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        data = b"".join(struct.pack(order + SIZES[kind], *np.atleast_1d(value)) for value in values)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if len(data) <= wide:
            entries += data.ljust(wide, b"\0")
        else:
            entries += struct.pack(order + ("Q" if big else "I"), place + len(beyond))
            beyond += data + b"\0" * (len(data) % 2)
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(order + "HHHQ", 43, 8, 0, at) if big else struct.pack(order + "HI", 42, at)
    body = b"".join(data + b"\0" * (len(data) % 2) for data in chunks)
    count = struct.pack(order + ("Q" if big else "H"), len(tags))
    return head + body + count + entries + struct.pack(order + ("Q" if big else "I"), 0) + beyond


# What Pillow writes: every way of packing, and JPEG inside.
bilevel = Image.fromarray(grey).convert("1")
for kind in ["tiff_ccitt", "group3", "group4"]:
    saved("fax-" + kind, bilevel, compression=kind)
saved("fax-group3-2d", bilevel, compression="group3", tiffinfo={292: 5})
saved("fax-strips", bilevel, compression="group4", tiffinfo={278: 5})
for kind in ["tiff_lzw", "tiff_deflate", "packbits", "zstd", "lzma"]:
    saved("pack-" + kind, Image.fromarray(rgb), compression=kind)
saved("pack-lzw-predictor", Image.fromarray(rgb), compression="tiff_lzw", tiffinfo={317: 2})
# What is packed otherwise has no predictor, whatever the tag says.
for kind in ["raw", "packbits", "jpeg"]:
    saved("no-predictor-" + kind, Image.fromarray(grey), compression=kind, tiffinfo={317: 2})
saved("no-predictor-fax", bilevel, compression="group4", tiffinfo={317: 3})
saved("jpeg-LA", Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]), compression="jpeg")
for mode in ["RGB", "L", "CMYK", "YCbCr"]:
    saved("jpeg-" + mode, Image.fromarray(rgb).convert(mode), compression="jpeg")
saved("jpeg-strips", Image.fromarray(grey), compression="jpeg", strip_size=WIDTH * 8)
saved("ycbcr", Image.fromarray(rgb).convert("YCbCr"), compression="raw")
saved("ycbcr-lzw", Image.fromarray(rgb).convert("YCbCr"), compression="tiff_lzw")
saved("pages", Image.fromarray(rgb), save_all=True, append_images=[bilevel])
saved("turned", Image.fromarray(rgb), tiffinfo={274: 6})
saved("turned-xmp", Image.fromarray(rgb), tiffinfo={700: b'<x tiff:Orientation="8"/>'})
# Floats of 0 to 255 are as Pillow has them, those of 0 to 1 are what they are for.
saved("float", Image.fromarray(grey.astype(np.float32)))
saved("float-unit", Image.fromarray((grey / 255).astype(np.float32)), grey)

# By hand, in both orders of bytes.
for order, name in [("<", "little"), (">", "big")]:
    for bits in [1, 2, 4, 8, 12, 16]:
        few = grey.astype(np.int64) * ((1 << bits) - 1) // 255
        seen = few * 255 // ((1 << bits) - 1) if bits < 8 else few >> (bits - 8)
        store(f"grey{bits}-{name}", tiff(few, bits, 1, order), seen)
        store(f"grey{bits}-white-{name}", tiff(few, bits, 0, order, reverse=bits < 16), 255 - seen)
        if bits <= 8:
            table = np.random.default_rng(bits).integers(0, 65536, 3 << bits).tolist()
            store(f"palette{bits}-{name}", tiff(few, bits, 3, order, more={320: (3, table)}))
    colours, deep = np.dstack([rgb, alpha]), np.dstack([rgb, alpha]).astype(np.int64) * 256 + 7
    for kind in [0, 1, 2]:
        extra = {338: (3, [kind])}
        store(f"grey-alpha{kind}-{name}", tiff(np.dstack([grey, alpha]), 8, 1, order, more=extra))
        store(f"rgb-alpha{kind}-{name}", tiff(colours, 8, 2, order, more=extra, pack=True, rows=5))
        store(f"rgb16-alpha{kind}-{name}", tiff(deep, 16, 2, order, more=extra))
    store(f"planes-{name}", tiff(colours, 8, 2, order, more={338: (3, [1])}, planar=True, tile=(16, 16),
                                pack=True))
    store(f"planes16-{name}", tiff(deep[..., :3], 16, 2, order, planar=True, pack=True, predictor=2, rows=7))
    store(f"tiles16-{name}", tiff(deep[..., :3], 16, 2, order, tile=(16, 16), pack=True, predictor=2))
    store(f"cmyk-{name}", tiff(colours, 8, 5, order))
    store(f"cmyk16-{name}", tiff(deep, 16, 5, order))
    store(f"bigtiff-{name}", tiff(rgb, 8, 2, order, big=True, rows=5), rgb)
    store(f"float-predictor-{name}", tiff(grey.astype(np.float32), 32, 1, order, pack=True, predictor=3), grey)
    half = (rgb / 255).astype(np.float16)
    store(f"half-rgb-{name}", tiff(half, 16, 2, order), np.floor(half.astype(np.float64) * 255 + 1e-9))
    declared = {340: (12, [-100.0]), 341: (12, [1685.0])}
    store(f"float-range-{name}", tiff(grey * 7.0 - 100, 64, 1, order, more=declared), grey)
    store(f"grey12-range-{name}", tiff(grey.astype(np.int64) * 4, 12, 1, order, more={281: (3, [1020])}), grey)
    signed = grey.astype(np.int16)
    store(f"signed-{name}", tiff(signed, 16, 1, order), grey)
    spread = (grey - grey.min()) / (int(grey.max()) - grey.min())
    wide = np.round(spread * 2550 - 900).astype(np.int16)
    store(f"signed-wide-{name}", tiff(wide, 16, 1, order), np.floor((wide + 900) / 2550 * 255 + 1e-9))
    store(f"bare-{name}", tiff(grey, 8, 1, order, leave=(278, 279)))

json.dump(expected, open("expected.json", "w"), indent=1, sort_keys=True)

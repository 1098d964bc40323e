"""Makes the WebPs beside this file, and expected.json: what Pillow 13 makes of each, as SHA-256 of its RGB
bytes.

python make.py; needs Pillow and numpy.
"""

import hashlib
import io
import json
import struct

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 14, 9
expected = {}

y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3))
rgb = np.where(((x // 3 + y // 2) % 3 == 0)[..., None], noise, 20 * y[..., None] + 5 * x[..., None])
opaque = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
clear = opaque.copy()
clear.putalpha(Image.fromarray((x * 19).astype(np.uint8)))


def pixels(image, lossless):
    """The chunks of a picture that hold its pixels."""
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=lossless, exact=True)
    data, at, found = out.getvalue(), 12, []
    while at + 8 <= len(data):
        (length,) = struct.unpack("<I", data[at + 4:at + 8])
        if data[at:at + 4] in (b"VP8 ", b"VP8L", b"ALPH"):
            found.append((data[at:at + 4], data[at + 8:at + 8 + length]))
        at += 8 + length + length % 2
    return found


def joined(chunks):
    return b"".join(k + struct.pack("<I", len(d)) + d + b"\0" * (len(d) % 2) for k, d in chunks)


def side(value):
    return struct.pack("<I", value)[:3]


def store(name, flags, chunks, canvas=(WIDTH, HEIGHT)):
    header = bytes([flags, 0, 0, 0]) + side(canvas[0] - 1) + side(canvas[1] - 1)
    body = b"WEBP" + joined([(b"VP8X", header)] + chunks)
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    open(name + ".webp", "wb").write(data)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    expected[name + ".webp"] = [*image.size, hashlib.sha256(image.tobytes()).hexdigest()]


def animation(chunks, at, how):
    """Two frames on a canvas with a colour of its own, of which the first lies at a place."""
    head = side(WIDTH - 1) + side(HEIGHT - 1) + side(100) + bytes([how]) + joined(chunks)
    frames = [(b"ANMF", side(at[0] // 2) + side(at[1] // 2) + head), (b"ANMF", side(0) + side(0) + head)]
    return [(b"ANIM", b"\x10\x20\x30\x80\0\0"), *frames]


ALPHA, MOVING = 0x10, 2
for name, image, lossless in [("lossy", opaque, False), ("lossless", opaque, True), ("lossy-clear", clear, False),
                              ("lossless-clear", clear, True)]:
    chunks = pixels(image, lossless)
    # Alpha that a header promises or denies, whatever the pixels have.
    store(f"{name}-alpha", ALPHA, chunks)
    store(f"{name}-none", 0, [(b"UNKN", b"odd"), *chunks])
    for how in (0, 1, 2):
        store(f"moving-{name}-{how}", ALPHA | MOVING, animation(chunks, (6, 4), how), (WIDTH + 9, HEIGHT + 6))
    store(f"moving-{name}-whole", MOVING, animation(chunks, (0, 0), 0))

json.dump(expected, open("expected.json", "w"), indent=1)

"""Makes the BMPs beside this file, and expected.json: what Pillow 13 makes of each, as SHA-256 of its RGB
bytes.

python make.py; needs Pillow and numpy.
"""

import hashlib
import io
import json
import struct

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 13, 7
random = np.random.default_rng(3)
expected = {}


def padded(row):
    return row + b"\0" * (-len(row) % 4)


def store(name, bits, rows, packing=0, palette=b"", head=40, masks=(), colours=0, down=False, gap=0, at=None):
    """A file of a header of `head` bytes. `at` says another place of the pixels than the right one; with
    the ending .dib there is no header of a file."""
    masks = b"".join(struct.pack("<I", mask) for mask in masks)
    if head == 12:
        header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        height = -HEIGHT if down else HEIGHT
        numbers = (head, WIDTH, height, 1, bits, packing, len(rows), 2835, 2835, colours, 0)
        header = struct.pack("<IiiHHIIiiII", *numbers)
        header += masks if head == 40 else (masks + b"\0" * head)[:head - 40]
    start = 14 + len(header) + len(palette) + gap
    said = start if at is None else at
    data = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, said) + header + palette + b"\0" * gap + rows
    file = name if name.endswith(".dib") else name + ".bmp"
    if file.endswith(".dib"):
        data = data[14:]
    open(file, "wb").write(data)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    expected[file] = [WIDTH, HEIGHT, hashlib.sha256(image.tobytes()).hexdigest()]


def indices(bits, most):
    rows = random.integers(0, most, (HEIGHT, WIDTH))
    digits = (rows[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return b"".join(padded(np.packbits(row.ravel().astype(np.uint8)).tobytes()) for row in digits)


def noise(count):
    return random.integers(0, 256, count).astype(np.uint8).tobytes()


def samples(bits):
    return b"".join(padded(noise(WIDTH * bits // 8)) for _ in range(HEIGHT))


for bits in (1, 4, 8):
    few = (1 << bits) - 1
    store(f"palette{bits}", bits, indices(bits, few + 1), palette=noise(4 << bits))
    store(f"palette{bits}-core", bits, indices(bits, few + 1), palette=noise(3 << bits), head=12)
    store(f"palette{bits}-few", bits, indices(bits, few), palette=noise(4 * few), colours=few, gap=6)
for bits in (16, 24, 32):
    store(f"rgb{bits}", bits, samples(bits))
    store(f"rgb{bits}-down", bits, samples(bits), down=True)
    store(f"rgb{bits}-v5", bits, samples(bits), head=124)
store("rgb24-core", 24, samples(24), head=12)
for name, bits, masks in [
    ("565", 16, (0xF800, 0x07E0, 0x001F)),
    ("555", 16, (0x7C00, 0x03E0, 0x001F)),
    ("888", 32, (0xFF0000, 0xFF00, 0xFF)),
    ("888-first", 32, (0xFF000000, 0xFF0000, 0xFF00)),
]:
    store(f"masks-{name}", bits, samples(bits), packing=3, masks=masks)
    store(f"masks-{name}-v4", bits, samples(bits), packing=3, masks=masks, head=108)
store("alpha", 32, samples(32), packing=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), head=124)

# Runs, pixels as they are, and places that are skipped.
rows = b""
for _ in range(HEIGHT):
    rows += bytes([6, 7, 0, WIDTH - 6]) + noise(WIDTH - 6) + b"\0\0\0"
store("runs8", 8, rows + b"\0\1", packing=1, palette=noise(1024))
rows = b"".join(bytes([5, 0x3A, 0, WIDTH - 5]) + noise(4) + b"\0\0" for _ in range(HEIGHT))
store("runs4", 4, rows + b"\0\1", packing=2, palette=noise(64))

# The second header of OS/2, old headers with many colours, files without their own header, and pixels
# whose place is not said, or said to be that of the palette.
for bits in (1, 4, 8):
    few = (1 << bits) - 1
    store(f"palette{bits}-os2", bits, indices(bits, few + 1), palette=noise(4 << bits), head=64)
    store(f"palette{bits}-os2-few", bits, indices(bits, few), palette=noise(4 * few), colours=few, head=64, gap=6)
    store(f"palette{bits}.dib", bits, indices(bits, few + 1), palette=noise(4 << bits))
    store(f"palette{bits}-core.dib", bits, indices(bits, few + 1), palette=noise(3 << bits), head=12)
    store(f"palette{bits}-few.dib", bits, indices(bits, few), palette=noise(4 * few), colours=few)
    store(f"palette{bits}-at", bits, indices(bits, few + 1), palette=noise(4 << bits), at=54)
    store(f"palette{bits}-core-at", bits, indices(bits, few + 1), palette=noise(3 << bits), head=12, at=0)
for bits in (16, 24, 32):
    store(f"rgb{bits}-os2", bits, samples(bits), head=64)
    store(f"rgb{bits}-old", bits, samples(bits), head=12)
    store(f"rgb{bits}-old-dark", bits, b"\0\0\x10" + b"\0" * 9 + samples(bits)[12:], head=12)
    store(f"rgb{bits}-at", bits, samples(bits), at=0)
    for head in (40, 64, 124):
        store(f"rgb{bits}-{head}.dib", bits, samples(bits), head=head)
store("rgb24-down.dib", 24, samples(24), down=True)
for head in (40, 52, 56, 64, 108):
    store(f"masks-{head}.dib", 16, samples(16), packing=3, masks=(0xF800, 0x07E0, 0x001F), head=head)
store("masks-os2", 32, samples(32), packing=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), head=64)
rows = b"".join(bytes([6, 7, 0, WIDTH - 6]) + noise(WIDTH - 6) + b"\0\0\0" for _ in range(HEIGHT))
store("runs8-os2", 8, rows + b"\0\1", packing=1, palette=noise(1024), head=64)
store("runs8.dib", 8, rows + b"\0\1", packing=1, palette=noise(1024))

json.dump(expected, open("expected.json", "w"), indent=1)

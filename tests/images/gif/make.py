"""Makes the GIFs beside this file, and expected.json: what Pillow 13 makes of each one's first frame, as
SHA-256 of its RGB bytes.

python make.py; needs Pillow and numpy.
"""

import hashlib
import io
import json
import struct

import numpy as np
from PIL import Image

expected = {}


def coded(indices, bits):
    """LZW whose codes stay as wide as they begin."""
    clear, stream, held, width = 1 << bits, bytearray(), 0, 0
    codes = []
    for i, index in enumerate(indices):
        codes += [clear] if i % (clear - 2) == 0 else []
        codes.append(int(index))
    for code in [*codes, clear + 1]:
        held |= code << width
        width += bits + 1
        while width >= 8:
            stream.append(held & 255)
            held, width = held >> 8, width - 8
    stream.append(held & 255)
    parts = [bytes(stream[i:i + 255]) for i in range(0, len(stream), 255)]
    return bytes([bits]) + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def table(count, seed):
    return np.random.default_rng(seed).integers(0, 256, 3 * count).astype(np.uint8).tobytes()


def gif(name, frame, canvas=(20, 17), colours=8, local=0, background=3, transparent=None, interlaced=False,
        bits=None, dispose=0, greys=False):
    left, top, width, height = frame
    common = bytes(np.repeat(np.arange(colours, dtype=np.uint8), 3)) if greys else table(colours, 3)
    data = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0xF0 & (0xF0 if colours else 0x70), background, 0)
    data = data[:10] + bytes([(0x80 | colours.bit_length() - 2) if colours else 0]) + data[11:] + common
    if transparent is not None or dispose:
        flags = (transparent is not None) | dispose << 2
        data += b"!\xf9\x04" + bytes([flags, 0, 0, transparent or 0]) + b"\0"
    flags = (0x80 | local.bit_length() - 2 if local else 0) | (0x40 if interlaced else 0)
    bits = bits or max(2, (local or colours or 256).bit_length() - 1)
    indices = np.random.default_rng(width).integers(0, 1 << bits, width * height)
    data += b"," + struct.pack("<HHHHB", left, top, width, height, flags) + table(local, 9) + coded(indices, bits)
    data += b";"
    open(name + ".gif", "wb").write(data)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    expected[name + ".gif"] = [image.width, image.height, hashlib.sha256(image.tobytes()).hexdigest()]


PART, WHOLE = (5, 4, 9, 8), (0, 0, 20, 17)
gif("part", PART)
gif("part-transparent", PART, transparent=5)
gif("part-transparent-out", PART, transparent=200)
gif("part-local", PART, local=16)
gif("part-local-transparent", PART, local=16, transparent=4)
gif("local-alone", PART, colours=0, local=4, transparent=1)
gif("no-table", PART, colours=0)
gif("no-table-transparent", PART, colours=0, transparent=77)
gif("beyond", (12, 10, 15, 14), transparent=6)
gif("far-beyond", (30, 25, 5, 4))
gif("no-canvas", (0, 0, 15, 14), canvas=(0, 0))
gif("interlaced", PART, interlaced=True, transparent=3)
gif("interlaced-whole", WHOLE, interlaced=True)
gif("interlaced-beyond", (3, 4, 9, 11), canvas=(8, 6), interlaced=True)
gif("one-row", (3, 4, 9, 1), interlaced=True)
gif("beyond-table", WHOLE, colours=4, bits=4)
gif("greys", PART, greys=True, transparent=3)
gif("beyond-greys", PART, greys=True, bits=8)
for dispose in [1, 2, 3]:
    gif(f"dispose{dispose}", PART, dispose=dispose, transparent=2)
json.dump(expected, open("expected.json", "w"), indent=1, sort_keys=True)

"""Makes the JPEGs beside this file, and expected.json: what Pillow 13 makes of each, as SHA-256 of its
RGB bytes, upright.

python make.py; needs Pillow and numpy, and cjpeg of libjpeg-turbo for what Pillow cannot write.
"""

import hashlib
import io
import json
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image, ImageOps

WIDTH, HEIGHT = 53, 39
expected = {}


def picture():
    """Edges in bright colours on a slope, so that filters of colours and rounding show."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 4, y * 6, 255 - x * 2 - y * 3], axis=-1)
    noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3))
    rgb = np.where(((x // 5 + y // 3) % 4 == 0)[..., None], noise, rgb)
    return Image.fromarray(rgb.astype(np.uint8))


def store(name, data):
    open(name, "wb").write(data)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    expected[name] = [image.width, image.height, hashlib.sha256(image.tobytes()).hexdigest()]


def saved(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def cjpeg(*options):
    out = io.BytesIO()
    picture().save(out, "PPM")
    return subprocess.run(["cjpeg", *options], input=out.getvalue(), capture_output=True, check=True).stdout


def sampled(factors, transform=None, size=(WIDTH, HEIGHT)):
    """The blocks of a picture of three channels or, in inks, of four, dealt out to channels of other
    sampling: brightness, colours and black where `transform` is 2. What it shows is nonsense, the same in
    every decoder."""
    source = p.convert("CMYK") if len(factors) == 4 else p
    data = bytearray(saved(source, quality=85, subsampling=0))
    frame = data.index(b"\xff\xc0")
    data[frame + 5:frame + 9] = struct.pack(">HH", *size[::-1])
    for channel, (across, down) in enumerate(factors):
        data[frame + 11 + 3 * channel] = across << 4 | down
    if transform is not None:
        data[data.index(b"Adobe") + 11] = transform
    return bytes(data)


def exif(value, kind=3, order="<"):
    """EXIF with an orientation of a number type: 1 byte, 3 short, 4 long."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    value = struct.pack(order + ("I" if kind == 4 else "HH"), *([value] if kind == 4 else [value, 0]))
    return head + struct.pack(order + "HHHI", 1, 274, kind, 1) + value + struct.pack(order + "I", 0)


def app1(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def packet_of(value):
    return b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>' % value


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


p = picture()
for name, sampling in [("444", 0), ("422", 1), ("420", 2), ("411", "4:1:1")]:
    store(f"{name}.jpg", saved(p, quality=85, subsampling=sampling))
    store(f"{name}-progressive.jpg", saved(p, quality=60, subsampling=sampling, progressive=True))
store("440.jpg", cjpeg("-quality", "85", "-sample", "1x2"))
store("441.jpg", cjpeg("-quality", "85", "-sample", "1x4"))
store("410.jpg", cjpeg("-quality", "85", "-sample", "4x2"))
store("arithmetic.jpg", cjpeg("-quality", "85", "-arithmetic"))
store("restarts.jpg", saved(p, quality=85, restart_marker_blocks=3))
store("rgb.jpg", cjpeg("-quality", "85", "-rgb"))
store("grey.jpg", saved(p.convert("L"), quality=85))
store("cmyk.jpg", saved(p.convert("CMYK"), quality=85))
for name, sampling in [("422", 1), ("420", 2)]:
    store(f"cmyk-{name}.jpg", saved(p.convert("CMYK"), quality=85, subsampling=sampling))
inks = p.convert("CMYK")
store("cmyk-progressive.jpg", saved(inks, quality=60, subsampling=2, progressive=True))
store("ycck-420.jpg", sampled([(2, 2), (1, 1), (1, 1), (2, 2)], 2))
store("ycck-440.jpg", sampled([(1, 2), (1, 1), (1, 1), (1, 2)], 2))
store("ycck-422.jpg", sampled([(2, 1), (1, 1), (1, 1), (2, 1)], 2))
store("inks-mixed.jpg", sampled([(1, 1), (2, 2), (1, 2), (2, 1)], 0))
store("finer.jpg", sampled([(1, 1), (2, 1), (1, 2)], size=(24, 17)))
store("low.jpg", saved(p, quality=3))
store("dot.jpg", saved(p.resize((1, 1)), quality=85))

# Orientation wherever it may stand.
plain = saved(p.resize((16, 8)), quality=90)
start, rest = plain[:2], plain[2:]
tag = b"Exif\0\0"
whole = exif(6)
store("turn-long.jpg", start + app1(tag + exif(6, 4)) + rest)
store("turn-long-big.jpg", start + app1(tag + exif(8, 4, ">")) + rest)
store("turn-segments.jpg", start + app1(tag + whole[:14]) + app1(tag + whole[14:]) + rest)
store("turn-then-empty.jpg", start + app1(tag + whole) + app1(tag) + rest)
store("turn-xmp.jpg", start + app1(packet_of(3)) + rest)
store("turn-exif-first.jpg", start + app1(packet_of(3)) + app1(tag + exif(8)) + rest)
store("turn-zero.jpg", start + app1(tag + exif(0)) + app1(packet_of(3)) + rest)
store("turn-byte.jpg", start + app1(tag + exif(6, 1)) + rest)
store("turn-xmp-quotes.jpg", start + app1(packet_of(3).replace(b'"', b"'")) + rest)
store("turn-none.jpg", start + app1(tag + exif(9)) + rest)
small = saved(p.resize((16, 8)), "PNG")
end = small.rindex(b"\0\0\0\0IEND")
store("turn-after.png", small[:end] + chunk(b"eXIf", whole) + small[end:])
store("turn-before.png", small[:33] + chunk(b"eXIf", whole) + small[33:])
raw = b"\nexif\n%8d\n" % (len(whole) + 6) + (tag + whole).hex().encode() + b"\n"
packed = b"Raw profile type exif\0\0" + zlib.compress(raw)
store("turn-raw.png", small[:33] + chunk(b"zTXt", packed) + small[33:])
store("turn-raw-text.png", small[:33] + chunk(b"tEXt", b"Raw profile type exif\0" + raw) + small[33:])
packet = b'XML:com.adobe.xmp\0\0\0\0\0<tiff:Orientation>8</tiff:Orientation>'
store("turn-xmp.png", small[:33] + chunk(b"iTXt", packet) + small[33:])
store("turn.webp", saved(p.resize((16, 8)), "WEBP", lossless=True, exif=tag + whole))

json.dump(expected, open("expected.json", "w"), indent=1)

"""Makes the pictures beside this file and what Pillow makes of them (expected.safetensors).

python make.py; needs Pillow, numpy and safetensors. Each entry of expected.safetensors carries the
name of its file: u8 [height, width, 3], upright.
"""

import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file

WIDTH, HEIGHT = 24, 16
expected = {}


def base():
    """Smooth, so that JPEG keeps it, and without any symmetry, so that each orientation differs."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 10, y * 15, 40 + x * 3 + y * 8], axis=-1)
    return Image.fromarray(rgb.astype(np.uint8))


def store(name, picture, want=None, **options):
    """Saves the picture; expects `want`, or Pillow's own reading."""
    picture.save(name, **options)
    if want is None:
        want = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    expected[name] = np.ascontiguousarray(want)


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, depth, colour, rows):
    """A PNG by hand, for what Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def orientations(picture):
    """The EXIF tag, and the picture as a camera held that way would have stored it."""
    transposes = [
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,  # counter-clockwise; the tag turns it back
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    ]
    for tag, transpose in enumerate(transposes, start=1):
        exif = Image.Exif()
        exif[0x0112] = tag
        yield tag, exif, picture if transpose is None else picture.transpose(transpose)


def deep(name, samples, colour):
    """16 bits a channel, of which the high byte is expected."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    with open(name, "wb") as file:
        file.write(png(WIDTH, HEIGHT, 16, colour, rows))
    high = (samples >> 8).astype(np.uint8)
    high = high[..., :1].repeat(3, axis=-1) if colour in (0, 4) else high[..., :3]
    expected[name] = np.ascontiguousarray(high)


def main():
    rgb = base()
    alpha = Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH))
    palette = rgb.quantize(40)

    store("rgb.png", rgb)
    store("rgb.bmp", rgb)
    store("rgb.tiff", rgb)
    store("rgb.webp", rgb, lossless=True)
    store("rgb.jpg", rgb, quality=95, subsampling=0)
    store("progressive.jpg", rgb, quality=95, progressive=True)
    store("grey.jpg", rgb.convert("L"), quality=95)
    store("grey.png", rgb.convert("L"))
    store("grey-alpha.png", Image.merge("LA", [rgb.convert("L"), alpha]))
    store("bilevel.png", rgb.convert("1"))
    store("palette.png", palette)
    store("palette-transparent.png", palette, transparency=3)
    alpha_rgb = rgb.copy()
    alpha_rgb.putalpha(alpha)
    store("alpha.png", alpha_rgb)
    store("alpha.webp", alpha_rgb, lossless=True, exact=True)

    wide = np.asarray(rgb).astype(np.uint16) * 257 ^ 0x80
    opacity = np.asarray(alpha).astype(np.uint16)[..., None] * 257
    deep("deep.png", wide, 2)
    deep("deep-grey.png", wide[..., :1], 0)
    deep("deep-grey-alpha.png", np.concatenate([wide[..., :1], opacity], -1), 4)
    deep("deep-alpha.png", np.concatenate([wide, opacity], -1), 6)

    black = Image.linear_gradient("L").resize(rgb.size)
    store("cmyk.jpg", Image.merge("CMYK", [*rgb.split(), black]), quality=95)
    # The same samples declared YCCK: byte 11 after "Adobe" is the colour transform.
    data = bytearray(open("cmyk.jpg", "rb").read())
    data[data.index(b"Adobe") + 11] = 2
    open("ycck.jpg", "wb").write(data)
    expected["ycck.jpg"] = np.asarray(Image.open("ycck.jpg").convert("RGB"))

    for tag, exif, stored in orientations(rgb):
        store(f"orientation-{tag}.jpg", stored, exif=exif, quality=95, subsampling=0)
        if tag == 6:
            store("orientation-6.png", stored, want=rgb, exif=exif)
            store("orientation-6.webp", stored, want=rgb, exif=exif, lossless=True)
            store("orientation-6.tiff", stored, want=rgb, exif=exif)

    frames = [ImageOps.invert(rgb)]
    store("still.gif", palette)
    moving = dict(save_all=True, append_images=frames, duration=100)
    store("animated.gif", rgb, **moving)
    store("animated.png", rgb, want=rgb, **moving)
    store("animated.webp", rgb, want=rgb, lossless=True, **moving)

    # Refused, or odd in shape; nothing to expect.
    store("tall.png", Image.linear_gradient("L").resize((1, 20000)))
    store("dot.png", Image.new("RGB", (1, 1), (10, 20, 30)))
    del expected["tall.png"]
    palette.save("palette.tiff")
    with open("bomb.png", "wb") as file:
        file.write(png(60000, 60000, 8, 2, b"\0" * 1000))

    save_file(expected, "expected.safetensors")


main()

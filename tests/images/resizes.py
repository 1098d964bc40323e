"""Makes resizes.txt: 100 random sizes, and the first 64 bits of SHA-256 of what Pillow 13 makes of each.

python resizes.py > resizes.txt; needs Pillow 13. A line is the width and height of a picture, those of
its bicubic resize, and the digest of the resized RGB. Pixel byte i of a picture is
(i * 0x9e3779b9 mod 2^32) >> 24. Sides and ratios are uniform in their logarithms; ratios lie between
1:50 and 50:1.
"""

import hashlib
import random

import numpy as np
from PIL import Image, __version__

assert int(__version__.split(".")[0]) >= 13, __version__
random.seed(13)


def sides():
    """A width and a height of about 4 to 200 pixels on average."""
    size, ratio = 2 ** random.uniform(2, 7.6), 50 ** random.uniform(-0.5, 0.5)
    return max(1, round(size * ratio)), max(1, round(size / ratio))


def extreme(width, height):
    """Every fifth picture is 50 times as long as it is wide, or the reverse."""
    side = random.randint(1, 40)
    return (side, side * 50) if width < height else (side * 50, side)


for case in range(100):
    width, height = sides()
    if case % 5 == 0:
        width, height = extreme(width, height)
    columns, rows = sides()
    values = np.arange(3 * width * height, dtype=np.uint32) * np.uint32(0x9E3779B9) >> np.uint32(24)
    picture = Image.fromarray(values.astype(np.uint8).reshape(height, width, 3))
    resized = picture.resize((columns, rows), Image.Resampling.BICUBIC).tobytes()
    print(width, height, columns, rows, hashlib.sha256(resized).hexdigest()[:16])

"""Makes filters.txt: 20 random sizes for each of Pillow's filters, and the first 64 bits of SHA-256 of
what Pillow 13 makes of each.

python filters.py > filters.txt; needs Pillow 13. A line is the filter, the width and height of a picture,
the side of the square that it is resized to, and the digest of the resized RGB. The pixels are those of
resizes.py.
"""

import hashlib
import random

import numpy as np
from PIL import Image, __version__

assert int(__version__.split(".")[0]) >= 13, __version__
random.seed(14)

for name in ["BICUBIC", "BILINEAR", "LANCZOS", "BOX", "HAMMING"]:
    for _ in range(20):
        width, height, size = (max(1, round(2 ** random.uniform(1, 8))) for _ in range(3))
        values = np.arange(3 * width * height, dtype=np.uint32) * np.uint32(0x9E3779B9) >> np.uint32(24)
        picture = Image.fromarray(values.astype(np.uint8).reshape(height, width, 3))
        resized = picture.resize((size, size), Image.Resampling[name]).tobytes()
        print(name.lower(), width, height, size, hashlib.sha256(resized).hexdigest()[:16])

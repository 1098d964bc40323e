"""Vision transformers on any GPU, and on processors: features, views and segmentations of photographs.

    import internvit

    model = internvit.open("facebook/dinov2-small")       # or "bundled", a folder, a file
    f = model.features("photos/", layers=[6, 12], progress=True)
    f.cls                                                   # float32 [photographs, C]
    f.hidden[6]                                             # float32 [photographs, rows, columns, C]
    f.errors                                                # {"photos/broken.jpg": "the JPEG data is cut off"}
    model.look("cat.jpg", view="pca").save("pca.png")

The names are those of the Rust library and of the npm package.
"""

from ._errors import ModelError
from ._features import FeatureSet, PhotoFeatures
from ._model import Guess, Head, Model, Teach, open
from ._native import Segmentation, Texts, View, version as _version
from ._photos import Photo

__version__: str = _version()

__all__ = [
    "FeatureSet",
    "Guess",
    "Head",
    "Model",
    "ModelError",
    "Photo",
    "PhotoFeatures",
    "Segmentation",
    "Teach",
    "Texts",
    "View",
    "open",
]

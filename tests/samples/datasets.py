"""What the tests of datasets share."""

import numpy as np

from fashionclf import CLASS_NAMES
from fashionclf.datasets import Split


def split(count=4, **kwargs):
    images = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    return Split(images, np.arange(count) % 3, **{"class_names": CLASS_NAMES, **kwargs})

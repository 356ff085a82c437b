"""`tiny_dataset`: a few drawn garments of every class."""

from typing import Final

import numpy as np

from fashionclf.datasets import Dataset, Split
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.labels import CLASS_NAMES

# Others than those of `load_data("synthetic")`.
_TRAIN, _TEST = 2, 3
_NUM_CLASSES: Final = len(CLASS_NAMES)


def tiny_dataset() -> Dataset:
    """Return a data set of 60 training and 20 test images, the same in every call.

    Ten kinds of garment are drawn by numpy, without files, network or TensorFlow. Labels run from 0 to 9 again and
    again: image `i` shows class `i % 10`. `ready_trainer` classifies all of them correctly.

    Returns:
        A `Dataset` with Fashion-MNIST's class names. Images are uint8 0..255, `(60, 28, 28)` and `(20, 28, 28)`, labels
        uint8 `(60,)` and `(20,)`. The arrays are not shared; you may change them.

    Example:
        >>> dataset = tiny_dataset()
        >>> dataset
        Dataset('tiny': 60 train and 20 test images, 10 classes)
        >>> dataset.test.labels[:12]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], dtype=uint8)
    """
    return Dataset("tiny", train=_draw(6, _TRAIN), test=_draw(2, _TEST))


def _draw(per_class: int, stream: int) -> Split:
    images, labels = draw_garments(per_class * _NUM_CLASSES, stream=stream)
    by_class = np.argsort(labels, kind="stable").reshape(_NUM_CLASSES, per_class)
    order = by_class.T.ravel()
    return Split(images[order], labels[order], class_names=CLASS_NAMES)

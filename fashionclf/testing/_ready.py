"""`tiny_dataset`: a few drawn garments of every class; `ready_trainer`: a real Trainer, computed to know them."""

import functools
from typing import TYPE_CHECKING, Final

import numpy as np

from fashionclf._types import FloatArray
from fashionclf.datasets import Dataset, Split
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.labels import CLASS_NAMES
from fashionclf.preprocessing import flatten, one_hot, scale

if TYPE_CHECKING:
    from fashionclf.trainer import Trainer

# Others than those of `load_data("synthetic")`.
_TRAIN, _TEST = 2, 3
_NUM_CLASSES: Final = len(CLASS_NAMES)
_RIDGE: Final = 1.0
# Softmax turns a difference of ln(81) into 90 % for one of ten classes.
_SHARPNESS: Final = float(np.log(81))


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


def ready_trainer() -> "Trainer":
    """Return a real `Trainer` that is ready at once and gives the same answers in every call.

    It is softmax regression that classifies every image of `tiny_dataset` correctly, with a probability of 75 to 95 %.
    It knows the test images too, so its accuracy says nothing. It can do what every Trainer can: predict, evaluate,
    fit, save. It takes a few hundredths of a second; the first one in a process also waits for TensorFlow to start.

    Each call returns a new Trainer, which a test may fit or rename.

    Example:
        >>> trainer = ready_trainer()
        >>> trainer
        <Trainer ready: 7,850 parameters, 10 classes>
        >>> images, labels = tiny_dataset().test
        >>> trainer.predict(images[3])[0].class_name
        'Dress'
        >>> trainer.evaluate(images, labels)["accuracy"]
        1.0
    """
    # TensorFlow takes seconds to load: only here, where it is used.
    from fashionclf.models import dense_model
    from fashionclf.trainer import Trainer

    model = dense_model(units=(), seed=0, name="ready")
    kernel = _kernel()
    model.set_weights([kernel, np.zeros(kernel.shape[1], np.float32)])
    return Trainer(model)


@functools.cache
def _kernel() -> FloatArray:
    """Solve ridge regression on all images of `tiny_dataset`, once in a process: float32 `(784, 10)`."""
    dataset = tiny_dataset()
    images = np.concatenate([flatten(scale(split.images)) for split in dataset]).astype(np.float64)
    targets = one_hot(np.concatenate([split.labels for split in dataset]))
    weights = np.linalg.solve(images @ images.T + _RIDGE * np.eye(len(images)), targets)
    return (_SHARPNESS * images.T @ weights).astype(np.float32)

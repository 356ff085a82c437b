"""Distance awareness: a classifier that says when it does not know."""

from typing import Final

import numpy as np

from fashionclf._images import scale_pixels
from fashionclf._types import LabelledLike, LabelsLike
from fashionclf._validation import integer_labels
from fashionclf.datasets import Split
from fashionclf.models._distance import directions_of, set_familiarity, similarities_to, with_familiarity
from fashionclf.trainer._compilation import state_of
from fashionclf.trainer._trainer import Trainer, check_trainer

_BATCH: Final = 64  # images that are scaled and computed at a time


def distance_aware(trainer: Trainer, x: LabelledLike | Split, y: LabelsLike | None = None) -> Trainer:
    """Make a classifier that spreads its probabilities over the classes for images unlike those it knows.

    A classifier is often sure of an image that is none of its classes. Here the features that enter the last layer,
    scaled to length 1, are compared with the mean of each class, and shrink with the distance to the nearest one. So
    `unfamiliarity` also tells how far an image is from what was learnt. The predicted classes stay the same, except
    for images far from all of them. The layers are Keras's own: plain Keras and exported models give the same
    probabilities.

    Distances to class means are those of Lee et al., "A simple unified framework for detecting out-of-distribution
    samples" (2018, arXiv:1807.03888), without their covariances; probabilities that spread with the distance are
    called distance-aware by Liu et al. (2020, arXiv:2006.10108).

    Args:
        trainer: The fitted classifier, with two classes or more and a softmax. It stays as it is; the new one shares
            all its layers but the last. Calibrate it first, with `calibrate`.
        x: Images of all classes that were not used for training, in any form that `evaluate` takes.
        y: Labels, as `evaluate`.

    Returns:
        A Trainer with the new model, not compiled. Its `unfamiliarity_threshold` is exceeded by 5 % of the images
        given. If it is fitted again, make it distance-aware again.

    Raises:
        ValueError: If a class has no images, or the model does not end in one dense layer with softmax.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc
        >>> train, test = fc.load_data("synthetic")
        >>> trainer = fc.Trainer(fc.dense_model(units=(32,), seed=0))
        >>> history = trainer.fit(train[:300], epochs=3, seed=0, verbose=0)
        >>> aware = distance_aware(trainer, test[:200])
        >>> unfamiliar = aware.predict(test.images[:200]).unfamiliarity > aware.unfamiliarity_threshold
        >>> int(unfamiliar.sum())
        10
    """
    check_trainer(trainer)
    data = trainer._labelled(x, y)
    labels = integer_labels(data.labels)
    missing = sorted(set(range(trainer.num_classes)) - set(labels.tolist()))
    if missing:
        names = trainer.class_names or range(trainer.num_classes)
        raise ValueError(f"There are no images of {names[missing[0]]!r}; expected some of each class, best 10 or more.")
    with state_of(trainer.model).computing:
        model = with_familiarity(trainer.model)
        part = directions_of(model)
        batches = (data.images[i : i + _BATCH] for i in range(0, len(labels), _BATCH))
        parts = [part.predict_on_batch(scale_pixels(batch).reshape(-1, *trainer._input_shape)) for batch in batches]
    directions = np.concatenate(parts)
    means = np.stack([directions[labels == label].mean(axis=0) for label in range(trainer.num_classes)])
    low, middle = np.quantile(similarities_to(means, directions), [0.05, 0.5])
    set_familiarity(model, means, float(low), float(middle))
    aware = Trainer(model, recipe=trainer.recipe, image_converter=trainer.image_converter)
    aware._label_names = trainer._label_names
    aware.unfamiliarity_threshold = float(np.quantile(aware.predict(data.images).unfamiliarity, 0.95))
    return aware

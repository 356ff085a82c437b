"""Cross-validation: train on all folds but one, and evaluate on that one."""

import itertools
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._images import scale_pixels, without_doubts
from fashionclf._text import advice, shown
from fashionclf._types import LabelledLike, LabelsLike, PresetName
from fashionclf._validation import check_choice, check_count, check_groups, check_seed, integer_labels
from fashionclf.datasets import Split
from fashionclf.inputs import LabelledImages, class_names_in, collect_labelled
from fashionclf.presets import list_presets
from fashionclf.trainer._trainer import Trainer


class Classifier(Protocol):
    """A classifier with scikit-learn's methods."""

    def fit(self, X: Any, y: Any) -> Any:  # noqa: N803  # scikit-learn's name
        """Train on rows of pixels `(n, height * width * channels)` and labels `(n,)`."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Return labels for such rows."""


def cross_validate(
    model: PresetName | Callable[[], Trainer] | Classifier,
    x: LabelledLike | Split,
    y: LabelsLike | None = None,
    *,
    folds: int = 5,
    groups: Any = None,
    seed: int | None = None,
) -> NDArray[np.float64]:
    """Train on all folds but one and measure the accuracy on the remaining one, for each fold in turn.

    Folds are scikit-learn's `StratifiedKFold`: every fold has the same share of each class. Every fold trains a new
    model with its recipe; the model that you pass is not changed.

    Args:
        model: Name of a preset; a function without arguments that builds a `Trainer`; or a scikit-learn
            classifier, which gets float32 rows `(n, height * width * channels)` in [0, 1].
        x: Images or photographs with or without their labels, as `Trainer.fit`; a stream is read into memory. For a
            scikit-learn classifier, the image shape is that of the arrays.
        y: Labels, as `Trainer.fit`.
        folds: At least 2.
        groups: One integer or string per image, such as the person who took it: all images of a group are in one fold
            (scikit-learn's `StratifiedGroupKFold`). None takes those of a `Split`, if it has any.
        seed: Shuffle before folding, and seed a preset's weights and the training, from 0 to 2**32 - 1. None folds
            in the given order, as scikit-learn does, and trains with fresh entropy. A function must seed the weights
            of its model itself; a scikit-learn classifier has its `random_state`.

    Returns:
        The accuracy on each fold, float64 `(folds,)`, in the order of the folds.

    Raises:
        ValueError: If the name is unknown, lengths differ, a class has fewer images than there are folds, or the
            function returns one model twice.
        TypeError: If `model` is none of these.
        ImportError: If scikit-learn is missing.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from sklearn.dummy import DummyClassifier
        >>> images, labels = np.zeros((20, 8, 8), dtype="uint8"), np.arange(20) % 2
        >>> fc.cross_validate(DummyClassifier(), images, labels, folds=2)
        array([0.5, 0.5])
    """
    with advice("cross_validate needs scikit-learn", "sklearn"):
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    folds = check_count(folds, "folds", minimum=2)
    seed = check_seed(seed)
    build, score = _scorer(model)
    seeds = [None] * folds if seed is None else np.random.SeedSequence(seed).generate_state(folds).tolist()
    first, second = build(seeds[0]), build(seeds[1])
    _check_distinct(first, second)
    data = _read(first, x, y)
    labels = integer_labels(data.labels)
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < folds:
        raise ValueError(
            f"`folds={folds}` but the rarest class has {rarest} images; each fold needs one of each class."
        )
    groups = data.groups if groups is None else check_groups(groups, len(data))
    if groups is not None and len(np.unique(groups)) < folds:
        raise ValueError(f"`folds={folds}` but there are {len(np.unique(groups))} groups; each fold needs one.")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=seed is not None, random_state=seed)
    models = itertools.chain([first, second], map(build, seeds[2:]))
    parts = zip(splitter.split(labels, labels, groups), models, seeds, strict=True)
    return np.array([score(each, data.take(train), data.take(test), own) for (train, test), each, own in parts])


def _read(model: Any, x: Any, y: Any) -> LabelledImages:
    """Read images and labels as a Trainer's `fit` would; those for another classifier have any shape."""
    if not isinstance(model, Trainer):
        return collect_labelled(x, y, converter=None, num_classes=None)
    names = model._label_names.after_fit(class_names_in(x), model.num_classes)
    return collect_labelled(
        x, y, converter=model._converter_after(x), num_classes=model.num_classes, known_names=names.known
    )


def _check_distinct(first: Any, second: Any) -> None:
    """Refuse Trainers that share variables: every fold would train them further."""
    if isinstance(first, Trainer):
        variables = set(map(id, first.model.variables))
        if not variables.isdisjoint(map(id, second.model.variables)):
            raise ValueError(
                "`model` returned a Trainer with the same model, or the same layers, twice, so every fold would "
                "continue the training of the folds before it. Build a new model in the function, such as "
                "`lambda: Trainer(cnn_model())`."
            )


def _scorer(
    model: Any,
) -> tuple[Callable[[int | None], Any], Callable[[Any, LabelledImages, LabelledImages, int | None], float]]:
    """Return two functions: one builds a model, the other trains it on one part and scores it on another."""
    if isinstance(model, str):
        name = check_choice(model, "preset", list_presets())
        return lambda seed: Trainer.from_preset(name, seed=seed), _score_trainer
    if isinstance(model, Trainer | keras.Model):
        raise TypeError(
            f"`model` is a {type(model).__name__}, which every fold would train further. Pass a function that "
            "builds a new Trainer, such as `lambda: Trainer(cnn_model())`."
        )
    if hasattr(model, "fit") and hasattr(model, "predict") and not isinstance(model, type):
        from sklearn.base import clone

        return lambda _seed: clone(model), _score_estimator
    if callable(model):
        return lambda _seed: _build(model), _score_trainer
    raise TypeError(
        "`model` must be a preset's name, a function that builds a Trainer, or a scikit-learn classifier. "
        f"Received: {shown(model)}"
    )


def _build(function: Callable[[], Any]) -> Trainer:
    trainer = function()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"`model` must build a Trainer. It returned: {shown(trainer)}")
    return trainer


@without_doubts()  # which `cross_validate` has had, of all images
def _score_trainer(trainer: Trainer, train: LabelledImages, test: LabelledImages, seed: int | None) -> float:
    trainer.fit(train.images, train.labels, seed=seed, verbose=0)
    predicted = trainer.predict_proba(test.images).argmax(axis=1)
    return float(np.mean(predicted == integer_labels(test.labels)))


@without_doubts()
def _score_estimator(estimator: Any, train: LabelledImages, test: LabelledImages, _seed: int | None) -> float:
    rows = [scale_pixels(part.images).reshape(len(part), -1) for part in (train, test)]
    estimator.fit(rows[0], integer_labels(train.labels))
    return float(np.mean(estimator.predict(rows[1]) == integer_labels(test.labels)))

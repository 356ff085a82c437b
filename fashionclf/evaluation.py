"""Judging beyond one accuracy: a way of training on several folds, and a classifier on pictures that moved."""

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._examples import Examples, as_examples
from fashionclf._layers import fitting_of, last_layer, state_of
from fashionclf._types import ImageArray, ImagesLike, LabelsLike
from fashionclf._validation import (
    NUM_PIXELS,
    WIDTH,
    check_choice,
    check_count,
    check_seed,
    integer_labels,
    scale_pixels,
)
from fashionclf._walk import Walk
from fashionclf.augmentation import move
from fashionclf.datasets import Split
from fashionclf.presets import list_presets
from fashionclf.report import evaluate_predictions
from fashionclf.trainer import Trainer

_CALIBRATION_BATCH: Final = 64  # all that the layers give is kept for a batch


@dataclass(frozen=True, eq=False)
class ShiftRobustness:
    """How accurate a classifier is on pictures that have moved.

    Attributes:
        accuracies: By displacement, float64 `(2 * max_shift + 1, 2 * max_shift + 1)` from 0 to 1: rows from `max_shift`
            pixels up to as many down, columns from left to right.
        max_shift: The largest displacement in each direction, in pixels.

    Example:
        >>> import numpy as np
        >>> accuracies = np.array([[0.5, 0.7, 0.4], [0.8, 0.9, 0.8], [0.6, 0.7, 0.6]])
        >>> moved = ShiftRobustness(accuracies, max_shift=1)
        >>> moved.unshifted, round(moved.mean, 2), moved.worst, moved.worst_shift
        (0.9, 0.67, 0.4, (-1, 1))
        >>> moved.curve.round(2)
        array([0.9 , 0.64])
    """

    accuracies: NDArray[np.float64]
    max_shift: int

    @property
    def unshifted(self) -> float:
        """The accuracy on the pictures as they are."""
        return float(self.accuracies[self.max_shift, self.max_shift])

    @property
    def mean(self) -> float:
        """The mean accuracy over all displacements, the pictures as they are among them."""
        return float(self.accuracies.mean())

    @property
    def worst(self) -> float:
        """The lowest accuracy of all displacements."""
        return float(self.accuracies.min())

    @property
    def worst_shift(self) -> tuple[int, int]:
        """The displacement with the lowest accuracy: pixels down and right, negative for up and left."""
        row, column = np.unravel_index(self.accuracies.argmin(), self.accuracies.shape)
        return int(row) - self.max_shift, int(column) - self.max_shift

    @property
    def curve(self) -> NDArray[np.float64]:
        """Mean accuracy by distance, the longer of the two in pixels: float64 `(max_shift + 1,)`."""
        distance = np.abs(np.arange(-self.max_shift, self.max_shift + 1))
        ring = np.maximum.outer(distance, distance)
        return np.bincount(ring.ravel(), self.accuracies.ravel()) / np.bincount(ring.ravel())


def calibrate(trainer: Trainer, x: ImagesLike | Split, y: LabelsLike | None = None) -> float:
    """Make a classifier's probabilities mean what they say: a temperature, fitted on pictures it has not learnt from.

    What enters the last softmax (or sigmoid) is divided by the temperature that gives the lowest log loss. Answers
    stay the same, and how sure they are changes (Guo et al., arXiv:1706.04599). It is folded into the weights of the
    last layer, so that the saved file, plain Keras and predictors compiled afterwards give the same probabilities.

    Args:
        trainer: The classifier, whose last layer is changed.
        x: Images in any form that `prepare_images` takes, or a `Split`: validation pictures, some thousands.
        y: Labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.

    Returns:
        The temperature, from 0.1 to 10; above 1 where the classifier was too sure of itself.

    Raises:
        ValueError: If lengths differ, or the model does not end in one dense layer with softmax or sigmoid.
        TypeError: If an argument has the wrong type.
        RuntimeError: If the model is being fitted.

    Example:
        >>> import fashionclf as fc
        >>> images, labels = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> history = trainer.fit(images[:200], labels[:200], epochs=3, seed=0, verbose=0)
        >>> 0.1 < calibrate(trainer, images[200:400], labels[200:400]) < 10
        True
    """
    check_trainer(trainer)
    examples = trainer._labelled(x, y)
    labels = integer_labels(examples.labels)
    layer = _probability_layer(trainer.model)
    with fitting_of(trainer.model):
        logits = _logits(trainer, layer, examples.images)

        def log_loss(log_temperature: float) -> float:
            probabilities = np.mean([_softmax(each / np.exp(log_temperature)) for each in logits], axis=0)
            return evaluate_predictions(labels, probabilities).log_loss

        temperature = float(np.exp(_minimum(log_loss, -np.log(10), np.log(10))))
        with state_of(trainer.model).computing:
            layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
    return temperature


def _logits(trainer: Trainer, layer: keras.layers.Dense, images: ImageArray) -> list[NDArray[np.float64]]:
    """Return what enters the softmax of a layer, at each of its uses: float64 `(n, num_classes)`.

    A single sigmoid unit is the softmax of its input and zero.
    """
    shaped = scale_pixels(images).reshape(-1, *trainer._image_shape)
    parts = []
    for start in range(0, len(shaped), _CALIBRATION_BATCH):
        with state_of(trainer.model).computing, keras.StatelessScope():
            parts.append(Walk(trainer.model, shaped[start : start + _CALIBRATION_BATCH]).logits_of(layer))
    uses = [np.concatenate(use).astype(np.float64) for use in zip(*parts, strict=True)]
    return [np.hstack([np.zeros_like(use), use]) if use.shape[1] == 1 else use for use in uses]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _probability_layer(model: keras.Model) -> keras.layers.Dense:
    """Return the dense layer that gives a model's probabilities, or those of all that it averages."""
    last = last_layer(model)
    ends = _averaged(last) if isinstance(last, keras.layers.Average) else {last}
    end = ends.pop()
    makes_probabilities = (keras.activations.softmax, keras.activations.sigmoid)
    if ends or not isinstance(end, keras.layers.Dense) or end.activation not in makes_probabilities:
        raise ValueError(
            "`trainer.model` must end in one Dense layer with softmax or sigmoid, whose weights a temperature can be "
            "folded into; it may be averaged over flips."
        )
    return end


def _averaged(average: keras.layers.Average) -> set[Any]:
    """Return the layers whose outputs are averaged: one, if they are a model's answers to several inputs."""
    operations = [tensor._keras_history.operation for tensor in average._inbound_nodes[0].input_tensors]
    return {last_layer(each) if isinstance(each, keras.Model) else each for each in operations}


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the place of the lowest value between two bounds by golden-section search, to within a thousandth."""
    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-3:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
    return (low + high) / 2


def shift_robustness(
    trainer: Trainer, x: ImagesLike | Split, y: LabelsLike | None = None, *, max_shift: int = 3
) -> ShiftRobustness:
    """Measure the accuracy on pictures moved by every displacement of up to `max_shift` pixels in each direction.

    Zeros move in, and what moves over the border is lost.

    Args:
        trainer: The classifier.
        x: Images in any form that `prepare_images` takes, or a `Split`, which brings its labels.
        y: Labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.
        max_shift: Pixels, 0 to 27: `(2 * max_shift + 1) ** 2` displacements, the pictures as they are among them.

    Raises:
        ValueError: If a value is out of range or lengths differ.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc
        >>> test = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> shift_robustness(trainer, test[:50], max_shift=1).accuracies.shape
        (3, 3)
    """
    check_trainer(trainer)
    reach = check_count(max_shift, "max_shift", minimum=0)
    if reach >= WIDTH:
        raise ValueError(f"`max_shift` must be below {WIDTH} pixels. Received: {max_shift!r}")
    examples = trainer._labelled(x, y)
    labels = integer_labels(examples.labels)
    all_alike = np.ones(len(labels), dtype=np.int64)

    def accuracy(down: int, right: int) -> float:
        moved = move(examples.images, down * all_alike, right * all_alike)
        return float(np.mean(trainer.predict_proba(moved).argmax(axis=1) == labels))

    steps = range(-reach, reach + 1)
    return ShiftRobustness(np.array([[accuracy(down, right) for right in steps] for down in steps]), reach)


def check_trainer(trainer: Any) -> None:
    """Check that an argument is a Trainer."""
    if not isinstance(trainer, Trainer):
        raise TypeError(f"`trainer` must be a Trainer. Received: {trainer!r}")


def cross_validate(
    model: str | Callable[[], Trainer] | Any,
    x: ImagesLike | Split,
    y: LabelsLike | None = None,
    *,
    folds: int = 5,
    seed: int | None = None,
) -> NDArray[np.float64]:
    """Train on all folds but one and measure the accuracy on the one left out, for each in turn.

    Folds are scikit-learn's `StratifiedKFold`: every fold has the same share of each class. Every fold starts
    from a new model, which its recipe trains; what you pass is not changed.

    Args:
        model: Name of a preset; a function without arguments that builds a `Trainer`; or a scikit-learn
            classifier, which gets float32 rows `(n, 784)` in [0, 1].
        x: Images in any form that `prepare_images` takes, or a `Split`, which brings its labels.
        y: Integer labels `(n,)`, or one-hot rows `(n, num_classes)`.
        folds: At least 2.
        seed: Shuffle before folding, and seed a preset's weights and the training, from 0 to 2**32 - 1. None folds
            in the given order, as scikit-learn does, and trains with fresh entropy. A function seeds the weights of
            what it builds itself, and a scikit-learn classifier has its `random_state`.

    Returns:
        The accuracy on each fold left out, float64 `(folds,)`.

    Raises:
        ValueError: If the name is unknown, lengths differ, a class has fewer images than there are folds, or the
            function returns one model twice.
        TypeError: If `model` is none of these.
        ImportError: If scikit-learn is missing.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from sklearn.dummy import DummyClassifier
        >>> images, labels = np.zeros((20, 28, 28), dtype="uint8"), np.arange(20) % 2
        >>> fc.cross_validate(DummyClassifier(), images, labels, folds=2)
        array([0.5, 0.5])
    """
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise ImportError("cross_validate needs scikit-learn: run `pip install 'fashionclf[sklearn]'`.") from error
    folds = check_count(folds, "folds", minimum=2)
    seed = check_seed(seed)
    build, score = _scorer(model)
    examples = as_examples(x, y, None, num_classes=None)
    labels = integer_labels(examples.labels)
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < folds:
        raise ValueError(
            f"`folds={folds}` but the rarest class has {rarest} pictures; each fold needs one of each class."
        )
    splitter = StratifiedKFold(folds, shuffle=seed is not None, random_state=seed)
    seeds = [None] * folds if seed is None else np.random.SeedSequence(seed).generate_state(folds).tolist()
    # Each model is built before the one before it is trained: none is trained if they turn out to be one.
    built = _distinct(build(seeds[i]) for i in range(folds))
    model = next(built)
    accuracies = []
    for fold_seed, (fit_index, test_index) in zip(seeds, splitter.split(labels, labels), strict=True):
        upcoming = next(built, None)
        accuracies.append(score(model, examples.take(fit_index), examples.take(test_index), fold_seed))
        model = upcoming
    return np.array(accuracies)


def _distinct(models: Iterable[Any]) -> Iterator[Any]:
    """Pass models on; refuse a Trainer whose variables an earlier one has, too: folds would train it further."""
    seen: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
    for model in models:
        variables = {id(each): each for each in model.model.variables} if isinstance(model, Trainer) else {}
        if any(seen.get(key) is each for key, each in variables.items()):
            raise ValueError(
                "`model` returned a Trainer with the same model, or the same layers, twice, so that every fold would "
                "train further what the folds before it have learnt. Build a new model in the function, such as "
                "`lambda: Trainer(cnn_model())`."
            )
        seen.update(variables)
        yield model


def _scorer(model: Any) -> tuple[Callable[[int | None], Any], Callable[[Any, Examples, Examples, int | None], float]]:
    """Return the function that builds what is trained, and the one that trains it on one part and scores on another."""
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
        f"Received: {model!r}"
    )


def _build(function: Callable[[], Any]) -> Trainer:
    trainer = function()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"`model` must build a Trainer. It returned: {trainer!r}")
    return trainer


def _score_trainer(trainer: Trainer, train: Examples, test: Examples, seed: int | None) -> float:
    trainer.fit(train.images, train.labels, seed=seed, verbose=0)
    predicted = trainer.predict_proba(test.images).argmax(axis=1)
    return float(np.mean(predicted == integer_labels(test.labels)))


def _score_estimator(estimator: Any, train: Examples, test: Examples, _seed: int | None) -> float:
    rows = [scale_pixels(part.images).reshape(-1, NUM_PIXELS) for part in (train, test)]
    estimator.fit(rows[0], integer_labels(train.labels))
    return float(np.mean(estimator.predict(rows[1]) == integer_labels(test.labels)))

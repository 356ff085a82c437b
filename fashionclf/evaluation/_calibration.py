"""Temperature scaling: probabilities that mean what they say."""

from collections.abc import Callable
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._images import scale_pixels
from fashionclf._types import ImageArray, LabelledLike, LabelsLike
from fashionclf._validation import integer_labels
from fashionclf.datasets import Split
from fashionclf.models._trace import Trace, graph_of
from fashionclf.report import evaluate_predictions
from fashionclf.trainer._compilation import fitting_of, state_of
from fashionclf.trainer._trainer import Trainer, check_trainer

_CALIBRATION_BATCH: Final = 64  # the outputs of all layers are kept for one batch


def calibrate(trainer: Trainer, x: LabelledLike | Split, y: LabelsLike | None = None) -> float:
    """Calibrate a classifier's probabilities by temperature scaling (Guo et al., 2017, arXiv:1706.04599).

    The input of the last softmax (or sigmoid) is divided by the temperature that gives the lowest log loss on images
    that were not used for training. Predicted classes stay the same; only their probabilities change. The weights of
    the last layer are divided by the temperature, so the saved file, plain Keras and predictors compiled afterwards
    give the same probabilities. The Trainer's `unfamiliarity_threshold` no longer holds and becomes None.

    Args:
        trainer: The classifier, whose last layer is changed.
        x: Some thousand validation images with or without their labels, as `Trainer.evaluate`; a stream is read into
            memory.
        y: Labels, as `Trainer.evaluate`.

    Returns:
        The temperature, from 0.1 to 10; above 1 if the classifier was overconfident.

    Raises:
        ValueError: If lengths differ, or the model does not end in one dense layer with softmax or sigmoid.
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
    data = trainer._labelled(x, y)
    labels = integer_labels(data.labels)
    layer = _probability_layer(trainer)
    with fitting_of(trainer.model):
        logits = _logits(trainer, layer, data.images)

        def log_loss(log_temperature: float) -> float:
            probabilities = np.mean([_softmax(each / np.exp(log_temperature)) for each in logits], axis=0)
            return evaluate_predictions(labels, probabilities).log_loss

        temperature = float(np.exp(_minimum(log_loss, -np.log(10), np.log(10))))
        with state_of(trainer.model).computing:
            layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
    trainer.unfamiliarity_threshold = None  # it was that of the probabilities before
    return temperature


def _logits(trainer: Trainer, layer: keras.layers.Dense, images: ImageArray) -> list[NDArray[np.float64]]:
    """Return what enters the softmax of a layer, at each of its uses: float64 `(n, num_classes)`."""
    shaped = scale_pixels(images).reshape(-1, *trainer._input_shape)
    parts = []
    for start in range(0, len(shaped), _CALIBRATION_BATCH):
        with state_of(trainer.model).computing, keras.StatelessScope():
            parts.append(Trace(trainer.model, shaped[start : start + _CALIBRATION_BATCH]).logits_of(layer))
    uses = [np.concatenate(use).astype(np.float64) for use in zip(*parts, strict=True)]
    return [np.hstack([np.zeros_like(use), use]) if use.shape[1] == 1 else use for use in uses]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _probability_layer(trainer: Trainer) -> keras.layers.Dense:
    """Return the dense layer that gives a model's probabilities, or those of all that it averages."""
    if graph_of(trainer.model) is not None:
        with state_of(trainer.model).computing, keras.StatelessScope():
            ends = Trace(trainer.model, np.zeros((1, *trainer._input_shape), np.float32)).last_operations()
        end = ends.pop()
        makes_probabilities = (keras.activations.softmax, keras.activations.sigmoid)
        if not ends and isinstance(end, keras.layers.Dense) and end.activation in makes_probabilities:
            return end
    raise ValueError(
        "`trainer.model` must end in one Dense layer with softmax or sigmoid, whose weights can be divided by a "
        "temperature; it may be averaged over flips."
    )


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the position of the minimum between two bounds by golden-section search, to within a thousandth."""
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

"""Checks that a model takes 28x28 images and gives probabilities."""

from typing import Any, Final

import keras
import numpy as np

from fashionclf._images import HEIGHT, IMAGE_SHAPE, NUM_PIXELS, WIDTH
from fashionclf._keras_internals import all_layers
from fashionclf._text import shown
from fashionclf._types import FloatArray
from fashionclf.models._graph import last_layer
from fashionclf.models._trace import pixel_range

_INPUTS: Final = (IMAGE_SHAPE, (HEIGHT, WIDTH), (NUM_PIXELS,))


_LEAST_RANGE: Final = 1 / 50  # between the range of pixels in [0, 1] and their range once divided by 127.5 or 255


_EXPECTED_INPUT: Final = "one float input (None, 28, 28, 1), (None, 28, 28) or (None, 784)"


def check_model(model: Any) -> tuple[tuple[int, ...], int]:
    """Return the input shape of a model for one image, and its number of output units.

    The model is called once, which builds it if necessary.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {shown(model)}")
    shape = _input_shape(model)
    image = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    try:
        outputs = model(image, training=False)
    except Exception as error:
        raise ValueError(f"`model` cannot be applied to an image of shape {shape}: {error}") from error
    if not hasattr(outputs, "shape") or len(outputs.shape) != 2:
        found = getattr(outputs, "shape", type(outputs).__name__)
        raise ValueError(
            f"`model` gives output {found} for one image {(1, *shape)}, expected one output (1, num_classes). If it "
            f"takes images in another shape, start it with `keras.Input({_INPUTS[-1]})` or another of these shapes."
        )
    _check_precision(model)
    _check_scaling(model, shape)
    _check_probabilities(model, np.asarray(keras.ops.convert_to_numpy(outputs)))
    return shape, int(outputs.shape[1])


def _input_shape(model: keras.Model) -> tuple[int, ...]:
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a model that has not been built, or is not a graph of layers
        inputs = None
    if inputs is None:
        return IMAGE_SHAPE
    given = inputs[0].shape if len(inputs) == 1 else inputs
    shape = next((shape for shape in _INPUTS if len(inputs) == 1 and _fits(given[1:], shape)), None)
    if shape is None:
        raise ValueError(f"`model` takes input {given}, expected {_EXPECTED_INPUT}.")
    if not keras.backend.is_float_dtype(inputs[0].dtype):
        raise ValueError(
            f"`model` takes {inputs[0].dtype} input, expected {_EXPECTED_INPUT}. It gets pixels in [0, 1]; for raw "
            "0..255 let it begin with `keras.layers.Rescaling(255)`."
        )
    return shape


def _fits(shape: tuple[int | None, ...], image: tuple[int, ...]) -> bool:
    return len(shape) == len(image) and all(a in (None, b) for a, b in zip(shape, image, strict=True))


def _check_scaling(model: keras.Model, shape: tuple[int, ...]) -> None:
    """Refuse a model that divides pixels by 255: it gets them in [0, 1], and would see nearly black images.

    Measured at the input of the first layer with weights, after any layers before it: `Rescaling`, an adapted
    `Normalization`, a division.
    """
    reach = pixel_range(model, shape)
    if reach is not None and reach < _LEAST_RANGE:
        raise ValueError(
            "`model` scales its pixels itself, but gets them in [0, 1]: at its first layer with weights, white and "
            f"black differ by only {reach:.2g}. Leave out the layer that divides by 255, such as `Rescaling(1 / 255)`; "
            "or put `keras.layers.Rescaling(255)` before a model that is trained already: "
            "`keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(255), model])`."
        )


def _check_precision(model: keras.Model) -> None:
    mixed = {layer.dtype_policy.name for layer in all_layers(model)} - {"float32"}
    if mixed:
        raise ValueError(
            f"`model` has layers of dtype {', '.join(sorted(mixed))}, expected float32. Build it in float32 and "
            "train with `precision='bfloat16'`, which keeps its weights and file in float32."
        )


def _check_probabilities(model: keras.Model, outputs: FloatArray) -> None:
    """Refuse logits: the saved file must give probabilities in plain Keras too."""
    units = outputs.shape[1]
    expected = "sigmoid" if units == 1 else "softmax"
    activation = getattr(last_layer(model), "activation", None)
    # A single number may lie between 0 and 1 by chance, so that the activation has to tell.
    plausible = outputs.min() >= 0 and (outputs.max() <= 1 if units == 1 else abs(outputs.sum() - 1) < 1e-3)
    if not plausible or (units == 1 and activation not in (None, keras.activations.sigmoid)):
        raise ValueError(
            f"`model` ends in {units} units that are not probabilities. Give the last layer `activation={expected!r}`."
        )

"""Distance awareness: an image that is far from all classes gets probabilities that are spread."""

from typing import Any, Final

import keras
import numpy as np

from fashionclf._keras_internals import is_graph
from fashionclf._types import FloatArray

_DIRECTION: Final = "direction"
_STEEPNESS: Final = 1.75  # less tells unknown garments apart worse, more calibrates worse
_AT_MIDDLE: Final = 1 / (1 + np.exp(-_STEEPNESS))  # familiarity of a usual image


def with_familiarity(model: keras.Model) -> keras.Model:
    """Return a model whose last layer gets its features times their familiarity, from 0 to 1.

    The features are scaled to length 1. How near they are to the mean of the nearest class is their similarity, and
    familiarity a sigmoid of that. The earlier layers are those of `model`; the last one is a copy. A model that has
    these layers gets new ones. `set_familiarity` gives them their weights, and training leaves these as they are.

    Raises:
        ValueError: If the model does not end in one dense layer with softmax that takes a row of features.
    """
    tail = _tail(model)
    is_aware = "familiar_features" in [layer.name for layer in model.layers]
    features = (model.get_layer(_DIRECTION) if is_aware else tail[0]).input
    classes = tail[-1].units
    x = keras.layers.UnitNormalization(name=_DIRECTION)(features)
    x = keras.layers.Dense(classes, name="similarities", trainable=False)(x)
    x = keras.layers.Reshape((classes, 1), name="similarities_of_classes")(x)
    x = keras.layers.GlobalMaxPooling1D(name="similarity", data_format="channels_last")(x)
    x = keras.layers.Dense(1, activation="sigmoid", name="familiarity", trainable=False)(x)
    x = keras.layers.Multiply(name="familiar_features")([features, x])
    for layer in tail:
        copy = type(layer).from_config(layer.get_config())
        x = copy(x)
        copy.set_weights(layer.get_weights())
    aware = keras.Model(model.inputs[0], x, name=model.name)
    if is_aware:
        _multiply_kernel(aware.layers[-1], _AT_MIDDLE)  # `set_familiarity` divides it again
    return aware


def directions_of(model: keras.Model) -> keras.Model:
    """Return the part of a model with familiarity that gives the features of an image, scaled to length 1."""
    return keras.Model(model.inputs[0], model.get_layer(_DIRECTION).output)


def similarities_to(means: FloatArray, directions: FloatArray) -> FloatArray:
    """Return the similarity `(n,)` of directions `(n, d)` to the nearest of means `(classes, d)`.

    It is half of 1 minus their squared distance, up to 0.5 for a mean of length 1.
    """
    return np.asarray((directions @ means.T - (means**2).sum(axis=1) / 2).max(axis=1))


def set_familiarity(model: keras.Model, means: FloatArray, low: float, middle: float) -> None:
    """Set the weights of the layers of `with_familiarity`.

    Args:
        model: The model.
        means: Of the directions of each class, `(classes, d)`.
        low: The similarity at which half of the features are left.
        middle: A usual similarity: there the probabilities stay as they are.
    """
    steepness = _STEEPNESS / max(middle - low, 1e-3)
    model.get_layer("similarities").set_weights([means.T, -(means**2).sum(axis=1) / 2])
    model.get_layer("familiarity").set_weights([np.full((1, 1), steepness), np.full(1, -low * steepness)])
    _multiply_kernel(model.layers[-1], 1 / _AT_MIDDLE)


def _multiply_kernel(layer: Any, factor: float) -> None:
    kernel, *bias = layer.get_weights()
    layer.set_weights([kernel * np.float32(factor), *bias])


def _tail(model: keras.Model) -> list[Any]:
    """Return the last layer and the dropout before it."""
    layers: list[Any] = list(model.layers) if is_graph(model) else []
    tail = layers[-1:]
    softmax = any(
        isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax for last in tail
    )
    for layer in reversed(layers[:-1]):
        if not (softmax and isinstance(layer, keras.layers.Dropout) and layer.output is tail[0].input):
            break
        tail.insert(0, layer)
    if not softmax or len(tail[0].input.shape) != 2:
        raise ValueError(
            "`trainer.model` must be a graph of layers that ends in one Dense layer with softmax, which takes a row of "
            "features. Make a model distance-aware before `flip_averaged`."
        )
    return tail

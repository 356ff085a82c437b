"""The layers that all builders share."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from fashionclf._images import IMAGE_SHAPE
from fashionclf._text import shown
from fashionclf._types import ImageShape
from fashionclf._validation import check_choice, check_count, check_flag, check_number, check_seed, check_text

ACTIVATIONS: Final = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "linear")
"""Names that `activation` takes; `"linear"` is none at all."""

CHANNELS_LAST: Final = "channels_last"  # the images' form, also if Keras's global setting differs


def sequential(layers: Sequence[keras.Layer], name: str, image_shape: ImageShape = IMAGE_SHAPE) -> keras.Model:
    """Stack layers on an input of images."""
    return keras.Sequential([keras.Input(image_shape, name="image"), *layers], name=check_name(name))


def hidden_layers(
    units: Sequence[int], *, activation: str, dropout: float, batch_norm: bool, seeds: Iterator[int]
) -> list[keras.Layer]:
    """Return dense layers, each with its normalisation, activation and dropout."""
    layers: list[keras.Layer] = []
    for i, count in enumerate(units, start=1):
        dense = keras.layers.Dense(count, use_bias=not batch_norm, kernel_initializer=glorot(seeds), name=f"dense_{i}")
        layers += _activated(dense, activation, batch_norm)
        layers += dropout_layers(dropout, seeds, f"dropout_{i}")
    return layers


def output_layer(num_classes: int, seeds: Iterator[int]) -> keras.Layer:
    """Return the last layer: softmax over the classes, or one sigmoid unit for two of them."""
    num_classes = check_count(num_classes, "num_classes")
    activation = "sigmoid" if num_classes == 1 else "softmax"
    return keras.layers.Dense(num_classes, activation=activation, kernel_initializer=glorot(seeds), name="output")


def _activated(layer: keras.Layer, activation: str, batch_norm: bool) -> list[keras.Layer]:
    """Follow a layer by its activation, a layer of its own so that normalisation can stand between."""
    check_choice(activation, "activation", ACTIVATIONS)
    result = [layer]
    if check_flag(batch_norm, "batch_norm"):
        result.append(keras.layers.BatchNormalization(name=f"{layer.name}_norm"))
    if activation != "linear":
        result.append(keras.layers.Activation(activation, name=f"{layer.name}_{activation}"))
    return result


def dropout_layers(rate: float, seeds: Iterator[int], name: str) -> list[keras.Layer]:
    """Return a dropout layer with a seed of its own; none at rate 0."""
    rate = check_number(rate, "dropout", low=0, high=1, open_high=True)
    return [keras.layers.Dropout(rate, seed=next(seeds), name=name)] if rate else []


def glorot(seeds: Iterator[int]) -> Any:
    """Keras's default initializer (Glorot and Bengio, 2010), with a seed of its own."""
    return keras.initializers.GlorotUniform(seed=next(seeds))


def check_name(name: Any) -> str:
    if "/" in check_text(name, "name"):  # which Keras puts between the names of nested layers
        raise ValueError(f"`name` has a '/', expected a name without one: {shown(name)}")
    return str(name)


def layer_seeds(seed: int | None) -> Iterator[int]:
    """Yield a seed for each layer, all derived from one; from the system's entropy if that is None."""
    sequence = np.random.SeedSequence(check_seed(seed))
    while True:
        yield int(sequence.spawn(1)[0].generate_state(1)[0])

"""Builders of classifiers: uncompiled `keras.Model`s for `(28, 28, 1)` images in [0, 1].

They are made of Keras's own backend-neutral layers, and every layer that draws random numbers has a seed
of its own: the global random state of Python, numpy and TensorFlow stays as it is.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from fashionclf._validation import (
    IMAGE_SHAPE,
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_sizes,
)

ACTIVATIONS: Final = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "linear")
"""Names that `activation` takes; `"linear"` is none at all."""

CHANNELS_LAST: Final = "channels_last"  # the images' form, whatever Keras's global setting is
_POOLING: Final = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
_MAX_BLOCKS: Final = 4  # every block halves 28 pixels: 14, 7, 3, 1


def dense_model(
    units: int | Sequence[int] = (128,),
    *,
    flatten: str = "before",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    num_classes: int = 10,
    seed: int | None = None,
    name: str = "dense_model",
) -> keras.Model:
    """Build a classifier of fully connected layers.

    Args:
        units: Units of each hidden layer. `()` is softmax regression.
        flatten: `"before"` joins the rows to one vector of 784 pixels first; `"after"` applies the hidden
            layers to each row of 28 pixels alone and joins what they give.
        activation: Of the hidden layers, one of `ACTIVATIONS`.
        dropout: Share of each hidden layer's outputs dropped in training, from 0 up to but not including 1.
        batch_norm: Normalise between each hidden layer and its activation (Ioffe and Szegedy,
            arXiv:1502.03167).
        num_classes: Number of classes. 1 gives one sigmoid unit, for two classes.
        seed: Of initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.
        name: Of the model.

    Returns:
        An uncompiled model from `(n, 28, 28, 1)` float32 in [0, 1] to probabilities `(n, num_classes)`.

    Raises:
        ValueError: If a size, share or name is out of range.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense_model(units=(200, 100), seed=0).count_params()
        178110
    """
    seeds = layer_seeds(seed)
    hidden = hidden_layers(
        check_sizes(units, "units"),
        activation=activation,
        dropout=dropout,
        batch_norm=batch_norm,
        seeds=seeds,
    )
    join = keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten")
    if check_choice(flatten, "flatten", ("before", "after")) == "before":
        body = [join, *hidden]
    else:
        body = [keras.layers.Reshape(IMAGE_SHAPE[:2], name="rows"), *hidden, join]
    return sequential([*body, output_layer(num_classes, seeds)], name)


def cnn_model(
    filters: int | Sequence[int] = (32, 64),
    *,
    kernel_size: int | Sequence[int] = 3,
    pooling: str = "max",
    units: int | Sequence[int] = (100,),
    activation: str = "relu",
    dropout: float = 0.4,
    batch_norm: bool = False,
    num_classes: int = 10,
    seed: int | None = None,
    name: str = "cnn_model",
) -> keras.Model:
    """Build a convolutional classifier: blocks of convolution and pooling, then dense layers.

    Args:
        filters: Filters of each block, at most four blocks: each halves the picture.
        kernel_size: Side of the square kernels in pixels, or (height, width). The picture is padded, so
            only pooling makes it smaller.
        pooling: `"max"` or `"average"`, over 2x2 pixels.
        units: Units of each hidden dense layer after the blocks. `()` leaves them out.
        activation: Of convolutions and hidden layers, one of `ACTIVATIONS`.
        dropout: Share of the inputs of the last layer dropped in training, from 0 up to but not including 1.
        batch_norm: Normalise between each layer and its activation (Ioffe and Szegedy, arXiv:1502.03167).
        num_classes: Number of classes. 1 gives one sigmoid unit, for two classes.
        seed: Of initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.
        name: Of the model.

    Returns:
        An uncompiled model from `(n, 28, 28, 1)` float32 in [0, 1] to probabilities `(n, num_classes)`.

    Raises:
        ValueError: If a size, share or name is out of range.
        TypeError: If an argument has the wrong type.

    Example:
        >>> cnn_model(filters=(32, 64), units=(100,), seed=0).count_params()
        333526
    """
    filters = check_sizes(filters, "filters")
    if not 1 <= len(filters) <= _MAX_BLOCKS:
        raise ValueError(
            f"`filters` must name 1 to {_MAX_BLOCKS} blocks, because each halves the 28 pixels. Received: {filters!r}"
        )
    kernel = _check_kernel(kernel_size)
    pool = _POOLING[check_choice(pooling, "pooling", tuple(_POOLING))]
    units = check_sizes(units, "units")
    seeds = layer_seeds(seed)
    body: list[keras.Layer] = []
    for i, count in enumerate(filters, start=1):
        convolution = keras.layers.Conv2D(
            count,
            kernel,
            padding="same",
            data_format=CHANNELS_LAST,
            use_bias=not batch_norm,
            kernel_initializer=glorot(seeds),
            name=f"conv_{i}",
        )
        body += _activated(convolution, activation, batch_norm)
        body.append(pool(2, data_format=CHANNELS_LAST, name=f"pool_{i}"))
    body.append(keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten"))
    body += hidden_layers(units, activation=activation, dropout=0.0, batch_norm=batch_norm, seeds=seeds)
    body += dropout_layers(dropout, seeds, "dropout")
    return sequential([*body, output_layer(num_classes, seeds)], name)


def flip_averaged(model: keras.Model, *, name: str | None = None) -> keras.Model:
    """Build a model that answers with the mean of another's answers for a picture and for its mirror image.

    Left and right mean nothing on garments, so that two looks are worth more than one: typically 0.1 to 0.5 points of
    accuracy, for twice the arithmetic. The weights are shared with `model`, not copied. Train `model` first, with flips
    (`Augmentation(horizontal_flip=True)`), then wrap it; the wrapped model can be trained further, at twice the cost.

    Args:
        model: A model of pictures `(28, 28, 1)` or `(28, 28)`, built, with one output.
        name: Of the new model. None takes that of `model`.

    Returns:
        An uncompiled `keras.Model` of Keras's own layers, with the input and output of `model`.

    Raises:
        ValueError: If `model` is not built, or takes rows of pixels or several inputs.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model(seed=0)))
        >>> trainer
        <Trainer cnn_model: 333,526 parameters, 10 classes>
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r}")
    shape = getattr(model, "input_shape", None) if model.built else None
    if not isinstance(shape, tuple) or tuple(shape[1:3]) != IMAGE_SHAPE[:2]:
        raise ValueError(
            f"`model` must be built for pictures (None, 28, 28, 1) or (None, 28, 28). Its input is {shape}; begin it "
            f"with `keras.Input({IMAGE_SHAPE})`."
        )
    image = keras.Input(shape[1:], name="image")
    answers = [model(image), model(keras.ops.flip(image, axis=2))]
    return keras.Model(image, keras.layers.Average(name="mean")(answers), name=_check_name(name or model.name))


# -- the layers they share ------------------------------------------------------------------------


def sequential(layers: Sequence[keras.Layer], name: str) -> keras.Model:
    """Stack layers on an input of `(28, 28, 1)` pictures."""
    return keras.Sequential([keras.Input(IMAGE_SHAPE, name="image"), *layers], name=_check_name(name))


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


def _check_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"`name` must be a non-empty string. Received: {name!r}")
    return name


def _check_kernel(kernel_size: int | Sequence[int]) -> tuple[int, int]:
    sizes = check_sizes(kernel_size, "kernel_size")
    if len(sizes) > 2 or not sizes or max(sizes) > IMAGE_SHAPE[0]:
        raise ValueError(f"`kernel_size` must be one or two sizes from 1 to 28. Received: {kernel_size!r}")
    return sizes[0], sizes[-1]


def layer_seeds(seed: int | None) -> Iterator[int]:
    """Yield a seed for each layer, all derived from one; from the system's entropy if that is None."""
    sequence = np.random.SeedSequence(check_seed(seed))
    while True:
        yield int(sequence.spawn(1)[0].generate_state(1)[0])

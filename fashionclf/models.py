"""Builders of classifiers: uncompiled `keras.Model`s for `(28, 28, 1)` images in [0, 1].

They are made of Keras's own backend-neutral layers, and every layer that draws random numbers has a seed
of its own: the global random state of Python, numpy and TensorFlow stays as it is.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from fashionclf._types import FloatArray
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

_POOLING: Final = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
_MOMENTUM: Final = 0.9  # of batch normalisation: short training has few steps to average over,
_FAST_MOMENTUM: Final = 0.8  # and three epochs fewer still
_MEAN: Final = 0.286
_VARIANCE: Final = 0.125  # of the pixels of training pictures in [0, 1]
_CORRELATIONS: Final = (0.90, 0.85)  # of a pixel with the one below and the one beside it
_POWER_FLOOR: Final = 0.01  # keeps directions that hold little but noise from being blown up
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
    seeds = _seeds(seed)
    hidden = hidden_layers(
        check_sizes(units, "units"),
        activation=activation,
        dropout=dropout,
        batch_norm=batch_norm,
        seeds=seeds,
    )
    join = keras.layers.Flatten(name="flatten")
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
    seeds = _seeds(seed)
    body: list[keras.Layer] = []
    for i, count in enumerate(filters, start=1):
        convolution = keras.layers.Conv2D(
            count,
            kernel,
            padding="same",
            use_bias=not batch_norm,
            kernel_initializer=_glorot(seeds),
            name=f"conv_{i}",
        )
        body += _activated(convolution, activation, batch_norm)
        body.append(pool(2, name=f"pool_{i}"))
    body.append(keras.layers.Flatten(name="flatten"))
    body += hidden_layers(units, activation=activation, dropout=0.0, batch_norm=batch_norm, seeds=seeds)
    body += _dropout(dropout, seeds, "dropout")
    return sequential([*body, output_layer(num_classes, seeds)], name)


def rowwise_model(units: Sequence[int], *, seed: int | None, name: str) -> keras.Model:
    """Build a `dense_model` with `flatten="after"` that undoes the scaling first, to train on raw 0..255."""
    model = dense_model(units, flatten="after", seed=seed)
    return sequential([keras.layers.Rescaling(255.0, name="raw_pixels"), *model.layers], name)


def fast_model(
    filters: tuple[int, int] = (32, 64), *, units: int = 128, num_classes: int = 10, seed: int | None, name: str
) -> keras.Model:
    """Build a convolutional classifier for short training on a processor.

    The first layer sees most pixels and would cost most. Here it is fixed: filters that decorrelate 5x5 patches, each
    with its negative, at every second pixel, so that nothing has to be computed backwards through it (after
    Coates and Ng, 2012, and Jordan, arXiv:2404.00498).
    """
    seeds = _seeds(seed)
    first = keras.layers.Conv2D(
        filters[0], 5, strides=2, padding="same", use_bias=False, trainable=False, name="whiten"
    )
    body = [
        first,
        keras.layers.Activation("relu", name="whiten_relu"),
        *_pooled_convolution(filters[1], seeds, "conv", momentum=_FAST_MOMENTUM),
        keras.layers.Flatten(name="flatten"),
        *_normalised(_plain_dense(units, seeds, "dense"), momentum=_FAST_MOMENTUM),
    ]
    model = sequential([*body, output_layer(num_classes, seeds)], name)
    positive = whitening_filters(5, filters[0] // 2)
    first.kernel.assign(np.concatenate([positive, -positive], axis=-1)[:, :, np.newaxis])
    return model


def balanced_model(*, num_classes: int = 10, seed: int | None, name: str) -> keras.Model:
    """Build a convolutional classifier for minutes of training: four convolutions, pooled before normalisation."""
    seeds = _seeds(seed)
    body = [
        *_pooled_convolution(32, seeds, "conv_1", momentum=_MOMENTUM),
        *_pooled_convolution(64, seeds, "conv_2", momentum=_MOMENTUM, pool=False),
        *_pooled_convolution(64, seeds, "conv_3", momentum=_MOMENTUM),
        *_pooled_convolution(128, seeds, "conv_4", momentum=_MOMENTUM, pool=False),
        keras.layers.Flatten(name="flatten"),
        *_dropout(0.3, seeds, "dropout_1"),
        *_normalised(_plain_dense(256, seeds, "dense"), momentum=_MOMENTUM),
        *_dropout(0.3, seeds, "dropout_2"),
    ]
    return sequential([*body, output_layer(num_classes, seeds)], name)


def whitening_filters(size: int, count: int) -> FloatArray:
    """Return the filters that decorrelate patches of pictures and give each direction the same power.

    Patches are modelled by a Markov chain along each axis: the correlation of two pixels falls by a constant factor
    with each step between them. The principal directions of that are products of those along each axis, close to the
    cosines of JPEG. Its constants are measured on training pictures of Fashion-MNIST; see docs/performance.md for
    the comparison with the directions measured themselves.

    Args:
        size: Side of the filters, in pixels.
        count: How many, from the strongest direction on.

    Returns:
        A float32 array `(size, size, count)`.
    """
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    axes = [np.linalg.eigh(correlation**distance) for correlation in _CORRELATIONS]
    # the sign of an eigenvector is the library's whim
    rows, columns = (directions * np.sign(directions[0]) for _, directions in axes)
    pairs = np.einsum("ai,bj->abij", rows, columns).reshape(size, size, -1)
    power = _VARIANCE * np.outer(axes[0][0], axes[1][0]).ravel() + _MEAN**2 * pairs.sum(axis=(0, 1)) ** 2
    order = np.argsort(-power, kind="stable")[:count]
    return np.asarray(pairs[:, :, order] / np.sqrt(power[order] + _POWER_FLOOR), dtype=np.float32)


# -- the layers they share ------------------------------------------------------------------------


def sequential(layers: Sequence[keras.Layer], name: str) -> keras.Model:
    """Stack layers on an input of `(28, 28, 1)` pictures."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"`name` must be a non-empty string. Received: {name!r}")
    return keras.Sequential([keras.Input(IMAGE_SHAPE, name="image"), *layers], name=name)


def hidden_layers(
    units: Sequence[int], *, activation: str, dropout: float, batch_norm: bool, seeds: Iterator[int]
) -> list[keras.Layer]:
    """Return dense layers, each with its normalisation, activation and dropout."""
    layers: list[keras.Layer] = []
    for i, count in enumerate(units, start=1):
        dense = keras.layers.Dense(count, use_bias=not batch_norm, kernel_initializer=_glorot(seeds), name=f"dense_{i}")
        layers += _activated(dense, activation, batch_norm)
        layers += _dropout(dropout, seeds, f"dropout_{i}")
    return layers


def output_layer(num_classes: int, seeds: Iterator[int]) -> keras.Layer:
    """Return the last layer: softmax over the classes, or one sigmoid unit for two of them."""
    num_classes = check_count(num_classes, "num_classes")
    activation = "sigmoid" if num_classes == 1 else "softmax"
    return keras.layers.Dense(num_classes, activation=activation, kernel_initializer=_glorot(seeds), name="output")


def _activated(layer: keras.Layer, activation: str, batch_norm: bool) -> list[keras.Layer]:
    """Follow a layer by its activation, a layer of its own so that normalisation can stand between."""
    check_choice(activation, "activation", ACTIVATIONS)
    result = [layer]
    if check_flag(batch_norm, "batch_norm"):
        result.append(keras.layers.BatchNormalization(name=f"{layer.name}_norm"))
    if activation != "linear":
        result.append(keras.layers.Activation(activation, name=f"{layer.name}_{activation}"))
    return result


def _pooled_convolution(
    filters: int, seeds: Iterator[int], name: str, *, momentum: float, pool: bool = True
) -> list[keras.Layer]:
    """Return a 3x3 convolution pooled before it is normalised, which leaves a quarter of the values to go through."""
    convolution = keras.layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer=_glorot(seeds), name=name
    )
    pooling = [keras.layers.MaxPooling2D(2, name=f"{name}_pool")] if pool else []
    return _normalised(convolution, *pooling, momentum=momentum)


def _plain_dense(units: int, seeds: Iterator[int], name: str) -> keras.Layer:
    return keras.layers.Dense(units, use_bias=False, kernel_initializer=_glorot(seeds), name=name)


def _normalised(layer: keras.Layer, *between: keras.Layer, momentum: float) -> list[keras.Layer]:
    return [
        layer,
        *between,
        keras.layers.BatchNormalization(momentum=momentum, name=f"{layer.name}_norm"),
        keras.layers.Activation("relu", name=f"{layer.name}_relu"),
    ]


def _dropout(rate: float, seeds: Iterator[int], name: str) -> list[keras.Layer]:
    rate = check_number(rate, "dropout", low=0, high=1, open_high=True)
    return [keras.layers.Dropout(rate, seed=next(seeds), name=name)] if rate else []


def _glorot(seeds: Iterator[int]) -> Any:
    """Keras's default initializer (Glorot and Bengio, 2010), with a seed of its own."""
    return keras.initializers.GlorotUniform(seed=next(seeds))


def _check_kernel(kernel_size: int | Sequence[int]) -> tuple[int, int]:
    sizes = check_sizes(kernel_size, "kernel_size")
    if len(sizes) > 2 or not sizes or max(sizes) > IMAGE_SHAPE[0]:
        raise ValueError(f"`kernel_size` must be one or two sizes from 1 to 28. Received: {kernel_size!r}")
    return sizes[0], sizes[-1]


def _seeds(seed: int | None) -> Iterator[int]:
    """Yield a seed for each layer, all derived from one; from the system's entropy if that is None."""
    sequence = np.random.SeedSequence(check_seed(seed))
    while True:
        yield int(sequence.spawn(1)[0].generate_state(1)[0])

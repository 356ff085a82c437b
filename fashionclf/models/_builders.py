"""The two configurable builders: fully connected and convolutional classifiers."""

from collections.abc import Sequence
from typing import Final, Literal

import keras

from fashionclf._images import IMAGE_SHAPE
from fashionclf._text import shown
from fashionclf._validation import check_choice, check_sizes
from fashionclf.models._blocks import (
    CHANNELS_LAST,
    _activated,
    dropout_layers,
    glorot,
    hidden_layers,
    layer_seeds,
    output_layer,
    sequential,
)

_POOLING: Final = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}


_MAX_BLOCKS: Final = 4  # every block halves 28 pixels: 14, 7, 3, 1


def dense_model(
    units: int | Sequence[int] = (128,),
    *,
    flatten: Literal["before", "after"] = "before",
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
        flatten: `"before"` joins the rows to one vector of 784 pixels first; `"after"` applies the hidden layers to
            each row of 28 pixels and joins the results.
        activation: Of the hidden layers, one of `ACTIVATIONS`.
        dropout: Dropout rate after each hidden layer, from 0 up to but not including 1.
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
    pooling: Literal["max", "average"] = "max",
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
        filters: Filters of each block, at most four blocks: each halves the image.
        kernel_size: Side of the square kernels in pixels, or (height, width). The image is padded, so
            only pooling makes it smaller.
        pooling: `"max"` or `"average"`, over 2x2 pixels.
        units: Units of each hidden dense layer after the blocks. `()` leaves them out.
        activation: Of convolutions and hidden layers, one of `ACTIVATIONS`.
        dropout: Dropout rate before the last layer, from 0 up to but not including 1.
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
            f"`filters` must name 1 to {_MAX_BLOCKS} blocks, because each halves the 28 pixels. Received: "
            f"{shown(filters)}"
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


def _check_kernel(kernel_size: int | Sequence[int]) -> tuple[int, int]:
    sizes = check_sizes(kernel_size, "kernel_size")
    if len(sizes) > 2 or not sizes or max(sizes) > IMAGE_SHAPE[0]:
        raise ValueError(f"`kernel_size` must be one or two sizes from 1 to 28. Received: {shown(kernel_size)}")
    return sizes[0], sizes[-1]

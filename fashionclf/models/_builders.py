"""The two configurable builders: fully connected and convolutional classifiers."""

from collections.abc import Sequence
from typing import Final, Literal

import keras

from fashionclf._images import IMAGE_SHAPE, check_image_shape
from fashionclf._text import shown
from fashionclf._types import ImageShape
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


def dense_model(
    units: int | Sequence[int] = (128,),
    *,
    flatten: Literal["before", "after"] = "before",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    image_shape: ImageShape = IMAGE_SHAPE,
    num_classes: int = 10,
    seed: int | None = None,
    name: str = "dense_model",
) -> keras.Model:
    """Build a classifier of fully connected layers.

    Args:
        units: Units of each hidden layer. `()` is softmax regression.
        flatten: `"before"` joins all rows of an image to one vector first; `"after"` applies the hidden layers to each
            row of pixels and joins the results.
        activation: Of the hidden layers, one of `ACTIVATIONS`.
        dropout: Dropout rate after each hidden layer, from 0 up to but not including 1.
        batch_norm: Normalise between each hidden layer and its activation (Ioffe and Szegedy,
            arXiv:1502.03167).
        image_shape: `(height, width, channels)` of the images, with 1 channel (grey) or 3 (red, green, blue).
        num_classes: Number of classes. 1 gives one sigmoid unit, for two classes.
        seed: Of initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.
        name: Of the model.

    Returns:
        An uncompiled model from `(n, height, width, channels)` float32 in [0, 1] to probabilities `(n, num_classes)`.

    Raises:
        ValueError: If a size, share or name is out of range.

    Example:
        >>> dense_model(units=(200, 100), seed=0).count_params()
        178110
        >>> dense_model(image_shape=(32, 32, 3), seed=0).input_shape
        (None, 32, 32, 3)
    """
    height, width, channels = image_shape = check_image_shape(image_shape)
    seeds = layer_seeds(seed)
    hidden = hidden_layers(
        check_sizes(units, "units"), activation=activation, dropout=dropout, batch_norm=batch_norm, seeds=seeds
    )
    join = keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten")
    if check_choice(flatten, "flatten", ("before", "after")) == "before":
        body = [join, *hidden]
    else:
        body = [keras.layers.Reshape((height, width * channels), name="rows"), *hidden, join]
    return sequential([*body, output_layer(num_classes, seeds)], name, image_shape)


def cnn_model(
    filters: int | Sequence[int] = (32, 64),
    *,
    kernel_size: int | Sequence[int] = 3,
    pooling: Literal["max", "average"] = "max",
    units: int | Sequence[int] = (100,),
    activation: str = "relu",
    dropout: float = 0.4,
    batch_norm: bool = False,
    image_shape: ImageShape = IMAGE_SHAPE,
    num_classes: int = 10,
    seed: int | None = None,
    name: str = "cnn_model",
) -> keras.Model:
    """Build a convolutional classifier: blocks of convolution and pooling, then dense layers.

    Args:
        filters: Filters of each block. Each block halves the image, whose shorter edge limits their number.
        kernel_size: Side of the square kernels in pixels, or (height, width), up to those of the image. The image is
            padded, so only pooling makes it smaller.
        pooling: `"max"` or `"average"`, over 2x2 pixels.
        units: Units of each hidden dense layer after the blocks. `()` leaves them out.
        activation: Of convolutions and hidden layers, one of `ACTIVATIONS`.
        dropout: Dropout rate before the last layer, from 0 up to but not including 1.
        batch_norm: Normalise between each layer and its activation (Ioffe and Szegedy, arXiv:1502.03167).
        image_shape: `(height, width, channels)` of the images, with 1 channel (grey) or 3 (red, green, blue).
        num_classes: Number of classes. 1 gives one sigmoid unit, for two classes.
        seed: Of initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.
        name: Of the model.

    Returns:
        An uncompiled model from `(n, height, width, channels)` float32 in [0, 1] to probabilities `(n, num_classes)`.

    Raises:
        ValueError: If a size, share or name is out of range.

    Example:
        >>> cnn_model(filters=(32, 64), units=(100,), seed=0).count_params()
        333526
        >>> cnn_model(image_shape=(64, 48, 3), num_classes=4, seed=0).output_shape
        (None, 4)
    """
    image_shape = check_image_shape(image_shape)
    filters = _check_blocks(check_sizes(filters, "filters"), image_shape)
    kernel = _check_kernel(kernel_size, image_shape)
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
    return sequential([*body, output_layer(num_classes, seeds)], name, image_shape)


def _check_blocks(filters: tuple[int, ...], image_shape: ImageShape) -> tuple[int, ...]:
    most = min(image_shape[:2]).bit_length() - 1  # how often the shorter edge can be halved
    if 1 <= len(filters) <= most:
        return filters
    raise ValueError(
        f"`filters` names {len(filters)} blocks, expected at least 1 and at most {most}: each block halves the "
        f"{image_shape[0]}x{image_shape[1]} pixels of an image. Received: {shown(filters)}"
    )


def _check_kernel(kernel_size: int | Sequence[int], image_shape: ImageShape) -> tuple[int, int]:
    sizes = check_sizes(kernel_size, "kernel_size")
    if len(sizes) in (1, 2) and sizes[0] <= image_shape[0] and sizes[-1] <= image_shape[1]:
        return sizes[0], sizes[-1]
    raise ValueError(
        "`kernel_size` must be one or two sizes, up to the "
        f"{image_shape[0]}x{image_shape[1]} pixels of an image. Received: {shown(kernel_size)}"
    )

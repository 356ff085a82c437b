"""The networks that only presets build: the tutorials' row-wise one, the library's own, and EfficientNet-Lite0."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from fashionclf._images import IMAGE_SHAPE, check_image_shape
from fashionclf._types import FloatArray, ImageShape
from fashionclf.models import dense_model
from fashionclf.models._blocks import (
    CHANNELS_LAST,
    check_name,
    dropout_layers,
    glorot,
    layer_seeds,
    output_layer,
    sequential,
)

_MOMENTUM: Final = 0.9  # of batch normalisation: a short training run has few steps to average over,
_FAST_MOMENTUM: Final = 0.8  # and three epochs have even fewer
# Of the pixels of training images in [0, 1]:
_MEAN: Final = 0.286
_VARIANCE: Final = 0.125
_CORRELATIONS: Final = (0.90, 0.85)  # of a pixel with the one below and the one beside it
_POWER_FLOOR: Final = 0.01  # keeps directions that hold little but noise from being blown up

# Of EfficientNet-Lite0:
_OPTIONS: Final = {"padding": "same", "data_format": CHANNELS_LAST}
# Kernel size, stride, expansion, channels and number of blocks of each stage (Tan and Le, arXiv:1905.11946, table 1).
_STAGES: Final = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def rowwise_model(units: Sequence[int], *, num_classes: int = 10, seed: int | None, name: str) -> keras.Model:
    """Build a `dense_model` with `flatten="after"` that undoes the scaling first, to train on raw 0..255."""
    model = dense_model(units, flatten="after", num_classes=num_classes, seed=seed)
    return sequential([keras.layers.Rescaling(255.0, name="raw_pixels"), *model.layers], name)


def fast_model(
    filters: tuple[int, int] = (32, 64), *, units: int = 128, num_classes: int = 10, seed: int | None, name: str
) -> keras.Model:
    """Build a convolutional classifier for a short training run on a CPU.

    The first layer sees the most pixels and would be the slowest to train. Here its filters are fixed: they
    decorrelate 5x5 patches (whitening), each with its negative, at every second pixel. So no gradient is computed for
    it. After Coates and Ng, 2012, and Jordan, arXiv:2404.00498.
    """
    seeds = layer_seeds(seed)
    first = keras.layers.Conv2D(
        filters[0],
        5,
        strides=2,
        padding="same",
        data_format=CHANNELS_LAST,
        use_bias=False,
        trainable=False,
        kernel_initializer="zeros",  # set below; Keras's own would draw from Python's global random state
        name="whiten",
    )
    body = [
        first,
        keras.layers.Activation("relu", name="whiten_relu"),
        *_pooled_convolution(filters[1], seeds, "conv", momentum=_FAST_MOMENTUM),
        keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten"),
        *_normalised(_plain_dense(units, seeds, "dense"), momentum=_FAST_MOMENTUM),
    ]
    model = sequential([*body, output_layer(num_classes, seeds)], name)
    positive = whitening_filters(5, filters[0] // 2)
    first.kernel.assign(np.concatenate([positive, -positive], axis=-1)[:, :, np.newaxis])
    return model


def balanced_model(*, num_classes: int = 10, seed: int | None, name: str) -> keras.Model:
    """Build a convolutional classifier for minutes of training: four convolutions, pooled before normalisation."""
    seeds = layer_seeds(seed)
    body = [
        *_pooled_convolution(32, seeds, "conv_1", momentum=_MOMENTUM),
        *_pooled_convolution(64, seeds, "conv_2", momentum=_MOMENTUM, pool=False),
        *_pooled_convolution(64, seeds, "conv_3", momentum=_MOMENTUM),
        *_pooled_convolution(128, seeds, "conv_4", momentum=_MOMENTUM, pool=False),
        keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten"),
        *dropout_layers(0.3, seeds, "dropout_1"),
        *_normalised(_plain_dense(256, seeds, "dense"), momentum=_MOMENTUM),
        *dropout_layers(0.3, seeds, "dropout_2"),
    ]
    return sequential([*body, output_layer(num_classes, seeds)], name)


def accurate_model(
    filters: tuple[int, int, int] = (32, 64, 128), *, num_classes: int = 10, seed: int | None, name: str
) -> keras.Model:
    """Build a residual convolutional classifier for hours of training, with blocks at 28x28, 14x14 and 7x7 pixels.

    Residual blocks after He et al., arXiv:1512.03385. At the end each map is multiplied by a weight for each position
    and summed. This distinguishes a collar from a hem, which a mean over all positions cannot do. It is a tenth as
    large as a dense layer.
    """
    seeds = layer_seeds(seed)
    image = keras.Input(IMAGE_SHAPE, name="image")
    x = _chain(image, _pooled_convolution(filters[0], seeds, "conv_1", momentum=_MOMENTUM, pool=False))
    for i in (1, 2):
        x = _residual_block(x, filters[0], seeds, f"block_{i}")
    x = _chain(x, _pooled_convolution(filters[1], seeds, "conv_2", momentum=_MOMENTUM))
    for i in (3, 4):
        x = _residual_block(x, filters[1], seeds, f"block_{i}")
    x = _chain(x, _pooled_convolution(filters[2], seeds, "conv_3", momentum=_MOMENTUM))
    x = _residual_block(x, filters[2], seeds, "block_5")
    x = _chain(x, _weighted_positions(num_classes, seeds))
    return keras.Model(image, x, name=name)


def whitening_filters(size: int, count: int) -> FloatArray:
    """Return the filters that decorrelate patches of images and give each direction the same power.

    Patches are modelled by a Markov chain along each axis: the correlation of two pixels falls by a constant factor
    with each step between them. The principal directions of that are products of those along each axis, close to the
    cosines of JPEG. Its constants are measured on training images of Fashion-MNIST; see docs/performance.md for
    the comparison with the directions measured themselves. Returns float32 `(size, size, count)`, the strongest
    direction first.
    """
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    axes = [np.linalg.eigh(correlation**distance) for correlation in _CORRELATIONS]
    # the sign of an eigenvector is arbitrary and differs between libraries
    rows, columns = (directions * np.sign(directions[0]) for _, directions in axes)
    pairs = np.einsum("ai,bj->abij", rows, columns).reshape(size, size, -1)
    power = _VARIANCE * np.outer(axes[0][0], axes[1][0]).ravel() + _MEAN**2 * pairs.sum(axis=(0, 1)) ** 2
    order = np.argsort(-power, kind="stable")[:count]
    return np.asarray(pairs[:, :, order] / np.sqrt(power[order] + _POWER_FLOOR), dtype=np.float32)


def _pooled_convolution(
    filters: int, seeds: Iterator[int], name: str, *, momentum: float, pool: bool = True
) -> list[keras.Layer]:
    """Return a 3x3 convolution that is pooled before it is normalised: a quarter of the values is left to normalise."""
    convolution = keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        data_format=CHANNELS_LAST,
        use_bias=False,
        kernel_initializer=glorot(seeds),
        name=name,
    )
    pooling = [keras.layers.MaxPooling2D(2, data_format=CHANNELS_LAST, name=f"{name}_pool")] if pool else []
    return _normalised(convolution, *pooling, momentum=momentum)


def _weighted_positions(num_classes: int, seeds: Iterator[int]) -> list[keras.Layer]:
    """Return the end of a residual classifier: a weight for each position of each map, then the classes."""
    place = keras.layers.DepthwiseConv2D(
        7, data_format=CHANNELS_LAST, use_bias=False, depthwise_initializer=glorot(seeds), name="place"
    )
    return [place, keras.layers.Flatten(data_format=CHANNELS_LAST, name="flatten"), output_layer(num_classes, seeds)]


def _residual_block(x: Any, filters: int, seeds: Iterator[int], name: str) -> Any:
    """Add to maps the result of two convolutions of them."""
    first = _pooled_convolution(filters, seeds, f"{name}_conv_1", momentum=_MOMENTUM, pool=False)
    second = _pooled_convolution(filters, seeds, f"{name}_conv_2", momentum=_MOMENTUM, pool=False)
    *body, activation = [*first, *second]
    return activation(keras.layers.Add(name=f"{name}_add")([x, _chain(x, body)]))


def _chain(x: Any, layers: Sequence[keras.Layer]) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def _plain_dense(units: int, seeds: Iterator[int], name: str) -> keras.Layer:
    return keras.layers.Dense(units, use_bias=False, kernel_initializer=glorot(seeds), name=name)


def _normalised(layer: keras.Layer, *between: keras.Layer, momentum: float) -> list[keras.Layer]:
    return [
        layer,
        *between,
        keras.layers.BatchNormalization(momentum=momentum, name=f"{layer.name}_norm"),
        keras.layers.Activation("relu", name=f"{layer.name}_relu"),
    ]


# -- for photographs in colour --------------------------------------------------------------------


def efficientnet_lite0(
    *,
    image_shape: ImageShape,
    num_classes: int = 10,
    dropout: float = 0.3,
    seed: int | None,
    name: str,
) -> keras.Model:
    """Build EfficientNet-Lite0, with normalisation folded into the convolutions: they have a bias in its place.

    Folded, a training step takes half as long, and there are no moving averages, which few images would spoil. Without
    normalisation it does not train well from nothing: it is made for pretrained weights.
    """
    seeds = layer_seeds(seed)
    image = keras.Input(check_image_shape(image_shape), name="image")
    x = keras.layers.Rescaling(255 / 128, offset=-127 / 128, name="rescaling")(image)
    x = _convolution(x, 32, 3, 2, seeds, "stem")
    number, channels = 0, 32
    for kernel_size, first_stride, expansion, filters, count in _STAGES:
        for i in range(count):
            number += 1
            before, block = x, f"block_{number}"
            stride = 1 if i else first_stride
            if expansion > 1:
                x = _convolution(x, expansion * channels, 1, 1, seeds, f"{block}_expand")
            x = _depthwise(x, kernel_size, stride, seeds, f"{block}_depthwise")
            x = _convolution(x, filters, 1, 1, seeds, f"{block}_project", relu=False)
            if i:
                x = keras.layers.Add(name=f"{block}_add")([x, before])
            channels = filters
    x = _convolution(x, 1280, 1, 1, seeds, "top")
    x = keras.layers.GlobalAveragePooling2D(data_format=CHANNELS_LAST, name="pool")(x)
    for layer in (*dropout_layers(dropout, seeds, "dropout"), output_layer(num_classes, seeds)):
        x = layer(x)
    return keras.Model(image, x, name=check_name(name))


def _convolution(
    x: Any,
    filters: int,
    kernel_size: int,
    stride: int,
    seeds: Iterator[int],
    name: str,
    *,
    relu: bool = True,
) -> Any:
    first = keras.initializers.HeNormal(next(seeds))
    convolution = keras.layers.Conv2D(filters, kernel_size, stride, kernel_initializer=first, name=name, **_OPTIONS)
    return _relu6(convolution(x), name) if relu else convolution(x)


def _depthwise(x: Any, kernel_size: int, stride: int, seeds: Iterator[int], name: str) -> Any:
    first = keras.initializers.HeNormal(next(seeds))
    convolution = keras.layers.DepthwiseConv2D(kernel_size, stride, depthwise_initializer=first, name=name, **_OPTIONS)
    return _relu6(convolution(x), name)


def _relu6(x: Any, name: str) -> Any:
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)

"""EfficientNet-Lite0, for photographs in colour."""

from collections.abc import Iterator
from typing import Any, Final

import keras

from fashionclf._images import check_image_shape
from fashionclf._types import ImageShape
from fashionclf.models._blocks import CHANNELS_LAST, check_name, dropout_layers, layer_seeds, output_layer

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

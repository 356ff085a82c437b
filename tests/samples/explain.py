"""What the tests of explain share."""

import keras
import numpy as np

RNG = np.random.default_rng(0)


PICTURE = RNG.integers(0, 256, (28, 28), dtype=np.uint8)


KERNEL = RNG.normal(size=(3, 3, 1, 4)).astype(np.float32)


HEAD = RNG.normal(size=(4, 10)).astype(np.float32)


layers = keras.layers


def correlate(image, kernel):
    """What a convolution with zeros around the image computes: (height, width, filters)."""
    padded = np.pad(image, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.einsum("yxhw,hwf->yxf", windows, kernel[:, :, 0])


SCALED = (PICTURE / 255).astype(np.float32)


MAPS = np.maximum(correlate(SCALED, KERNEL), 0)


def normalised(heat):
    heat = np.maximum(heat, 0)
    return heat / heat.max()


def conv(filters=4, name="conv", **options):
    options = {"padding": "same", "activation": "relu", "use_bias": False, **options}
    return layers.Conv2D(filters, 3, name=name, **options)


def known(*tail, head=HEAD, shape=(28, 28, 1)):
    """A model whose only convolution has the known kernel, and whose last layer has known weights."""
    reshape = [] if len(shape) == 3 else [layers.Reshape((28, 28, 1))]
    activation = "softmax" if head.shape[1] > 1 else "sigmoid"
    body = [*reshape, conv(), *tail, layers.Dense(head.shape[1], activation=activation, name="output")]
    model = keras.Sequential([keras.Input(shape), *body], name="known")
    model.get_layer("conv").set_weights([KERNEL])
    model.get_layer("output").set_weights([head, np.zeros(head.shape[1])])
    return model

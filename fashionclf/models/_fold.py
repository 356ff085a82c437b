"""Batch normalisation folded into the convolutions before it: the same result with fewer operations, for inference."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fashionclf._keras_internals import has_known_options
from fashionclf.models._trace import Trace, graph_of


def folded_calls(pairs: Mapping[keras.Layer, keras.Layer]) -> dict[keras.Layer, Callable[..., Any]]:
    """Return what the layers of `normalised_convolutions` call instead, with their weights as they are now.

    To be called outside the layers: inside one that computes in bfloat16 its weights would be rounded first.
    """
    calls: dict[keras.Layer, Callable[..., Any]] = {}
    for convolution, norm in pairs.items():
        scale = tf.math.rsqrt(norm.moving_variance.value + norm.epsilon)
        if norm.scale:
            scale *= norm.gamma.value
        bias = -norm.moving_mean.value * scale
        if convolution.use_bias:
            bias += convolution.bias.value * scale
        if norm.center:
            bias += norm.beta.value
        calls[convolution] = functools.partial(_convolve, convolution.kernel.value * scale, bias)
        calls[norm] = _unchanged
    return calls


def _convolve(kernel: Any, bias: Any, layer: keras.layers.Conv2D, inputs: Any) -> Any:
    outputs = layer.convolution_op(inputs, tf.cast(kernel, inputs.dtype))
    return tf.nn.bias_add(outputs, tf.cast(bias, outputs.dtype))


def _unchanged(_: keras.Layer, inputs: Any, **__: Any) -> Any:
    return inputs


def normalised_convolutions(model: keras.Model, image_shape: tuple[int, ...]) -> dict[keras.Layer, keras.Layer]:
    """Return the convolutions of a model whose outputs go into a batch normalisation, and nowhere else.

    Only those of Keras, channels last, without an activation between. Empty if the model is not a graph of layers.
    """
    if graph_of(model) is None:
        return {}
    steps = Trace(model, np.zeros((1, *image_shape), np.float32)).steps
    made_by = {id(step.output): step.operation for step in steps}
    readers: dict[Any, list[Any]] = {}
    sources: dict[Any, set[Any]] = {}
    for step in steps:
        for value in step.inputs:
            maker = made_by.get(id(value))
            readers.setdefault(maker, []).append(step.operation)
            sources.setdefault(step.operation, set()).add(maker)
    return {
        maker: read[0]
        for maker, read in readers.items()
        if len(set(read)) == 1
        and len(read) == sum(step.operation is maker for step in steps)
        and sources[read[0]] == {maker}
        and _can_be_folded(maker, read[0])
    }


def _can_be_folded(convolution: Any, norm: Any) -> bool:
    return (
        type(convolution) is keras.layers.Conv2D
        and convolution.activation is keras.activations.linear
        and convolution.data_format == "channels_last"
        and type(norm) is keras.layers.BatchNormalization
        and norm.axis in (-1, 3)
        and has_known_options(norm)
    )

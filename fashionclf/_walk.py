"""A model followed step by step: what each of its layers gives for one picture, in nested models too.

The computation is Keras's own, done eagerly. A layer or nested model that computes by code of its own is one step, into
which nothing can look.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._layers import is_graph
from fashionclf._predictor import with_both_classes
from fashionclf._types import FloatArray
from fashionclf.models import ACTIVATIONS

CONVOLUTIONS: Final = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# These finish the maps of a convolution by weights of their own, where any other layer makes new maps by them.
_FINISHING: Final = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.PReLU,
)
# Names of classes in small letters, because an activation may be a layer (ReLU) or an operation (Relu).
_ACTIVATES: Final = frozenset(name.replace("_", "") for name in (*ACTIVATIONS, "prelu", "relu6", "hard_silu"))
_TINY: Final = 1e-30  # keeps logarithms finite


@dataclass(frozen=True, eq=False)
class _Step:
    """An operation that was applied to tensors. Its output is None where it gives several."""

    operation: Any
    inputs: list[Any]
    output: Any
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Maps:
    """What a layer gave for the picture, or for its mirror image.

    Attributes:
        output: The tensor, float32 `(1, height, width, channels)`, or with the channels before the height.
        mirrored: Whether it shows the mirror image.
        channels_first: Whether the channels come before the height.
    """

    output: Any
    mirrored: bool
    channels_first: bool

    @property
    def values(self) -> FloatArray:
        """The maps as float32 `(height, width, channels)`."""
        return self.channels_last(self.output)

    def channels_last(self, tensor: Any) -> FloatArray:
        """Return a tensor of the shape of `output` as float32 `(height, width, channels)`."""
        array = np.asarray(tensor.numpy()[0], dtype=np.float32)
        return np.moveaxis(array, 0, -1) if self.channels_first else array


class Walk:
    """One picture on its way through a model that is a graph of layers, every step of it kept.

    Args:
        model: One that `named_layers` accepts.
        picture: A batch of one, float32, in the shape that the model takes.
        watch: Called with what each step gives: the `watch` of a gradient tape.
    """

    def __init__(self, model: keras.Model, picture: FloatArray, watch: Callable[[Any], None] | None = None) -> None:
        self._watch = watch
        self._steps: list[_Step] = []
        self._answer = self._through(_graph(model), tf.convert_to_tensor(picture))

    def maps_of(self, layer: keras.Layer, name: str) -> list[Maps]:
        """Return the maps of a layer: of the picture, then of its mirror image if the model looks at that too.

        Those of a convolution are taken behind the activation that it leads to. A layer applied several times in
        a row has the last word.
        """
        channels_first = getattr(layer, "data_format", None) == "channels_first"
        uses = {step.mirrored: step for step in self._steps if step.operation is layer}
        if isinstance(layer, CONVOLUTIONS):
            uses = {mirrored: self._activated(step, 1 if channels_first else -1) for mirrored, step in uses.items()}
        if not all(_has_maps(step) for step in uses.values()):
            raise ValueError(
                f"Layer {name!r} gives no maps: expected one output (None, height, width, channels). Name a "
                "convolution, or a layer near one."
            )
        return [Maps(step.output, step.mirrored, channels_first) for _, step in sorted(uses.items())]

    def score(self, label: int | None) -> Any:
        """Return what speaks for a class before softmax or sigmoid, a scalar; None takes the predicted class."""
        if label is None:
            label = int(with_both_classes(self._answer.numpy()).argmax())
        logits = self._logits(self._answer)[0]
        if len(logits) == 1:  # of one sigmoid unit, it speaks for the second class
            return logits[0] if label == 1 else -logits[0]
        return logits[label]

    def logits_of(self, layer: keras.Layer) -> list[FloatArray]:
        """Return what went into the softmax or sigmoid of a layer, at each of its uses: float32 `(n, units)`."""
        return [self._logits(step.output).numpy() for step in self._steps if step.operation is layer]

    def first_weighed(self) -> tuple[keras.Layer, Any] | None:
        """Return the first layer with weights, but for a `Normalization`, and what reached it; None without any."""
        for step in self._steps:
            adapted = isinstance(step.operation, keras.layers.Normalization)
            if step.inputs and not adapted and getattr(step.operation, "weights", []):
                return step.operation, step.inputs[0]
        return None

    def _through(self, graph: Any, inputs: Any) -> Any:
        """Compute what `graph.call` does, step by step."""
        answers = graph._run_through_graph(
            graph._standardize_inputs(inputs), operation_fn=lambda operation: functools.partial(self._apply, operation)
        )
        return answers[0] if isinstance(answers, list | tuple) and len(answers) == 1 else answers

    def _apply(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        graph = _graph(operation)
        if graph is not None:
            return self._through(graph, args[0] if args else kwargs["inputs"])
        if getattr(operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        result = operation(*args, **kwargs)
        inputs = [value for value in keras.tree.flatten((args, kwargs)) if tf.is_tensor(value)]
        output = result if tf.is_tensor(result) else None
        mirrored = any(step.mirrored for step in self._steps if any(step.output is value for value in inputs))
        self._steps.append(_Step(operation, inputs, output, mirrored ^ _mirrors(operation, inputs)))
        if self._watch is not None and output is not None and output.dtype.is_floating:
            self._watch(output)
        return result

    def _activated(self, start: _Step, channel_axis: int) -> _Step:
        """Follow a convolution to the activation that it, and nothing else, leads to; without one, stay."""
        step = start
        while not _activates(step.operation):
            later = self._steps[self._steps.index(step) + 1 :]
            users = [user for user in later if any(step.output is value for value in user.inputs)]
            # dropout, which does nothing here, hands on the very tensor: its users are found among ours
            if not users or (len(users) > 1 and users[0].output is not step.output):
                return start
            step = users[0]
            if not _may_follow(step) or step.output.shape[channel_axis] != start.output.shape[channel_axis]:
                return start
        return step

    def _logits(self, probabilities: Any) -> Any:
        """Return what went into softmax or sigmoid: Keras keeps it at their output, for the cross-entropy."""
        logits = getattr(probabilities, "_keras_logits", None)
        if logits is not None:
            return logits
        maker = next((step for step in self._steps if step.output is probabilities), None)
        if maker is not None and isinstance(maker.operation, keras.layers.Average):
            return tf.add_n([self._logits(member) for member in maker.inputs]) / len(maker.inputs)
        logarithms = tf.math.log(tf.maximum(probabilities, _TINY))
        if probabilities.shape[1] > 1:
            return logarithms
        return logarithms - tf.math.log(tf.maximum(1 - probabilities, _TINY))


def pixel_range(model: keras.Model, shape: tuple[int, ...]) -> float | None:
    """Return by how much a white image differs from a black one where they reach the first layer with weights.

    Where code of the caller's own computes, only the `Rescaling` layers in it tell. None if nothing tells.
    """
    if _graph(model) is None:
        return _rescaled(model)
    reached = Walk(model, np.stack([np.zeros(shape, np.float32), np.ones(shape, np.float32)])).first_weighed()
    if reached is None:
        return None
    layer, (black, white) = reached[0], reached[1].numpy()
    return float(np.abs(white - black).max()) * (_rescaled(layer) or 1.0)


def _rescaled(layer: keras.Layer) -> float | None:
    """Return the product of the scales of all `Rescaling` layers in a layer, None if it has none."""
    scales = [np.abs(part.scale).max() for part in layer._flatten_layers() if isinstance(part, keras.layers.Rescaling)]
    return float(np.prod(scales)) if scales else None


def named_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """Return the layers of a model and of those nested in it, by path (`"left/conv_1"`) where names repeat.

    Raises:
        ValueError: If the model is no graph of layers.
    """
    if _graph(model) is None:
        raise ValueError(
            f"`trainer.model` ({type(model).__name__}) is no graph of layers that could be followed. Build it by "
            "`keras.Sequential` or `keras.Model(inputs, outputs)`, not as a subclass."
        )
    paths: dict[keras.Layer, str] = {}
    for path, layer in _leaves(model, ""):
        paths.setdefault(layer, path)
    count = Counter(layer.name for layer in paths)
    return {layer.name if count[layer.name] == 1 else path: layer for layer, path in paths.items()}


def _leaves(model: keras.Model, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    for operation in _graph(model).operations:
        if _graph(operation) is not None:
            yield from _leaves(operation, f"{prefix}{operation.name}/")
        elif isinstance(operation, keras.Layer) and not isinstance(operation, keras.layers.InputLayer):
            yield prefix + operation.name, operation


def _graph(operation: Any) -> Any:
    """Return the graph of a model; None for a layer, or a model without one."""
    if not isinstance(operation, keras.Model) or not is_graph(operation):
        return None
    return operation._functional if isinstance(operation, keras.Sequential) else operation


def _mirrors(operation: Any, inputs: list[Any]) -> bool:
    """Tell whether an operation exchanges left and right, as `keras.ops.flip(images, axis=2)` does."""
    if type(operation).__name__ != "Flip" or not isinstance(operation.axis, int):
        return False
    return bool(operation.axis % len(inputs[0].shape) == 2)


def _activates(operation: Any) -> bool:
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return activation is not keras.activations.linear
    return type(operation).__name__.lower() in _ACTIVATES


def _has_maps(step: _Step) -> bool:
    return step.output is not None and len(step.output.shape) == 4


def _may_follow(step: _Step) -> bool:
    """Tell whether a step may stand between a convolution and its activation."""
    return _has_maps(step) and (isinstance(step.operation, _FINISHING) or not getattr(step.operation, "weights", ()))

"""A model traced step by step: what each of its layers gives for some images, in nested models too.

Keras itself computes, eagerly. A layer or nested model with code of its own is one step.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._keras_internals import (
    all_layers,
    flips_left_and_right,
    functional_of,
    is_graph,
    logits_behind,
    run_graph,
    takes_training,
)
from fashionclf._types import FloatArray

_TINY: Final = 1e-30  # keeps logarithms finite


@dataclass(frozen=True, eq=False)
class Step:
    """A layer, or a function such as `keras.ops.flip`, that was applied to tensors.

    The output is None where it gave several tensors. `flipped` tells whether it shows the image the other way round.
    """

    operation: Any
    inputs: list[Any]
    output: Any
    flipped: bool


class Trace:
    """A run of a model that is a graph of layers, with every step kept, in the order in which they were computed.

    `watch` is called with the output of each step: the `watch` of a gradient tape.
    """

    def __init__(self, model: keras.Model, images: FloatArray, watch: Callable[[Any], None] | None = None) -> None:
        self._watch = watch
        self.steps: list[Step] = []
        self.probabilities = self._through(graph_of(model), tf.convert_to_tensor(images))

    def last_operations(self) -> set[Any]:
        """Return the operation that gave the probabilities, or, if that is a mean, the operations it averages."""
        last = self.steps[-1]
        if not isinstance(last.operation, keras.layers.Average):
            return {last.operation}
        return {step.operation for step in self.steps if any(step.output is each for each in last.inputs)}

    def score(self, label: int) -> Any:
        """Return the score of a class before softmax or sigmoid, a scalar, for the first image."""
        logits = self._logits(self.probabilities)[0]
        if len(logits) == 1:  # one sigmoid unit scores the second class
            return logits[0] if label == 1 else -logits[0]
        return logits[label]

    def logits_of(self, layer: keras.Layer) -> list[FloatArray]:
        """Return what went into the softmax or sigmoid of a layer, at each of its uses: float32 `(n, units)`."""
        return [self._logits(step.output).numpy() for step in self.steps if step.operation is layer]

    def first_with_weights(self) -> tuple[keras.Layer, Any] | None:
        """Return the first layer with weights, except a `Normalization`, and its input; None if there is none."""
        for step in self.steps:
            adapted = isinstance(step.operation, keras.layers.Normalization)
            if step.inputs and not adapted and getattr(step.operation, "weights", []):
                return step.operation, step.inputs[0]
        return None

    def _through(self, graph: Any, inputs: Any) -> Any:
        """Compute what `graph.call` does, step by step."""
        outputs = run_graph(graph, inputs, lambda operation: functools.partial(self._apply, operation))
        return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs

    def _apply(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        graph = graph_of(operation)
        if graph is not None:
            return self._through(graph, args[0] if args else kwargs["inputs"])
        if takes_training(operation):
            kwargs["training"] = False
        result = operation(*args, **kwargs)
        inputs = [value for value in keras.tree.flatten((args, kwargs)) if tf.is_tensor(value)]
        output = result if tf.is_tensor(result) else None
        flipped = any(step.flipped for step in self.steps if any(step.output is value for value in inputs))
        if inputs:
            flipped ^= flips_left_and_right(operation, len(inputs[0].shape))
        self.steps.append(Step(operation, inputs, output, flipped))
        if self._watch is not None and output is not None and output.dtype.is_floating:
            self._watch(output)
        return result

    def _logits(self, probabilities: Any) -> Any:
        """Return what went into softmax or sigmoid."""
        logits = logits_behind(probabilities)
        if logits is not None:
            return logits
        maker = next((step for step in self.steps if step.output is probabilities), None)
        if maker is not None and isinstance(maker.operation, keras.layers.Average):
            return tf.add_n([self._logits(member) for member in maker.inputs]) / len(maker.inputs)
        logarithms = tf.math.log(tf.maximum(probabilities, _TINY))
        if probabilities.shape[1] > 1:
            return logarithms
        return logarithms - tf.math.log(tf.maximum(1 - probabilities, _TINY))


def pixel_range(model: keras.Model, shape: tuple[int, ...]) -> float | None:
    """Return how far white and black differ at the input of the first layer with weights; None if nobody knows."""
    if graph_of(model) is None:
        return _rescaled(model)
    images = np.stack([np.zeros(shape, np.float32), np.ones(shape, np.float32)])
    reached = Trace(model, images).first_with_weights()
    if reached is None:
        return None
    layer, (black, white) = reached[0], reached[1].numpy()
    return float(np.abs(white - black).max()) * (_rescaled(layer) or 1.0)


def _rescaled(layer: keras.Layer) -> float | None:
    """Return the product of the scales of all `Rescaling` layers in a layer, None if it has none."""
    scales = [np.abs(part.scale).max() for part in all_layers(layer) if isinstance(part, keras.layers.Rescaling)]
    return float(np.prod(scales)) if scales else None


def named_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """Return the layers of a model and of those nested in it, by path (`"left/conv_1"`) where names repeat."""
    if graph_of(model) is None:
        raise ValueError(
            f"`trainer.model` ({type(model).__name__}) is not a graph of layers that could be traced. Build it with "
            "`keras.Sequential` or `keras.Model(inputs, outputs)`, not as a subclass."
        )
    paths: dict[keras.Layer, str] = {}
    for path, layer in _leaves(model, ""):
        paths.setdefault(layer, path)
    count = Counter(layer.name for layer in paths)
    return {layer.name if count[layer.name] == 1 else path: layer for layer, path in paths.items()}


def _leaves(model: keras.Model, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    for operation in graph_of(model).operations:
        if graph_of(operation) is not None:
            yield from _leaves(operation, f"{prefix}{operation.name}/")
        elif isinstance(operation, keras.Layer) and not isinstance(operation, keras.layers.InputLayer):
            yield prefix + operation.name, operation


def graph_of(operation: Any) -> Any:
    """Return the graph of a model; None for a layer, or a model without one."""
    if not isinstance(operation, keras.Model) or not is_graph(operation):
        return None
    return functional_of(operation)

"""What a model is made of, and the locks that those who use one model in several threads share."""

import threading
import weakref
from typing import Any, Final

import keras


class ModelLocks:
    """The locks of one model, whatever Trainers it has.

    Attributes:
        computing: Held while a training step makes the layers compute otherwise, and by whoever must not see that.
        fitting: Held by the one `fit` that may run.
    """

    def __init__(self) -> None:
        self.computing = threading.RLock()
        self.fitting = threading.Lock()


_LOCKS: Final[weakref.WeakKeyDictionary[keras.Model, ModelLocks]] = weakref.WeakKeyDictionary()


def locks_of(model: keras.Model) -> ModelLocks:
    """Return the locks of a model."""
    return _LOCKS.setdefault(model, ModelLocks())


def last_layer(model: keras.Model) -> keras.Layer | None:
    """Return the layer that gives a model's output, inside nested models too; None where no graph tells it."""
    layer: Any = model
    while isinstance(layer, keras.Model):
        if not (is_graph(layer) and layer.layers):
            return None
        layer = layer.layers[-1]
    return layer


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Return a preset's variables by layer and name, such as `"conv_1/kernel"`.

    Their own paths will not do: they are others in a model that was loaded.
    """
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}


def bfloat16_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers that may compute in bfloat16: Keras's own in a graph of layers, except for probabilities.

    A layer or model of the caller's may mix what it gets, or what layers inside it give, with float32 values of its
    own. So it is left in float32 with all that it holds.
    """
    return _own_leaves(model, keep_out=last_layer(model))


def _own_leaves(model: keras.Model, keep_out: keras.Layer | None) -> list[keras.Layer]:
    if not is_graph(model):
        return []
    found: list[keras.Layer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _own_leaves(layer, keep_out)
        elif layer is not keep_out and all(_is_kerass(part) for part in layer._flatten_layers()):
            found += [part for part in layer._flatten_layers() if not part._layers and _may_be_bfloat16(part)]
    return found


def is_graph(model: keras.Model) -> bool:
    """Tell whether a model is a graph of layers and nothing else."""
    return _is_kerass(model) and (isinstance(model, keras.Sequential) or hasattr(model, "operations"))


def _is_kerass(layer: keras.Layer) -> bool:
    return type(layer).__module__.startswith("keras.")


def _may_be_bfloat16(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Softmax):
        return False
    return getattr(layer, "activation", None) not in (keras.activations.softmax, keras.activations.sigmoid)

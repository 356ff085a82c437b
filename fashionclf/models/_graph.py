"""What a model is made of."""

import json
from typing import Any

import keras

from fashionclf._keras_internals import all_layers, holds_layers, is_builtin


def structure_of(model: keras.Model) -> Any:
    """Return the configuration of a model and its layers in JSON's types, None if it has none.

    Names are replaced by numbers, because Keras numbers layers differently when a model is built again. Seeds and
    initializers are left out: they do not matter once a model has weights.
    """
    try:
        config = model.get_config()
        layers = all_layers(model, include_self=False)
        trainable = [bool(layer.trainable) for layer in layers]
        values = json.loads(json.dumps([type(model).__name__, config, trainable], default=_described))
    except (NotImplementedError, TypeError, ValueError):  # a subclass that does not describe itself
        return None
    names = dict.fromkeys([model.name, *(layer.name for layer in layers)])
    return _anonymous(values, {name: f"layer {i}" for i, name in enumerate(names)})


def _described(value: Any) -> Any:
    try:
        return keras.saving.serialize_keras_object(value)
    except Exception:  # only its type can be compared
        return type(value).__name__


def _anonymous(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if key != "seed" and not key.endswith("_initializer")}
        return {key: _anonymous(part, names) for key, part in kept.items()}
    if isinstance(value, list):
        return [_anonymous(part, names) for part in value]
    return names.get(value, value) if isinstance(value, str) else value


def last_layer(model: keras.Model) -> keras.Layer | None:
    """Return the layer that gives a model's output, inside nested models too; None if the model is not a graph."""
    layer: Any = model
    while isinstance(layer, keras.Model):
        if not (is_graph(layer) and layer.layers):
            return None
        layer = layer.layers[-1]
    return layer


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Return a preset's variables by layer and name, such as `"conv_1/kernel"`.

    Their own paths differ in a model that was loaded.
    """
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}


def bfloat16_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers that may compute in bfloat16: Keras's own in a graph of layers, except for probabilities.

    A layer or model of the caller's may mix its inputs, or the outputs of layers inside it, with its own float32
    values. So it stays in float32 with all layers in it.
    """
    return _own_leaves(model, keep_out=last_layer(model))


def _own_leaves(model: keras.Model, keep_out: keras.Layer | None) -> list[keras.Layer]:
    if not is_graph(model):
        return []
    found: list[keras.Layer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _own_leaves(layer, keep_out)
        elif layer is not keep_out and all(is_builtin(part) for part in all_layers(layer)):
            found += [part for part in all_layers(layer) if not holds_layers(part) and _may_be_bfloat16(part)]
    return found


def is_graph(model: keras.Model) -> bool:
    """Tell whether a model is a graph of layers and nothing else."""
    return is_builtin(model) and (isinstance(model, keras.Sequential) or hasattr(model, "operations"))


def _may_be_bfloat16(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Softmax):
        return False
    return getattr(layer, "activation", None) not in (keras.activations.softmax, keras.activations.sigmoid)

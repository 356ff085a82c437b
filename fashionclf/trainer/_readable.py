"""Proof that a model can be read back from a file: custom layers often cannot.

Keras writes the name of a class and the result of `get_config`, and later calls `__init__` with it. Without this proof,
the call would fail when the file is read, and the weights could be lost.
"""

import inspect
import json
import random
import re
import tempfile
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from fashionclf._keras_internals import all_layers, is_builtin, missing_object, seed_states
from fashionclf._warnings import ignored

_PARTS: Final = (
    types.FunctionType,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)
_OF_KERAS: Final = ("name", "trainable", "dtype", "reduction")  # arguments that Keras's own `get_config` returns


def own_objects(model: keras.Model, others: Iterable[Any]) -> dict[str, Any]:
    """Return the caller's own classes and functions that a file names, by the names that Keras looks for.

    They are those of the layers, and of `others`: losses, metrics, an optimizer.
    """
    compiled = (model.loss, model.optimizer) if model.compiled else ()
    return _by_name([*all_layers(model), *compiled, *others])


def _objects_in_layers(model: keras.Model) -> dict[str, Any]:
    """Return the caller's own functions, initializers and the like that layers hold, such as activations."""
    held = (value for layer in all_layers(model) for value in vars(layer).values())
    return _by_name(value for value in held if isinstance(value, _PARTS))


def _by_name(values: Iterable[Any]) -> dict[str, Any]:
    kinds = dict.fromkeys(value if hasattr(value, "__name__") else type(value) for value in values)
    own = [kind for kind in kinds if not (is_builtin(kind) or kind.__module__ == "builtins")]
    return {name: kind for kind in own for name in (kind.__name__, keras.saving.get_registered_name(kind))}


def check_readable(
    model: keras.Model,
    image_shape: tuple[int, ...],
    compilation: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    all_known: bool,
) -> None:
    """Raise an error if a model could not be read back from a file, with the lines to add.

    The model is built again from its configuration, and compared. A model with only Keras's own layers needs no proof.

    Args:
        model: The model.
        image_shape: The shape of its images.
        compilation: The loss, metrics and optimizer as a file has them.
        own: What `own_objects` gave.
        all_known: Whether no `custom_objects` can be passed when the model is read, as for a pickle.
    """
    if any(isinstance(layer, keras.layers.Lambda) for layer in all_layers(model)):
        raise ValueError(
            "`model` has a Lambda layer, whose code Keras's safe mode does not load again. Replace it by a layer class "
            "of your own, and pass that to `load` as `custom_objects`."
        )
    held = _objects_in_layers(model)
    if not (own or held):
        return
    known = dict(own) if all_known else {**held, **own}
    state = random.getstate()  # Keras draws from Python's generator for each layer without a seed
    try:
        difference = _difference(model, _built_again(model, compilation, known), image_shape)
        comes_back = difference is None or _comes_back(model, known, image_shape)
    except Exception as error:
        missing = missing_object(error)
        if missing is None or all_known:
            raise ValueError(_explained(str(error), missing, known)) from error
        return  # the caller may pass it to `load`
    finally:
        random.setstate(state)
    if not comes_back:
        kinds = [type(layer) for layer in all_layers(model) if type(layer) in known.values() and _forgets(layer)]
        raise ValueError(_sentence(f"it would come back with {difference}", kinds))


def _built_again(model: keras.Model, compilation: Mapping[str, Any], known: dict[str, Any]) -> keras.Model:
    description = keras.saving.serialize_keras_object(model)
    model_config, parts = json.loads(json.dumps([description, dict(compilation)]))
    for key in ("loss", "metrics", "optimizer"):
        keras.saving.deserialize_keras_object(parts[key], custom_objects=known)
    return keras.saving.deserialize_keras_object(model_config, custom_objects=known)


def _difference(model: keras.Model, again: keras.Model, image_shape: tuple[int, ...]) -> str | None:
    """Return how a model that was built again differs, if it does. Both get the same weights and random numbers."""
    before, after = ([tuple(weight.shape) for weight in each.weights] for each in (model, again))
    if before != after:
        return "weights of other shapes"
    again.set_weights(model.get_weights())
    image = np.random.default_rng(0).random((1, *image_shape), dtype=np.float32)
    seeds = [seed.numpy() for seed in seed_states(model)]
    outputs = []
    for each in (again, model, model):
        _set_seeds(each, seeds)
        outputs.append(np.asarray(keras.ops.convert_to_numpy(each(image, training=False))))
    _set_seeds(model, seeds)
    draws_elsewhere = bool((outputs[1] != outputs[2]).any())  # random numbers: nothing can be compared
    return None if draws_elsewhere or np.allclose(outputs[0], outputs[1], atol=1e-4) else "other probabilities"


def _comes_back(model: keras.Model, known: dict[str, Any], image_shape: tuple[int, ...]) -> bool:
    """Tell whether a file gives the same model: state beside the weights comes from there only."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        path = Path(folder) / "model.keras"
        with ignored(DeprecationWarning, "__array__ implementation"):  # of numpy, because of Keras's own reading
            model.save(path)
        try:
            again = keras.models.load_model(path, custom_objects=known)
        except Exception:  # the difference is told by the caller
            return False
    return _difference(model, again, image_shape) is None


def _set_seeds(model: keras.Model, seeds: Iterable[Any]) -> None:
    for variable, seed in zip(seed_states(model), seeds, strict=False):
        variable.assign(seed)


def _explained(reason: str, missing: str | None, own: Mapping[str, Any]) -> str:
    """Return why a model cannot be built from its configuration, and what to change."""
    if missing is not None:
        return _sentence(
            f"Keras does not find {missing!r}: put `@keras.saving.register_keras_serializable()` above it", []
        )
    if re.search(r"__lambda__|\blambda\b|Could not interpret \w+ function", reason):
        return _sentence("Keras's safe mode does not load a lambda function: write it with `def`", [])
    failed = re.findall(r"((\w+)\.__init__\(\) .*)|(Object (\w+) was created by passing\s+[\w-]+ \w+)", reason)
    if not failed:
        return _sentence(reason.strip().splitlines()[0][:300].rstrip("."), [])
    call, name, passing, holder = failed[-1]  # the innermost comes last
    kind = own.get(name or holder)
    return _sentence(call or " ".join(passing.split()), [] if kind is None else [kind])


def _sentence(reason: str, kinds: Iterable[type]) -> str:
    lines = "".join(f"\n\n{_lines(kind)}" for kind in dict.fromkeys(kinds))
    fix = f" Change the class, so that Keras can make it again:{lines}\n\n" if lines else " "
    return (
        f"`model` could not be read back from a file: {reason}.{fix}Until then, "
        "`model.save_weights('boots.weights.h5')` keeps the weights, for `load_weights` of the corrected model."
    )


def _forgets(layer: keras.Layer) -> bool:
    """Tell whether the configuration of a layer lacks arguments of its class.

    The automatic configuration of a `keras.Model` has the defaults of its arguments, not the given values.
    """
    arguments = set(_arguments(type(layer)))
    is_automatic = isinstance(layer, keras.Model) and is_builtin(type(layer).get_config)
    return bool(arguments) and (is_automatic or not arguments <= layer.get_config().keys())


def _arguments(kind: type) -> list[str]:
    """Return the names of the arguments of a class that are not Keras's."""
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    return [each.name for each in parameters if each.kind not in variadic and each.name not in _OF_KERAS]


def _lines(kind: type) -> str:
    arguments = _arguments(kind)
    lines = [
        f"class {kind.__name__}({kind.__base__.__name__ if kind.__base__ else ''}):",
        f"    def __init__(self, {', '.join([*arguments, '**kwargs'])}):",
        "        super().__init__(**kwargs)",
    ]
    if arguments:
        given = ", ".join(f'"{name}": self.{name}' for name in arguments)
        lines += [f"        self.{name} = {name}" for name in arguments]
        lines += ["    def get_config(self):", f"        return {{**super().get_config(), {given}}}"]
    return "\n".join(lines)

"""The only place that uses private parts of Keras, patches its objects or compares the names of its classes.

Every function says what it relies on and what it does when a later Keras lacks it: the public, slower or coarser way,
with a warning. `tests/test_keras_internals.py` has a canary test for each, which fails first.
"""

import contextlib
import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import keras

from fashionclf._warnings import stack_level

_FUNCTIONS: Final = ("train_function", "test_function", "predict_function")  # where Keras keeps what it traced
_SEED_STATE: Final = "seed_generator_state"  # the name that Keras gives the variable of a `SeedGenerator`
# Names of classes in small letters: an activation is a layer (`ReLU`) or an operation (`Relu`) of a private module.
_ACTIVATIONS: Final = frozenset(
    ("relu", "leakyrelu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "linear", "prelu", "relu6", "hardsilu")
)
# What the fused normalisation of the training step was written for. A layer with another option is left as it is.
_KNOWN_OPTIONS: Final = frozenset(
    (
        *("name", "trainable", "dtype", "axis", "momentum", "epsilon", "center", "scale", "synchronized"),
        *("beta_initializer", "gamma_initializer", "moving_mean_initializer", "moving_variance_initializer"),
        *("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"),
        *("renorm", "renorm_clipping", "renorm_momentum"),  # since Keras 3.14
    )
)


def _changed(what: str, instead: str) -> None:
    warnings.warn(
        f"Keras {keras.__version__} has changed {what}, which this version of fashionclf relies on: {instead}. Upgrade "
        "fashionclf, or use an older Keras.",
        RuntimeWarning,
        stacklevel=stack_level(),
    )


def all_layers(layer: keras.Layer, *, include_self: bool = True) -> list[keras.Layer]:
    """Return a layer or model and all layers in it, including those inside layers of the caller's.

    Relies on `Layer._flatten_layers`. Without it, only the public `layers` of models are followed.
    """
    flatten: Any = getattr(layer, "_flatten_layers", None)
    if flatten is not None:
        return list(flatten(include_self=include_self))
    _changed("`Layer._flatten_layers`", "layers that other layers hold are not found")
    nested = [part for child in getattr(layer, "layers", ()) for part in all_layers(child)]
    return [layer, *nested] if include_self else nested


def holds_layers(layer: keras.Layer) -> bool:
    """Tell whether a layer holds other layers."""
    return len(all_layers(layer, include_self=False)) > 0


def is_builtin(value: Any) -> bool:
    """Tell whether a layer, model, loss, metric or function is Keras's own. Relies on the name of its module."""
    module = value.__module__ if hasattr(value, "__name__") else type(value).__module__
    return str(module).startswith("keras.")


def is_graph(model: keras.Model) -> bool:
    """Tell whether a model is a graph of layers and nothing else. Relies on `operations` of functional models."""
    return is_builtin(model) and (isinstance(model, keras.Sequential) or hasattr(model, "operations"))


def has_in_name(value: Any, word: str) -> bool:
    """Tell whether a loss or metric of Keras, or a class of Keras that it derives from, has a word in its name.

    Relies on names such as `SparseCategoricalAccuracy` and `categorical_crossentropy`.
    """
    named = [value] if hasattr(value, "__name__") else type(value).__mro__
    return any(word in each.__name__.lower() for each in named if is_builtin(each))


def missing_object(error: BaseException) -> str | None:
    """Return the name of the class or function without which Keras could not load a model, None for other errors.

    Relies on the text of Keras's error. With another text, the error of Keras is passed on.
    """
    found = re.search(r"Could not locate (?:class|function) '([^']+)'", str(error))
    return found[1] if found else None


def has_known_options(layer: keras.layers.BatchNormalization) -> bool:
    """Tell whether a layer has only the options that the fused normalisation was written for.

    Relies on the keys of `get_config()`. With another key the layer computes by Keras's own code.
    """
    unknown = layer.get_config().keys() - _KNOWN_OPTIONS
    if unknown:
        _changed(f"the options of `{type(layer).__name__}` ({', '.join(sorted(unknown))})", "training is slower")
    return not unknown


def seed_states(model: keras.Model) -> list[Any]:
    """Return the variables of the random generators of dropout and similar layers. Relies on their name."""
    weights = {id(weight) for weight in model.weights}
    return [v for v in model.variables if id(v) not in weights and v.name == _SEED_STATE]


def functional_of(model: keras.Model) -> Any:
    """Return the graph that computes a functional or sequential model, None where there is none.

    Relies on `Sequential._functional`, `_run_through_graph` and `_standardize_inputs`.
    """
    graph = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    if hasattr(graph, "_run_through_graph") and hasattr(graph, "_standardize_inputs"):
        return graph
    if graph is not None:
        _changed("how a graph of layers is run", "this model cannot be traced layer by layer")
    return None


def run_graph(graph: Any, inputs: Any, apply: Callable[[Any], Callable[..., Any]], *, checked: bool = True) -> Any:
    """Compute what `graph` computes; `apply(operation)` is called in place of each operation.

    Without a check, the inputs may have any shape: `apply` can begin in the middle.
    """
    return graph._run_through_graph(graph._standardize_inputs(inputs) if checked else [inputs], operation_fn=apply)


def takes_training(operation: Any) -> bool:
    """Tell whether an operation takes `training`. Relies on `_call_has_training_arg`; without it Keras passes it on."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def flips_left_and_right(operation: Any, rank: int) -> bool:
    """Tell whether an operation is `keras.ops.flip(images, axis=2)`. Relies on the name of its class."""
    if type(operation).__name__ != "Flip" or not isinstance(operation.axis, int):
        return False
    return bool(operation.axis % rank == 2)


def activates(operation: Any) -> bool:
    """Tell whether an operation applies an activation. Relies on the names of classes of operations."""
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return activation is not keras.activations.linear
    return type(operation).__name__.lower() in _ACTIVATIONS


def logits_behind(probabilities: Any) -> Any:
    """Return what went into the softmax or sigmoid that gave these probabilities, None if nobody knows.

    Relies on `_keras_logits`, which Keras keeps for the cross-entropy. Without it, logarithms take its place.
    """
    return getattr(probabilities, "_keras_logits", None)


@contextlib.contextmanager
def lent_functions(model: keras.Model, functions: dict[str, Any]) -> Iterator[None]:
    """Lend a model the functions that were traced for it, then take them back into `functions`.

    Relies on the attributes `train_function`, `test_function` and `predict_function`. Without them Keras traces again.
    """
    before = {name: getattr(model, name) for name in _FUNCTIONS if hasattr(model, name)}
    for name in before:
        setattr(model, name, functions.get(name))
    try:
        yield
    finally:
        functions.clear()
        functions.update({name: getattr(model, name) for name in before})
        for name, function in before.items():
            setattr(model, name, function)


@contextlib.contextmanager
def wrapped_train_function(model: keras.Model, around: Callable[[], Any]) -> Iterator[bool]:
    """Enter the context that `around` makes for each call of a model's training function.

    Relies on `make_train_function` and `train_function`. Without them the plain step trains; False is given then.
    """
    if not (hasattr(model, "make_train_function") and hasattr(model, "train_function")):
        _changed("`Model.make_train_function`", "training computes in float32, without the faster kernels")
        yield False
        return
    make = model.make_train_function

    def make_train_function(force: bool = False) -> None:
        if model.train_function is not None and not force:
            return  # that of an earlier fit, which is wrapped already
        make(force)
        step: Any = model.train_function

        def train_function(iterator: Any) -> Any:
            with around():
                return step(iterator)

        model.train_function = train_function

    with replaced(model, "make_train_function", make_train_function):
        yield True


@contextlib.contextmanager
def built_from_one_part(model: keras.Model, part_of: Callable[[Any], Any]) -> Iterator[None]:
    """Let Keras build metrics, loss and optimizer from a batch, or from the part of it that one device gets.

    Short fits take half as long if they are built before the first step. Under a distribution strategy, Keras builds
    them from the mean of the parts, which may differ in length. Relies on `Model._maybe_symbolic_build` and
    `_symbolic_build`. Without them Keras builds in its own way.
    """
    if not (hasattr(model, "_maybe_symbolic_build") and hasattr(model, "_symbolic_build")):
        _changed("`Model._symbolic_build`", "several devices need batches that they can share evenly")
        yield
        return

    def build(iterator: Any = None, data_batch: Any = None) -> None:
        metrics = getattr(model, "_compile_metrics", None)
        if metrics is not None and metrics.built and model.optimizer is not None and model.optimizer.built:
            return
        if iterator is not None:
            *_, batches = next(iter(iterator))  # Keras before 3.11 gives no end of the steps
            data_batch = next(batches)
        # A model with a training step of its own may lack what is built here; Keras then builds in the first step.
        try:
            with model.distribute_strategy.scope():
                model._symbolic_build(data_batch=part_of(data_batch))
        except Exception:
            if model.distribute_strategy.num_replicas_in_sync > 1:
                raise

    with replaced(model, "_maybe_symbolic_build", build):
        yield


@contextlib.contextmanager
def replaced(target: Any, name: str, value: Any) -> Iterator[None]:
    """Give one object another method, as long as the context lasts."""
    setattr(target, name, value)
    try:
        yield
    finally:
        delattr(target, name)


@contextlib.contextmanager
def replaced_calls(replacements: Mapping[keras.Layer, Callable[..., Any]]) -> Iterator[None]:
    """Replace the `call` of layers by functions, which get the layer first, as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        for layer, call in replacements.items():
            stack.enter_context(replaced(layer, "call", functools.partial(call, layer)))
        yield

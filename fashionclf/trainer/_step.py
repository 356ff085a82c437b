"""The training step: mixed precision (bfloat16), fused normalisation, smoothed labels.

They act only while Keras's training function runs. Validation, checkpoints, callbacks and metrics always use the
float32 model and the original labels, and none of this gets into a saved file.
"""

import contextlib
import functools
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras
import tensorflow as tf

from fashionclf._keras_internals import (
    all_layers,
    has_known_options,
    holds_layers,
    is_builtin,
    is_graph,
    lent_functions,
    replaced,
    replaced_calls,
    wrapped_train_function,
)
from fashionclf.trainer._compilation import compilation_of, state_of

_FAST_FLAGS: Final = frozenset(("avx512_bf16", "amx_bf16"))


@functools.cache
def has_fast_bfloat16() -> bool:
    """Tell whether bfloat16 is faster than float32: on a GPU, or on a processor that multiplies it in hardware.

    Any GPU counts. On one without such hardware, such as NVIDIA's before Ampere, `precision="float32"` may be faster.
    """
    if tf.config.list_physical_devices("GPU"):
        return True
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    try:
        description = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return not _FAST_FLAGS.isdisjoint(description.split())


class TracedSteps:
    """What Keras traced for the fits of one model, kept for the next fit: tracing takes longer than a short fit."""

    def __init__(self) -> None:
        self._made_for: Any = None
        self._functions: dict[str, Any] = {}

    @contextlib.contextmanager
    def in_use(self, model: keras.Model, *options: Any) -> Iterator[None]:
        """Lend the model what was traced, unless something that it depends on has changed; then take it back.

        Outside a fit the model has its own functions: plain Keras must not train by steps made for a recipe.
        """
        made_for = _made_for(model, options)
        if made_for is None or made_for != self._made_for:
            self._functions.clear()
        self._made_for = made_for
        with lent_functions(model, self._functions):
            yield


def _made_for(model: keras.Model, options: tuple[Any, ...]) -> Any:
    """Return all that traced steps depend on, None if nobody knows it."""
    structure = structure_of(model)
    if structure is None:
        return None
    # A layer of the caller's own may compute with values that are not in its configuration.
    values = [
        {name: value for name, value in vars(layer).items() if isinstance(value, bool | int | float | str)}
        for layer in all_layers(model)
        if not is_builtin(layer)
    ]
    eagerly = tf.config.functions_run_eagerly()
    return compilation_of(model), model.steps_per_execution, eagerly, structure, values, options


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


@contextlib.contextmanager
def training_step(model: keras.Model, traced: TracedSteps, *, precision: str, label_smoothing: float) -> Iterator[None]:
    """Let a model's training steps compute in `precision` and learn from smoothed labels.

    Layers are changed for every call of the training function, though only tracing needs it: nothing tells when Keras
    traces again. It does so for a batch of another size, step by step where functions run eagerly, and in threads of
    its own under a distribution strategy. The changes take 0.2 ms a step for `cnn_fast`, 0.9 ms for `cnn_accurate`.
    """
    bfloat16 = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16())
    layers = bfloat16_layers(model) if bfloat16 else []
    fused = {layer: _fused_normalisation for layer in all_layers(model) if _can_be_fused(layer)}
    lock = state_of(model).computing

    @contextlib.contextmanager
    def changed() -> Iterator[None]:
        with lock, in_bfloat16(layers), replaced_calls(fused), _smoothed_labels(model, label_smoothing):
            yield

    with traced.in_use(model, bfloat16, label_smoothing), wrapped_train_function(model, changed) as wrapped:
        if label_smoothing and not wrapped:
            raise RuntimeError(
                f"Labels cannot be smoothed with Keras {keras.__version__}. Set `label_smoothing=0` in the recipe, "
                "upgrade fashionclf, or use an older Keras."
            )
        yield


@contextlib.contextmanager
def in_bfloat16(layers: list[keras.Layer]) -> Iterator[None]:
    """Compute in mixed precision: bfloat16 with float32 weights (Micikevicius et al., arXiv:1710.03740)."""
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "mixed_bfloat16"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def bfloat16_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers that may compute in bfloat16: Keras's own in a graph of layers, except for probabilities.

    A layer of the caller's stays in float32 with all layers in it: it may mix their outputs with float32 values.
    """
    return _own_leaves(model, keep_out=last_layer(model))


def last_layer(model: keras.Model) -> keras.Layer | None:
    """Return the layer that gives a model's output, inside nested models too; None if the model is not a graph."""
    layer: Any = model
    while isinstance(layer, keras.Model):
        if not (is_graph(layer) and layer.layers):
            return None
        layer = layer.layers[-1]
    return layer


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


def _may_be_bfloat16(layer: keras.Layer) -> bool:
    # TensorFlow computes depthwise convolutions in bfloat16 several times slower than in float32.
    kinds = keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Softmax | keras.layers.DepthwiseConv2D
    if isinstance(layer, kinds):
        return False
    return getattr(layer, "activation", None) not in (keras.activations.softmax, keras.activations.sigmoid)


def _fused_normalisation(
    layer: keras.layers.BatchNormalization, inputs: Any, training: Any = None, mask: Any = None
) -> Any:
    """Compute what the layer's own `call` computes, moving averages included, by one kernel in half the time."""
    if training is not True or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    scale = layer.gamma.value if layer.scale else tf.ones_like(mean)
    offset = layer.beta.value if layer.center else tf.zeros_like(mean)
    outputs, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=layer.epsilon, is_training=True
    )
    count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], tf.float32)
    biased = batch_variance * (count - 1) / count  # the kernel divides by count - 1, Keras by count
    layer.moving_mean.assign(mean * layer.momentum + batch_mean * (1 - layer.momentum))
    layer.moving_variance.assign(variance * layer.momentum + biased * (1 - layer.momentum))
    return outputs


def _can_be_fused(layer: keras.Layer) -> bool:
    """Tell whether the kernel computes the same: for images, channels last, in Keras's own class, not frozen."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.trainable  # a frozen one normalises by its moving averages
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and not (layer.synchronized or getattr(layer, "renorm", False))  # Keras before 3.14 has no renorm
        and has_known_options(layer)
    )


@contextlib.contextmanager
def _smoothed_labels(model: keras.Model, amount: float) -> Iterator[None]:
    """Spread `amount` of each target over all classes, for the loss but not for metrics (Szegedy et al., 2016)."""
    if not amount:
        yield
        return
    compute = model.compute_loss

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        smoothed = y * (1 - amount) + amount / max(2, y_pred.shape[-1])
        return compute(x=x, y=smoothed, y_pred=y_pred, sample_weight=sample_weight, training=training)

    with replaced(model, "compute_loss", compute_loss):
        yield

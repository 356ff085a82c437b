"""Number formats for training: bfloat16 arithmetic where the processor is fast at it, float32 weights always."""

import contextlib
import functools
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras

_FAST_FLAGS: Final = frozenset(("avx512_bf16", "amx_bf16"))


@functools.cache
def has_fast_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 in hardware; elsewhere it would be slower than float32."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    try:
        description = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return not _FAST_FLAGS.isdisjoint(description.split())


@contextlib.contextmanager
def training_precision(model: keras.Model, precision: str) -> Iterator[None]:
    """Let a model's training steps compute in bfloat16, while the model itself stays float32.

    Only `train_step` sees the changed layers. It runs when Keras traces the training function, so that
    validation, checkpoints and callbacks meet a float32 model all along. Weights are float32 throughout
    (Micikevicius et al., arXiv:1710.03740), and so are the last layer, whose probabilities need the digits, and
    layers with a policy of their own.
    """
    if precision == "float32" or (precision == "auto" and not has_fast_bfloat16()):
        yield
        return
    layers = _hidden_layers(model)
    step = model.train_step

    def train_step(*args: Any, **kwargs: Any) -> Any:
        with _bfloat16(layers):
            return step(*args, **kwargs)

    model.train_step = train_step
    model.train_function = None  # an earlier fit may have left one in another precision
    try:
        yield
    finally:
        del model.train_step
        model.train_function = None


@contextlib.contextmanager
def _bfloat16(layers: list[keras.Layer]) -> Iterator[None]:
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "mixed_bfloat16"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def _hidden_layers(model: keras.Model) -> list[keras.Layer]:
    leaves = [layer for layer in model._flatten_layers(include_self=False) if not layer._layers]
    return [
        layer
        for layer in leaves
        if layer is not model.layers[-1]
        and not isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling)
        and layer.dtype_policy.name == "float32"
    ]

"""Number formats for training: bfloat16 arithmetic where the processor is fast at it, float32 weights always."""

import contextlib
import functools
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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


def choose_precision(precision: str) -> str:
    """Return `"float32"` or `"bfloat16"`, deciding `"auto"` by the processor."""
    if precision == "auto":
        return "bfloat16" if has_fast_bfloat16() else "float32"
    return precision


@contextlib.contextmanager
def training_precision(model: keras.Model, precision: str) -> Iterator[None]:
    """Let the hidden layers of a float32 model compute in bfloat16 for a while.

    Weights stay float32 (Micikevicius et al., arXiv:1710.03740), and so do the first layer's scaling and the last
    layer, whose probabilities need the digits. Layers with a policy of their own keep it.
    """
    layers = [] if choose_precision(precision) == "float32" else _hidden_layers(model)
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy
        if layers:  # what was traced so far computes in bfloat16
            model.train_function = model.test_function = model.predict_function = None


def _hidden_layers(model: keras.Model) -> list[keras.Layer]:
    leaves = [layer for layer in model._flatten_layers(include_self=False) if not layer._layers]
    return [
        layer
        for layer in leaves
        if layer is not model.layers[-1]
        and not isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling)
        and layer.dtype_policy.name == "float32"
    ]

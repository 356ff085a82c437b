"""What only training computes differently: bfloat16 arithmetic and smoothed labels.

A model is float32, and its labels are what they are, for validation, checkpoints, callbacks and metrics alike. Only
`train_step` sees anything else, and only while it runs, which is when Keras traces the training function. So nothing
that serves training reaches a saved file.
"""

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
def training_step(
    model: keras.Model, *, precision: str, label_smoothing: float, lock: contextlib.AbstractContextManager[Any]
) -> Iterator[None]:
    """Let a model's training steps compute in `precision` and learn from smoothed labels.

    `lock` is held while the layers compute differently: whoever traces the model in another thread must hold it too.
    """
    bfloat16 = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16())
    layers = _hidden_layers(model) if bfloat16 else []
    step = model.train_step

    def train_step(*args: Any, **kwargs: Any) -> Any:
        with lock, _in_bfloat16(layers), _smoothed_labels(model, label_smoothing):
            return step(*args, **kwargs)

    model.train_step = train_step
    model.train_function = None  # an earlier fit may have left one that computes otherwise
    try:
        yield
    finally:
        del model.train_step
        model.train_function = None


@contextlib.contextmanager
def _in_bfloat16(layers: list[keras.Layer]) -> Iterator[None]:
    """Compute in bfloat16 with float32 weights (Micikevicius et al., arXiv:1710.03740)."""
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "mixed_bfloat16"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


@contextlib.contextmanager
def _smoothed_labels(model: keras.Model, amount: float) -> Iterator[None]:
    """Show the loss, though not the metrics, one-hot or binary targets with `amount` spread over all classes."""
    if not amount:
        yield
        return
    compute = model.compute_loss

    def compute_loss(x: Any, y: Any, y_pred: Any, *others: Any, **options: Any) -> Any:
        share = amount / max(2, y_pred.shape[-1])
        return compute(x, y * (1 - amount) + share, y_pred, *others, **options)

    model.compute_loss = compute_loss
    try:
        yield
    finally:
        del model.compute_loss


def _hidden_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers that may compute in bfloat16: Keras's own, but for scaling and for what gives probabilities.

    A layer of the caller's may mix its input with float32 values of its own, so it is left in float32.
    """
    leaves = [layer for layer in model._flatten_layers(include_self=False) if not layer._layers]
    return [
        layer
        for layer in leaves[:-1]  # the last gives probabilities, which need the digits
        if type(layer).__module__.startswith("keras.")
        and not isinstance(layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Softmax)
        and getattr(layer, "activation", None) not in (keras.activations.softmax, keras.activations.sigmoid)
    ]

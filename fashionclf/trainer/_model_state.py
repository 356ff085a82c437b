"""The state that all Trainers of one model share: its locks, and who compiled it."""

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Final

import keras


class ModelState:
    """What all Trainers of one model share.

    Attributes:
        computing: Held while a training step changes how the layers compute, and by all code that must not see this.
        fitting: Held by the `fit` that is running.
        compiled_by: The `Compilation` of the Trainer that compiled the model last, held weakly; None if no Trainer did.
        compilation: What `compilation_of` gave then. Another value means that the caller has compiled the model since.
    """

    def __init__(self) -> None:
        self.computing = threading.RLock()
        self.fitting = threading.Lock()
        self.compiled_by: weakref.ref[Any] | None = None
        self.compilation: tuple[int, ...] = ()


_STATES: Final[weakref.WeakKeyDictionary[keras.Model, ModelState]] = weakref.WeakKeyDictionary()


def state_of(model: keras.Model) -> ModelState:
    """Return the shared state of a model."""
    return _STATES.setdefault(model, ModelState())


@contextlib.contextmanager
def fitting_of(model: keras.Model) -> Iterator[None]:
    """Let one caller at a time change a model's weights."""
    lock = state_of(model).fitting
    if not lock.acquire(blocking=False):
        raise RuntimeError("This model is being fitted already; wait until that ends, or build a second model.")
    try:
        yield
    finally:
        lock.release()


def compilation_of(model: keras.Model) -> tuple[int, ...]:
    """Return an identifier of a model's compilation: `compile` makes a new tracker of the loss.

    The objects live as long as the compilation does, so that their ids are not given to others in between.
    """
    return (id(model.optimizer), *(id(metric) for metric in model.metrics[:1])) if model.compiled else ()


def compiled_by_caller(model: keras.Model) -> bool:
    """Tell whether a model is compiled, and not by a Trainer."""
    return bool(model.compiled) and state_of(model).compilation != compilation_of(model)

"""Keras callbacks of a fit."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from typing_extensions import override

from fashionclf._warnings import stack_level
from fashionclf.trainer._batches import BatchSource
from fashionclf.trainer._streams import StreamSource


@contextlib.contextmanager
def keeping_weights(epoch: int) -> Iterator[None]:
    """Add to the error of a file that cannot be written that the Trainer keeps its weights."""
    try:
        yield
    except OSError as error:
        kind: Any = type(error)
        more = kind(
            f"{error} Training has stopped after epoch {epoch + 1}. The Trainer keeps its weights: `save` it "
            "elsewhere, or make room and call `fit` again."
        )
        more.errno = error.errno
        raise more from error


class BestCheckpoint(keras.callbacks.Callback):
    """Save the classifier after every epoch with a lower validation loss than all before."""

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self._save = save
        self.best = float("inf")

    @override
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Save if this epoch is the best."""
        loss = (logs or {}).get("val_loss", float("inf"))
        if loss < self.best:
            self.best = loss
            with keeping_weights(epoch):
                self._save()


class StopAtDivergence(keras.callbacks.Callback):
    """Stop with a warning as soon as the loss is NaN or infinite: later steps cannot recover."""

    @override
    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Stop after a batch, or a group of them."""
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            self.model.stop_training = True
            warnings.warn(
                f"Training has diverged: the loss is {loss:g}, and training stops here. Build a new model and "
                "train it with a lower learning rate.",
                RuntimeWarning,
                stacklevel=stack_level(),
            )


class EpochCounter(keras.callbacks.Callback):
    """Tell the source of batches which epoch starts; with Keras's `BackupAndRestore` it may be a later one."""

    def __init__(self, source: BatchSource | StreamSource) -> None:
        super().__init__()
        self._source = source

    @override
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Set the epoch."""
        self._source.epoch = epoch

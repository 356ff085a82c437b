"""The files that a fit writes after its epochs: the best classifier, and the state from which it can continue."""

import contextlib
import io
import json
import reprlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf._files import read_json, read_member, replacing, zip_archive

_EARLY_STOPPING: Final = ("best", "best_epoch", "wait", "stopped_epoch")  # attributes of the callback
_VARIABLE, _BEST = "variable_", "best_"  # what the names of arrays begin with
_FORMAT: Final = 3  # of the file of a state; 1 had no number


@contextlib.contextmanager
def _keeping_weights(epoch: int) -> Iterator[None]:
    """Let the error about a file that cannot be written also say that the Trainer keeps its weights."""
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
            with _keeping_weights(epoch):
                self._save()


class SavedState(NamedTuple):
    """What the file of an interrupted fit holds: JSON values, and arrays by name."""

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def seed(self) -> int:
        """The seed of the interrupted fit."""
        return int(self.values["run"]["seed"])

    def numbered(self, kind: str) -> list[NDArray[Any]]:
        """The arrays whose names are `kind` and a number from 0, in this order."""
        count = sum(name.startswith(kind) for name in self.arrays)
        return [self.arrays[f"{kind}{i}"] for i in range(count)]


class TrainingState(keras.callbacks.Callback):
    """Keep the state of a fit in a file. After an interruption, the same call continues and gives the same result.

    The file holds weights, optimizer, dropout seeds, history and early stopping after the last whole epoch. It
    is written in one step, and removed when the fit is complete.
    """

    def __init__(
        self,
        path: Path,
        run: Mapping[str, Any],
        saved: SavedState | None,
        stopping: keras.callbacks.EarlyStopping | None,
        checkpoint: BestCheckpoint | None,
    ) -> None:
        super().__init__()
        self._path = path
        self._run = dict(run)
        self._saved = saved
        if saved is not None:
            self._check_same_run(saved.values["run"])
            needed = {"early_stopping": stopping, "checkpoint_best": checkpoint}
            missing = [name for name, callback in needed.items() if callback is not None and name not in saved.values]
            if missing:
                raise _damaged(path, f"it lacks {missing[0]}")
        self._stopping, self._checkpoint = stopping, checkpoint
        self.history: dict[str, list[float]] = {}

    @property
    def first_epoch(self) -> int:
        """The epoch, counted from 0, with which the fit continues."""
        return 0 if self._saved is None else int(self._saved.values["next_epoch"])

    def check(self, model: keras.Model) -> None:
        """Check that the arrays of an interrupted fit fit the compiled model, before anything changes."""
        if self._saved is None:
            return
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        expected = {_VARIABLE: _variables(model), _BEST: model.weights}
        for kind, variables in expected.items():
            arrays = self._saved.numbered(kind)
            if kind == _BEST and self._stopping is None:
                continue
            shapes = [(tuple(each.shape), keras.backend.standardize_dtype(each.dtype)) for each in variables]
            if [(array.shape, str(array.dtype)) for array in arrays] != shapes:
                raise _damaged(self._path, f"its arrays {kind}0, {kind}1 and so on do not fit the model")

    @override
    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore what an interrupted fit left."""
        self.model.optimizer.build(self.model.trainable_variables)
        if self._saved is None:
            return
        values = self._saved.values
        for variable, array in zip(_variables(self.model), self._saved.numbered(_VARIABLE), strict=True):
            variable.assign(array)
        self.history = values["history"]
        if self._stopping is not None:
            for name in _EARLY_STOPPING:
                setattr(self._stopping, name, values["early_stopping"][name])
            self._stopping.best_weights = self._saved.numbered(_BEST) or None
        if self._checkpoint is not None:
            self._checkpoint.best = values["checkpoint_best"]

    @override
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the state after a whole epoch."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        arrays = {f"{_VARIABLE}{i}": variable.numpy() for i, variable in enumerate(_variables(self.model))}
        values: dict[str, Any] = {
            "format": _FORMAT,
            "run": self._run,
            "next_epoch": self._run["epochs"] if self.model.stop_training else epoch + 1,
            "history": self.history,
        }
        if self._stopping is not None:
            values["early_stopping"] = {name: getattr(self._stopping, name) for name in _EARLY_STOPPING}
            arrays |= {f"{_BEST}{i}": weight for i, weight in enumerate(self._stopping.best_weights or [])}
        if self._checkpoint is not None:
            values["checkpoint_best"] = self._checkpoint.best
        values["arrays"] = sorted(arrays)
        with _keeping_weights(epoch), replacing(self._path, "The state of the fit") as part:
            np.savez(part, values=np.array(json.dumps(values)), **arrays)

    @override
    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Remove the state of a complete fit."""
        self._path.unlink(missing_ok=True)

    def _check_same_run(self, saved: Mapping[str, Any]) -> None:
        for key, value in self._run.items():
            difference = _difference(saved.get(key), value, f"`{key}`")
            if difference is not None:
                place, there, here = difference
                raise ValueError(
                    f"{str(self._path)!r} belongs to another fit: its {place} is {there!r}, here it is {here!r}. "
                    "Call `fit` as before, or delete the file to start over."
                )


def _variables(model: keras.Model) -> list[Any]:
    """Return what a fit changes in a compiled model: weights, seeds and the state of the optimizer."""
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return own + list(model.optimizer.variables)


def _difference(saved: Any, here: Any, place: str) -> tuple[str, Any, Any] | None:
    """Return the first place at which two values in JSON's types differ, with both values."""
    if type(saved) is type(here) and isinstance(here, dict | list) and len(saved) == len(here):
        keys: Any = here if isinstance(here, dict) else range(len(here))
        if isinstance(here, list) or here.keys() == saved.keys():
            found = (_difference(saved[key], here[key], f"{place}, {key}") for key in keys)
            return next((difference for difference in found if difference is not None), None)
    return None if saved == here else (place, saved, here)


def read_state(path: Path) -> SavedState | None:
    """Return the state of an interrupted fit, None if there is no such file; refuse a damaged one."""
    if not path.exists():
        return None
    arrays = {}
    try:
        with zip_archive(path) as archive:
            for member in archive.infolist():
                content = read_member(archive, member.filename, member.compress_size)  # numpy does not compress them
                array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
                arrays[member.filename.removesuffix(".npy")] = array
        values = read_json(str(arrays.pop("values")))
        found = values.get("format", 1)
    except OSError:
        raise  # it cannot be opened
    except Exception as error:  # the header of an array is Python code, whose errors may be of any kind
        raise _damaged(path, f"{error or type(error).__name__}") from error
    if found != _FORMAT:
        raise ValueError(
            f"{str(path)!r} holds the state of a fit in format {found!r}; this version of fashionclf reads format "
            f"{_FORMAT}. Continue with the version that wrote it, or delete it to start over."
        )
    wrong = next((name for name, is_right in _checks(values).items() if not is_right), None)
    if wrong is not None:
        raise _damaged(path, f"its {wrong} is {reprlib.repr(values.get(wrong))}")
    if values.get("arrays") != sorted(arrays):
        raise _damaged(path, "it lacks arrays, or has too many")
    return SavedState(values, arrays)


def _checks(values: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether each value has the right type."""
    run, history, stopping = (values.get(name) for name in ("run", "history", "early_stopping"))
    epochs: Any = run.get("epochs") if isinstance(run, dict) and _is_count(run.get("seed")) else None
    return {
        "run": _is_count(epochs),
        "next_epoch": _is_count(epochs) and values.get("next_epoch") in range(epochs + 1),
        "history": isinstance(history, dict)
        and all(isinstance(each, list) and all(map(_is_number, each)) for each in history.values()),
        "early_stopping": "early_stopping" not in values
        or (isinstance(stopping, dict) and all(_is_number(stopping.get(name)) for name in _EARLY_STOPPING)),
        "checkpoint_best": "checkpoint_best" not in values or _is_number(values["checkpoint_best"]),
    }


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{str(path)!r} is damaged or not the state of a fit: {reason}. Delete it to start over.")

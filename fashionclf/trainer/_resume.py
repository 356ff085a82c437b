"""The state from which an interrupted fit continues."""

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf.trainer._callbacks import BestCheckpoint

_EARLY_STOPPING: Final = ("best", "best_epoch", "wait", "stopped_epoch")


_FORMAT: Final = 2  # of the file of a state; 1 had no number, and did not describe the model


class SavedState(NamedTuple):
    """What the file of an interrupted fit holds: JSON values, and arrays by name."""

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def seed(self) -> int:
        """The seed of the interrupted fit."""
        return int(self.values["run"]["seed"])


class TrainingState(keras.callbacks.Callback):
    """Keep the state of a fit in one file, so the same call after an interruption gives the same result.

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
        self._stopping, self._checkpoint = stopping, checkpoint
        self.history: dict[str, list[float]] = {}

    @property
    def first_epoch(self) -> int:
        """The epoch, counted from 0, with which the fit continues."""
        return 0 if self._saved is None else int(self._saved.values["next_epoch"])

    @override
    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore what an interrupted fit left."""
        self.model.optimizer.build(self.model.trainable_variables)
        if self._saved is None:
            return
        values, arrays = self._saved.values, self._saved.arrays
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{i}"])
        self.history = values["history"]
        if self._stopping is not None:
            for name in _EARLY_STOPPING:
                setattr(self._stopping, name, values["early_stopping"][name])
            best = [arrays[key] for key in sorted(arrays, key=_number) if key.startswith("best_")]
            self._stopping.best_weights = best or None
        if self._checkpoint is not None:
            self._checkpoint.best = values["checkpoint_best"]

    @override
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the state after a whole epoch."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        arrays = {f"variable_{i}": variable.numpy() for i, variable in enumerate(self._variables())}
        values: dict[str, Any] = {
            "format": _FORMAT,
            "run": self._run,
            "next_epoch": self._run["epochs"] if self.model.stop_training else epoch + 1,
            "history": self.history,
        }
        if self._stopping is not None:
            values["early_stopping"] = {name: getattr(self._stopping, name) for name in _EARLY_STOPPING}
            arrays |= {f"best_{i}": weight for i, weight in enumerate(self._stopping.best_weights or [])}
        if self._checkpoint is not None:
            values["checkpoint_best"] = self._checkpoint.best
        _write(self._path, values, arrays)

    @override
    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Remove the state of a complete fit."""
        self._path.unlink(missing_ok=True)

    def _variables(self) -> list[Any]:
        metrics = {id(variable) for metric in self.model.metrics for variable in metric.variables}
        own = [variable for variable in self.model.variables if id(variable) not in metrics]
        return own + list(self.model.optimizer.variables)

    def _check_same_run(self, saved: Mapping[str, Any]) -> None:
        for key, value in self._run.items():
            difference = _difference(saved.get(key), value, f"`{key}`")
            if difference is not None:
                place, there, here = difference
                raise ValueError(
                    f"{str(self._path)!r} belongs to another fit: its {place} is {there!r}, here it is {here!r}. "
                    "Call `fit` as before, or delete the file to start over."
                )


def _difference(saved: Any, here: Any, place: str) -> tuple[str, Any, Any] | None:
    """Return the first place at which two values in JSON's types differ, with both values."""
    if type(saved) is type(here) and isinstance(here, dict | list) and len(saved) == len(here):
        keys: Any = here if isinstance(here, dict) else range(len(here))
        if isinstance(here, list) or here.keys() == saved.keys():
            found = (_difference(saved[key], here[key], f"{place}, {key}") for key in keys)
            return next((difference for difference in found if difference is not None), None)
    return None if saved == here else (place, saved, here)


def _number(key: str) -> int:
    return int(key.rpartition("_")[2])


def read_state(path: Path) -> SavedState | None:
    """Return the state of an interrupted fit, None if there is no such file."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        values = json.loads(str(arrays.pop("values")))
        found = values.get("format", 1)
    except (AttributeError, ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{str(path)!r} is damaged or not the state of a fit: {error}. Delete it to start over."
        ) from error
    if found != _FORMAT:
        raise ValueError(
            f"{str(path)!r} holds the state of a fit in format {found!r}; this version of fashionclf reads format "
            f"{_FORMAT}. Continue with the version that wrote it, or delete it to start over."
        )
    missing = {"run", "next_epoch", "history"} - values.keys()
    if missing or "seed" not in values["run"]:
        raise ValueError(f"{str(path)!r} is damaged: it lacks {', '.join(sorted(missing or {'seed'}))}.")
    return SavedState(values, arrays)


def _write(path: Path, values: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fashionclf-") as folder:
        part = Path(folder) / path.name
        np.savez(part, values=np.array(json.dumps(values)), **arrays)
        part.replace(path)

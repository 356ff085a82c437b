"""Models in TensorFlow's own format, on TensorFlow."""

from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fashionclf._types import FloatArray
from fashionclf._validation import check_process, is_forked
from fashionclf.serving._metadata import LIMIT, MEMBER, SUMS, Metadata, check_sums
from fashionclf.serving._report import ExportFormat

FOLDER: Final = "assets.extra"  # TensorFlow's own name for files that are not part of the computation
_BATCH: Final = 200  # images computed at once, if there are many: bounds the memory used


class SavedModel:
    """A model on TensorFlow. Threads may share it; a pickle names its folder, from which it is read again."""

    format: ClassVar[ExportFormat] = "saved_model"
    title: ClassVar = "TensorFlow"
    dtype: ClassVar = np.uint8

    def __init__(self, path: Path) -> None:
        self.arguments = (path,)  # what makes the same model in another process
        self.num_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if is_forked():  # an error while unpickling would end the worker; a pool would restart workers for ever
            return
        check_process()
        self._model = tf.saved_model.load(str(path))  # a function lives as long as the model that it belongs to
        self._function = self._model.signatures["serving_default"]

    def __call__(self, images: NDArray[Any]) -> FloatArray:
        """Return the probabilities `(n, num_classes)` of images, uint8."""
        check_process()
        parts = [
            next(iter(self._function(tf.constant(images[i : i + _BATCH])).values())).numpy()
            for i in range(0, len(images), _BATCH)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_saved_model(path: Path) -> tuple[SavedModel, Metadata]:
    """Read an exported model and its metadata."""
    check_process()
    values, sums = (_beginning(path / FOLDER / name) for name in (MEMBER, SUMS))
    metadata = Metadata.read(values, path)
    check_sums(path, (sums or b"").decode("utf-8", "replace"))
    try:
        return SavedModel(path.resolve()), metadata
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is damaged and cannot be loaded: {error}") from error


def _beginning(path: Path) -> bytes | None:
    """Return the first bytes of a file, up to the limit of metadata, None if there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(LIMIT + 1)

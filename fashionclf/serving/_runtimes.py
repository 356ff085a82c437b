"""The runtimes by their names. None is imported before it is needed, and TensorFlow only for a SavedModel."""

import os
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray
from fashionclf.serving._litert import LiteRTModel, read_litert
from fashionclf.serving._metadata import Metadata
from fashionclf.serving._onnx import ONNXModel, read_onnx
from fashionclf.serving._report import ExportFormat

SUFFIXES: Final[dict[ExportFormat, str]] = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}


class RuntimeModel(Protocol):
    """A model on one of the runtimes. Threads may share it."""

    @property
    def format(self) -> ExportFormat:
        """The format of the model."""

    @property
    def title(self) -> str:
        """Name of the runtime."""

    @property
    def dtype(self) -> type[np.generic]:
        """What images are made of: uint8 from 0 to 255, or float32 in [0, 1]."""

    @property
    def num_bytes(self) -> int:
        """Size of the model."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What makes the same model in another process."""

    def __call__(self, images: NDArray[Any]) -> FloatArray:
        """Return the probabilities `(n, num_classes)` of images `(n, 28, 28)`."""


def read_model(path: Path, num_threads: int | None) -> tuple[RuntimeModel, Metadata]:
    """Read an exported model and its metadata from a file or folder that exists."""
    if path.is_dir():
        if num_threads is not None:
            raise ValueError(
                f"`num_threads` does not apply to a SavedModel such as {str(path)!r}: received {num_threads}. Its "
                "threads are TensorFlow's: set them with `tf.config.threading` before TensorFlow is used."
            )
        from fashionclf.serving._saved_model import read_saved_model  # here, because it imports TensorFlow

        return read_saved_model(path)
    threads = default_threads() if num_threads is None else num_threads
    if path.suffix == SUFFIXES["litert"]:
        return read_litert(path, threads)
    if path.suffix == SUFFIXES["onnx"]:
        return read_onnx(path, threads)
    raise ValueError(
        f"`path` must be a file ending in '.tflite' or '.onnx', or the folder of a SavedModel. Received: {str(path)!r}"
    )


def same_model(name: ExportFormat, arguments: tuple[Any, ...]) -> RuntimeModel:
    """Return a model of this format made from the `arguments` of another."""
    if name == "litert":
        return LiteRTModel(*arguments)
    if name == "onnx":
        return ONNXModel(*arguments)
    from fashionclf.serving._saved_model import SavedModel

    return SavedModel(*arguments)


def default_threads() -> int:
    """Return the number of threads for one image if none is given."""
    return min(2, os.cpu_count() or 1)

"""The runtimes by their names. None is imported before it is needed, and TensorFlow only for a SavedModel."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fashionclf._validation import check_count
from fashionclf.serving._litert import LiteRTModel, read_litert
from fashionclf.serving._metadata import Metadata
from fashionclf.serving._onnx import ONNXModel, read_onnx
from fashionclf.serving._report import ExportFormat

if TYPE_CHECKING:
    from fashionclf.serving._saved_model import SavedModel

SUFFIXES: Final[dict[ExportFormat, str]] = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}
_MOST_THREADS: Final = 1024
RuntimeModel: TypeAlias = "LiteRTModel | ONNXModel | SavedModel"
"""A model on one of the runtimes, called with images of its `dtype`. Threads may share it."""


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


def check_threads(num_threads: Any) -> int | None:
    """Return a number of threads for one image, or None for the default. Runtimes fail in odd ways on huge numbers."""
    return None if num_threads is None else check_count(num_threads, "num_threads", maximum=_MOST_THREADS)


def default_threads() -> int:
    """Return the number of threads for one image if none is given."""
    return min(2, os.cpu_count() or 1)

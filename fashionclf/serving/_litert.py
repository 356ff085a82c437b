"""Models in LiteRT's format, without TensorFlow."""

import io
import os
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._files import read_member, zip_archive
from fashionclf._text import advice
from fashionclf._types import FloatArray
from fashionclf.serving._metadata import LIMIT, MEMBER, PLACE, Metadata, check_checksum, with_checksum
from fashionclf.serving._report import ExportFormat

_BATCH: Final = 8  # images computed at once, if there are many: more need more memory and are not faster


class LiteRTModel:
    """A model on LiteRT. Threads may share it; each gets its own interpreters."""

    format: ClassVar[ExportFormat] = "litert"
    title: ClassVar = "LiteRT"

    def __init__(self, content: bytes, num_threads: int) -> None:
        self.arguments = (content, num_threads)  # what makes the same model in another process
        self.num_bytes = len(content)
        self._local = threading.local()
        interpreter, _, _ = self._interpreter(1)  # a missing runtime or damaged model raises here
        self.dtype: type[np.generic] = interpreter.get_input_details()[0]["dtype"]

    def __call__(self, images: NDArray[Any]) -> FloatArray:
        """Return the probabilities `(n, num_classes)` of images of type `dtype`."""
        if len(images) == 1:
            return self._run(images)
        whole = len(images) - len(images) % _BATCH
        parts = [self._run(images[i : i + _BATCH]) for i in range(0, whole, _BATCH)]
        return np.concatenate([*parts, *(self._run(images[i : i + 1]) for i in range(whole, len(images)))])

    def _run(self, images: NDArray[Any]) -> FloatArray:
        interpreter, source, target = self._interpreter(len(images))
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        return interpreter.get_tensor(target)  # type: ignore[no-any-return]

    def _interpreter(self, batch_size: int) -> Any:
        """Return this thread's interpreter for so many images, with its input and output.

        Threads may not share one. A forked process may neither use nor free the one that it inherited.
        """
        if getattr(self._local, "process", None) != os.getpid():
            self._local.inherited = vars(self._local).copy()
            self._local.process, self._local.made = os.getpid(), {}
        if batch_size not in self._local.made:
            content, num_threads = self.arguments
            interpreter = litert().Interpreter(model_content=content, num_threads=num_threads)
            (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(source["index"], (batch_size, *source["shape"][1:]))
            interpreter.allocate_tensors()
            self._local.made[batch_size] = (interpreter, source["index"], target["index"])
        return self._local.made[batch_size]


def read_litert(path: Path, num_threads: int) -> tuple[LiteRTModel, Metadata]:
    """Read an exported model and its metadata."""
    content = path.read_bytes()
    check_checksum(content, path)
    try:
        with zip_archive(io.BytesIO(content)) as archive:
            text = read_member(archive, MEMBER, LIMIT)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error
    metadata = Metadata.read(text, path)
    try:
        return LiteRTModel(content, num_threads), metadata
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is damaged or not a model of LiteRT: {error}") from error


def with_files(content: bytes, files: Mapping[str, str]) -> bytes:
    """Append files to a model as a zip archive, as TensorFlow Lite's metadata do. `unzip` lists them."""
    appended = io.BytesIO(content)
    with zipfile.ZipFile(appended, "a") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.comment = PLACE.encode()
    return with_checksum(appended.getvalue())


def litert() -> Any:
    """Import LiteRT's interpreter."""
    with advice("This predictor needs LiteRT", "litert"):
        from ai_edge_litert import interpreter
    return interpreter

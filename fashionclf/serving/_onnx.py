"""Models in the ONNX format, on ONNX Runtime, without TensorFlow."""

import os
import threading
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import advice
from fashionclf._types import FloatArray
from fashionclf.serving._metadata import MEMBER, Metadata, check_checksum
from fashionclf.serving._report import ExportFormat

_BATCH: Final = 64  # images computed at once, if there are many: bounds the memory used


class ONNXModel:
    """A model on ONNX Runtime. Threads may share it."""

    format: ClassVar[ExportFormat] = "onnx"
    title: ClassVar = "ONNX Runtime"
    dtype: ClassVar = np.uint8

    def __init__(self, content: bytes, num_threads: int) -> None:
        self.arguments = (content, num_threads)  # what makes the same model in another process
        self.num_bytes = len(content)
        self._made: tuple[Any, ...] = ()
        self._making = threading.Lock()
        self._session()  # a missing runtime or damaged model raises here

    @property
    def metadata(self) -> dict[str, str]:
        """The model's metadata by their keys."""
        return dict(self._session().get_modelmeta().custom_metadata_map)

    def __call__(self, images: NDArray[Any]) -> FloatArray:
        """Return the probabilities `(n, num_classes)` of images, uint8."""
        session = self._session()
        name = session.get_inputs()[0].name
        parts = [session.run(None, {name: images[i : i + _BATCH]})[0] for i in range(0, len(images), _BATCH)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _session(self) -> Any:
        """Return this process's session. A forked process may neither use nor free the one that it inherited."""
        made = self._made
        if not made or made[0] != os.getpid():
            with self._making:
                if self._made is made:
                    self._made = (os.getpid(), self._new_session(), made)
                made = self._made
        return made[1]

    def _new_session(self) -> Any:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        content, options.intra_op_num_threads = self.arguments
        options.log_severity_level = 3  # errors only: what it warns of is for those who write models
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # nor keep cores busy between images
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read_onnx(path: Path, num_threads: int) -> tuple[ONNXModel, Metadata]:
    """Read an exported model and its metadata."""
    _onnxruntime()
    content = path.read_bytes()
    check_checksum(content, path)
    try:
        model = ONNXModel(content, num_threads)
    except Exception as error:  # every error of ONNX Runtime is a bare Exception's child
        raise ValueError(f"{str(path)!r} is damaged or not a model for ONNX Runtime: {error}") from error
    return model, Metadata.read(model.metadata.get(MEMBER), path)


def _onnxruntime() -> Any:
    with advice("This predictor needs ONNX Runtime", "onnx"):
        import onnxruntime
    return onnxruntime

"""FrozenPredictor: a classifier for inference, on any of the runtimes; `load_exported` reads one from a file.

No runtime is imported before it is needed, and TensorFlow only for a SavedModel.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import round_pixels, scale_pixels, without_channel
from fashionclf._text import first_line
from fashionclf._types import FloatArray, ImageArray, PathLike, PredictLike
from fashionclf._validation import check_count, check_path, check_regular_file
from fashionclf.datasets import Split
from fashionclf.inputs import classify
from fashionclf.photographs._many import OnError
from fashionclf.predictions import Predictions, probabilities_of
from fashionclf.serving._litert import LiteRTModel, read_litert
from fashionclf.serving._metadata import Metadata
from fashionclf.serving._onnx import ONNXModel, read_onnx
from fashionclf.serving._report import ExportFormat

if TYPE_CHECKING:
    from fashionclf.serving._saved_model import SavedModel

SUFFIXES: Final[dict[ExportFormat, str]] = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}
_MOST_THREADS: Final = 1024  # runtimes fail in odd ways on huge numbers
RuntimeModel: TypeAlias = "LiteRTModel | ONNXModel | SavedModel"
"""A model on one of the runtimes, called with images of its `dtype`. Threads may share it."""


class FrozenPredictor:
    """A frozen classifier for inference. `Trainer.compile_predictor` makes it, and `load_exported` from a file.

    It keeps its weights; training the Trainer further does not change it. For one image it takes a fraction of a
    millisecond to a few. On LiteRT and ONNX Runtime it does not use TensorFlow. Threads may share it. It can be
    pickled, and works in forked processes (on TensorFlow in neither: a pickle names the folder, and a forked process
    raises an error). Nothing has to be closed: it holds no open file, and its memory is freed with it.

    Attributes:
        class_names: One name per class.
        image_converter: How photographs are read, as the Trainer did; its `image_shape` is that of the images.
        unfamiliarity_threshold: The unfamiliarity above which a photograph is doubtful, as the Trainer had it.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
        >>> predictor = trainer.compile_predictor()
        >>> images, _ = fc.load_data("synthetic").test
        >>> predictor.predict(images[0])[0].class_name in predictor.class_names
        True
        >>> predictor.predict_proba(images[:3]).shape
        (3, 10)
    """

    def __init__(
        self,
        model: RuntimeModel,
        class_names: tuple[str, ...],
        image_converter: ImageConverter,
        unfamiliarity_threshold: float | None,
    ) -> None:
        self.class_names = class_names
        self.image_converter = image_converter
        self.unfamiliarity_threshold = unfamiliarity_threshold
        self._model = model

    def predict(self, x: PredictLike | Split, *, on_error: OnError = "raise") -> Predictions:
        """Return class names with probabilities, as `Trainer.predict` does.

        Args:
            x: Images or photographs, as `Trainer.predict`. Many are computed a few at a time.
            on_error: As `Trainer.predict`.

        Returns:
            `Predictions`, a sequence of one `Prediction` per image.

        Raises:
            ValueError: As `Trainer.predict`, with its other errors.
            RuntimeError: If the runtime cannot compute the model; or it runs on TensorFlow, and this process was forked
                from one that used TensorFlow.
        """
        found = classify(
            x, self._probabilities, self.image_converter, threshold=self.unfamiliarity_threshold, on_error=on_error
        )
        return Predictions._of_model(self.class_names, *found)

    def predict_proba(self, x: PredictLike | Split) -> FloatArray:
        """Return probabilities alone: float32 `(n, num_classes)`, each row summing to 1.

        It takes and raises what `predict` does.
        """
        threshold = self.unfamiliarity_threshold
        return classify(x, self._probabilities, self.image_converter, threshold=threshold).probabilities

    def _probabilities(self, images: ImageArray) -> FloatArray:
        convert = round_pixels if self._model.dtype is np.uint8 else scale_pixels
        pixels = without_channel(convert(images))
        try:
            found = self._model(pixels)
        except Exception as error:  # each runtime has its own kinds
            raise RuntimeError(f"The model cannot be computed on {self._model.title}: {first_line(error)}") from error
        if found.shape != (len(pixels), len(self.class_names)):
            raise RuntimeError(
                f"The model gives probabilities of shape {found.shape}, expected "
                f"{(len(pixels), len(self.class_names))}, one for each class name. Export it again."
            )
        return probabilities_of(found)

    def __reduce__(self) -> Any:
        """Pickle what makes the model: another process makes its own from it."""
        model = self._model
        state = (model.format, model.arguments, self.class_names, self.image_converter, self.unfamiliarity_threshold)
        return FrozenPredictor._restored, state

    @classmethod
    def _restored(cls, name: ExportFormat, arguments: tuple[Any, ...], *state: Any) -> Self:
        return cls(same_model(name, arguments), *state)

    def __repr__(self) -> str:
        size, classes = self._model.num_bytes, len(self.class_names)
        return f"<FrozenPredictor on {self._model.title}: {size:,} bytes, {classes} classes>"


def load_exported(path: PathLike, *, num_threads: int | None = None) -> FrozenPredictor:
    """Load a classifier that `Trainer.export` wrote, for inference.

    A checksum is compared first, so a damaged model never runs. It does not show who made the model: load only models
    from people you trust.

    A `.tflite` file needs `pip install "fashionclf[litert]"` and a `.onnx` file `pip install "fashionclf[onnx]"`;
    neither imports TensorFlow. A folder is a SavedModel, which TensorFlow computes. Everything is read into memory and
    closed: the file may be replaced, and the predictor keeps what it has read.

    Exported models take pixels of 256 levels. Floats between two of them are rounded, so that their probabilities
    differ a little from the Trainer's.

    Args:
        path: A file ending in `.tflite` or `.onnx`, or a folder.
        num_threads: Threads for one image. None uses two, if the processor has two: more are not faster on images this
            small. TensorFlow has threads of its own, so that it must be None for a SavedModel.

    Returns:
        A `FrozenPredictor` with the class names and the `unfamiliarity_threshold` of the Trainer.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If it was not written by `Trainer.export`, is damaged, or of a newer format; if it is a pipe or a
            device; or `num_threads` is below 1 or above 1024, or given for a SavedModel.
        ImportError: If the runtime is missing.

    Example:
        >>> import fashionclf as fc, tempfile
        >>> images, _ = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = trainer.export(folder + "/softmax.tflite")
        ...     predictor = fc.load_exported(report.path)
        >>> predictor.predict(images[:2])
        <Predictions for 2 images, 10 classes>
    """
    file = check_path(path, "path")
    threads = None if num_threads is None else check_count(num_threads, "num_threads", maximum=_MOST_THREADS)
    if not file.is_dir():
        check_regular_file(file, "an exported classifier")
    model, metadata = read_model(file, threads)
    return FrozenPredictor(model, metadata.class_names, metadata.image_converter, metadata.unfamiliarity_threshold)


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
    """Return the number of threads for one image if none is given: two, if this process may use two cores."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return min(2, len(usable))

"""FrozenPredictor: a classifier on LiteRT, without TensorFlow."""

import threading
from typing import Any

import numpy as np
from typing_extensions import override

from fashionclf._images import IMAGE_SHAPE
from fashionclf._types import FloatArray, PredictLike
from fashionclf.datasets import Split
from fashionclf.photographs._input import classify_input
from fashionclf.photographs._many import OnError
from fashionclf.predictions import Predictions, probabilities_of


class FrozenPredictor:
    """A frozen classifier for inference on one image at a time, on LiteRT. `Trainer.compile_predictor` makes it.

    It keeps its weights; training the Trainer further does not change it. A prediction takes a fraction of a
    millisecond and does not use TensorFlow. Threads may share it; each gets its own interpreter.

    Attributes:
        class_names: One name per class.
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
        content: bytes,
        image_shape: tuple[int, ...],
        class_names: tuple[str, ...],
        num_threads: int,
        unfamiliarity_threshold: float | None,
    ) -> None:
        self.class_names = class_names
        self.unfamiliarity_threshold = unfamiliarity_threshold
        self._shape = (1, *image_shape)
        self._content = content
        self._num_threads = num_threads
        self._local = threading.local()
        self._run(np.zeros((1, *IMAGE_SHAPE), np.float32))  # a missing runtime raises here, not at the first prediction

    def predict(self, x: PredictLike | Split, *, on_error: OnError = "raise") -> Predictions:
        """Return class names with probabilities, as `Trainer.predict` does.

        Args:
            x: Images or photographs, as `Trainer.predict`. Many are computed one after the other.
            on_error: `"raise"` raises an error if photographs cannot be read, which names all of them; `"skip"` leaves
                them out, with one warning: `Predictions.sources` names those that were read.

        Returns:
            `Predictions`, a sequence of one `Prediction` per image.

        Raises:
            ValueError: If the images are not right, or a file is not an image or damaged.
            TypeError: If an argument has the wrong type.
            FileNotFoundError: If there is no such file.
            ImportError: If a photograph is to be read and pillow or OpenCV is missing.
        """
        found = classify_input(x, self._run_all, threshold=self.unfamiliarity_threshold, on_error=on_error)
        return Predictions(found.probabilities, self.class_names, sources=found.names, doubts=found.doubts)

    def predict_proba(self, x: PredictLike | Split) -> FloatArray:
        """Return probabilities alone: float32 `(n, num_classes)`, each row summing to 1.

        Args:
            x: Images or photographs, as `predict`.

        Raises:
            ValueError: If the images are not right, or a file is not an image or damaged.
            TypeError: If an argument has the wrong type.
            FileNotFoundError: If there is no such file.
            ImportError: If a photograph is to be read and pillow or OpenCV is missing.
        """
        return classify_input(x, self._run_all, threshold=self.unfamiliarity_threshold).probabilities

    def _run_all(self, images: FloatArray) -> FloatArray:
        if len(images) == 1:
            return self._run(images)
        return np.concatenate([self._run(images[i : i + 1]) for i in range(len(images))])

    def _run(self, image: FloatArray) -> FloatArray:
        interpreter, source, target = self._interpreter()
        interpreter.set_tensor(source, image.reshape(self._shape))
        interpreter.invoke()
        return probabilities_of(interpreter.get_tensor(target))

    def _interpreter(self) -> Any:
        """Return this thread's interpreter with its input and output: threads may not share one."""
        if not hasattr(self._local, "parts"):
            interpreter = _litert().Interpreter(model_content=self._content, num_threads=self._num_threads)
            (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(source["index"], self._shape)
            interpreter.allocate_tensors()
            self._local.parts = (interpreter, source["index"], target["index"])
        return self._local.parts

    @override
    def __reduce__(self) -> Any:
        """Pickle the content; another process makes its own interpreter from it."""
        parts = (self._content, self._shape[1:], self.class_names, self._num_threads, self.unfamiliarity_threshold)
        return FrozenPredictor, parts

    @override
    def __repr__(self) -> str:
        return f"<FrozenPredictor: {len(self._content):,} bytes, {len(self.class_names)} classes>"


def _litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise ImportError("A frozen predictor needs LiteRT: run `pip install 'fashionclf[litert]'`.") from error
    return interpreter

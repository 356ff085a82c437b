"""FakeTrainer: the answers are chosen, everything around them is as in a Trainer. It needs no TensorFlow."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import IMAGE_SHAPE, scale_pixels, without_channel
from fashionclf._text import shown
from fashionclf._types import (
    ClassNames,
    FloatArray,
    ImageArray,
    ImageShape,
    LabelledLike,
    LabelsLike,
    Precision,
    PredictLike,
)
from fashionclf._validation import check_choice, check_count, check_number
from fashionclf.datasets import Split
from fashionclf.inputs import Classified, classify, collect_labelled
from fashionclf.inputs._streams import stream_kind
from fashionclf.labels import CLASS_NAMES, check_class_names
from fashionclf.photographs._many import OnError
from fashionclf.predictions import Predictions
from fashionclf.report import EvaluationReport, evaluate_predictions

if TYPE_CHECKING:
    # Code that is annotated with Trainer takes a FakeTrainer, and type checkers compare its methods with a Trainer's.
    from fashionclf.trainer import Trainer as _Interface
else:
    _Interface = object

_BATCH = 256  # the default of a Trainer; a test compares the signatures
Answer: TypeAlias = str | Mapping[str, float]
"""The answer for one image: a class name, or class names with probabilities; the others share what is left."""

Answers: TypeAlias = Answer | Sequence[Answer] | Callable[[FloatArray], Answer]
"""The answers of a fake Trainer, as `fake_trainer` describes them."""

Rows: TypeAlias = Callable[[FloatArray], FloatArray]
"""Gives probabilities `(n, num_classes)` for prepared images, float32 `(n, height, width, channels)`."""

_TOLERANCE: Final = 1e-3  # of a sum of probabilities that were rounded
_EXPECTED: Final = "expected a class name, or a dictionary from class names to probabilities"


class FakeTrainer(_Interface):
    """A stand-in for a `Trainer` with chosen answers, without TensorFlow. `fake_trainer` makes it.

    Images, photographs and names are read and checked as a Trainer does, with the same errors, doubts and
    warnings. The methods have the same signatures. Whatever else a Trainer has, such as `fit` or `evaluate`, raises an
    `AttributeError` that names `ready_trainer`. To a type checker it is a Trainer; to `isinstance` it is not.

    Example:
        >>> trainer = fake_trainer(["Dress", "Coat"])
        >>> trainer
        <FakeTrainer: 10 classes>
        >>> images = tiny_dataset().test.images[:2]
        >>> [prediction.class_name for prediction in trainer.predict(images)]
        ['Dress', 'Coat']
    """

    __slots__ = ("_converter", "_names", "_rows")

    def __init__(self, rows: Rows, class_names: tuple[str, ...], image_converter: ImageConverter) -> None:
        self._rows = rows
        self._converter = image_converter
        self._names = class_names

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order. Setting it renames the classes."""
        return self._names

    @class_names.setter
    def class_names(self, names: ClassNames) -> None:
        self._names = check_class_names(names, self.num_classes)

    @property
    def image_shape(self) -> ImageShape:
        """`(height, width, channels)` of the images that it takes."""
        return self._converter.image_shape

    @property
    def image_converter(self) -> ImageConverter:
        """How photographs are read."""
        return self._converter

    @property
    def num_classes(self) -> int:
        """Number of classes, at least 2."""
        return len(self._names)

    def predict(
        self,
        x: PredictLike | Split,
        *,
        batch_size: int = _BATCH,
        precision: Precision = "float32",
        on_error: OnError = "raise",
    ) -> Predictions:
        """Return the chosen answers: as `Trainer.predict`, whose arguments it takes.

        `batch_size` and `precision` are only checked. Answers by position are for the photographs that can be read.

        Example:
            >>> trainer = fake_trainer({"Coat": 0.6, "Shirt": 0.4})
            >>> print(trainer.predict(tiny_dataset().test.images[0])[0])
            Coat 60.0% · Shirt 40.0% · T-shirt/top 0.0%
        """
        check_count(batch_size, "batch_size")
        check_choice(precision, "precision", get_args(Precision))
        found = self._classify(x, on_error)
        return Predictions._of_model(self.class_names, *found)

    def predict_proba(
        self, x: PredictLike | Split, *, batch_size: int = _BATCH, precision: Precision = "float32"
    ) -> FloatArray:
        """Return the probabilities of the chosen answers: as `Trainer.predict_proba`."""
        check_count(batch_size, "batch_size")
        check_choice(precision, "precision", get_args(Precision))
        return self._classify(x).probabilities

    def report(
        self, x: LabelledLike | Split, y: LabelsLike | None = None, *, batch_size: int = _BATCH
    ) -> EvaluationReport:
        """Return the metrics of the chosen answers on labelled images: as `Trainer.report`.

        Example:
            >>> fake_trainer("Dress").report(tiny_dataset().test).recall[3]
            np.float64(1.0)
        """
        check_count(batch_size, "batch_size")
        data = collect_labelled(
            x, y, converter=self._converter, num_classes=self.num_classes, known_names=[self._names]
        )
        return evaluate_predictions(data.labels, Predictions(self._compute(data.images), self.class_names))

    def _classify(self, x: PredictLike | Split, on_error: OnError = "raise") -> Classified:
        if stream_kind(x) not in (None, "iterator"):
            raise TypeError(
                f"A fake Trainer predicts images and photographs. Received: a {type(x).__name__}. Pass arrays of its "
                "images, or use `fashionclf.testing.ready_trainer()`, which is a real Trainer."
            )
        given: Any = list(x) if isinstance(x, Iterator) else x  # answers by position are for all images of a call
        return classify(given, self._compute, self._converter, threshold=None, on_error=on_error)

    def _compute(self, images: ImageArray) -> FloatArray:
        return self._rows(scale_pixels(images))

    if not TYPE_CHECKING:  # or a type checker would believe in every name

        def __getattr__(self, name: str) -> Any:
            offered = ", ".join(sorted(name for name in vars(FakeTrainer) if not name.startswith("_")))
            raise AttributeError(
                f"A fake Trainer has no {name!r}; it has {offered}. For anything else use "
                "`fashionclf.testing.ready_trainer()`, which is a real Trainer."
            )

    def __repr__(self) -> str:
        return f"<FakeTrainer: {self.num_classes} classes>"


def fake_trainer(
    answers: Answers,
    *,
    class_names: ClassNames | None = None,
    image_shape: ImageShape = IMAGE_SHAPE,
    image_converter: ImageConverter | None = None,
) -> FakeTrainer:
    """Make a stand-in for a `Trainer` that gives chosen answers, without TensorFlow.

    Args:
        answers: One of these:

            - a class name, `"Dress"`: for every image, with a probability of 1;
            - class names with probabilities, `{"Coat": 0.6, "Shirt": 0.3}`: for every image. The other classes share
              what is left;
            - a list of such answers: by position, one for each image of a call;
            - a function that takes an image, float32 `(height, width)` (in colour `(height, width, 3)`) in [0, 1], and
              returns such an answer.
        class_names: One name per class. None takes Fashion-MNIST's ten.
        image_shape: `(height, width, channels)` of the images that it takes.
        image_converter: How photographs are read, and the shape of images. None takes the one for `image_shape`.

    Raises:
        ValueError: If an answer is not one of the classes, or probabilities do not sum to 1.

    Example:
        >>> images = tiny_dataset().test.images
        >>> fake_trainer("Bag").predict(images[:3]).labels
        array([8, 8, 8])
        >>> fake_trainer(lambda image: "Bag" if image.mean() > 0.2 else "Sandal").predict(images[5])[0].class_name
        'Sandal'
        >>> fake_trainer("Dress").fit(images)
        Traceback (most recent call last):
            ...
        AttributeError: A fake Trainer has no 'fit'; it has ...
    """
    names = CLASS_NAMES if class_names is None else check_class_names(class_names)
    if not isinstance(image_converter, ImageConverter | None):
        raise TypeError(f"`image_converter` must be an ImageConverter or None. Received: {shown(image_converter)}")
    return FakeTrainer(rows_for(answers, names), names, image_converter or ImageConverter(image_shape))


# -- answers --------------------------------------------------------------------------------------


def rows_for(answers: Any, class_names: tuple[str, ...]) -> Rows:
    """Check the answers and return the function that gives them, which can be pickled where the answers can."""
    if callable(answers):
        return functools.partial(_by_image, answers, class_names)
    if isinstance(answers, str | Mapping):
        return functools.partial(_the_same, _row(answers, class_names, "answers"))
    if not isinstance(answers, Sequence) or isinstance(answers, bytes):
        raise TypeError(
            f"`answers` must be a class name, a list of answers or a function of an image. Received: {shown(answers)}"
        )
    if not answers:
        raise ValueError("`answers` is empty; expected at least one answer.")
    listed = [_row(answer, class_names, f"answers[{i}]") for i, answer in enumerate(answers)]
    return functools.partial(_by_position, np.stack(listed))


def _by_image(function: Callable[[FloatArray], Any], class_names: tuple[str, ...], images: FloatArray) -> FloatArray:
    answers = [function(image) for image in without_channel(images)]
    return np.stack([_row(answer, class_names, f"answers(image {i})") for i, answer in enumerate(answers)])


def _the_same(row: FloatArray, images: FloatArray) -> FloatArray:
    return np.tile(row, (len(images), 1))


def _by_position(rows: FloatArray, images: FloatArray) -> FloatArray:
    if len(images) != len(rows):
        raise ValueError(
            f"The fake Trainer has {len(rows)} answers, one for each image of a call, and received {len(images)} "
            "images. If their number varies, give it one answer for all images, or a function of an image."
        )
    return rows.copy()


def _row(answer: Any, class_names: tuple[str, ...], name: str) -> FloatArray:
    """Return the probabilities of one answer, float32 `(num_classes,)`."""
    if isinstance(answer, str):
        answer = {check_choice(answer, f"class name in `{name}`", class_names): 1.0}
    if not isinstance(answer, Mapping):
        raise TypeError(f"`{name}` is {shown(answer)}; {_EXPECTED}.")
    if not answer:
        raise ValueError(f"`{name}` is an empty dictionary; {_EXPECTED}.")
    given = {
        class_names.index(check_choice(key, f"class name in `{name}`", class_names)): check_number(
            value, f"{name}[{shown(key)}]", low=0, high=1
        )
        for key, value in answer.items()
    }
    left, others = 1 - sum(given.values()), len(class_names) - len(given)
    if left < -_TOLERANCE or (not others and left > _TOLERANCE):
        raise ValueError(f"The probabilities in `{name}` sum to {1 - left:.4g}, expected 1.")
    row = np.full(len(class_names), max(left, 0) / max(others, 1), np.float32)
    row[list(given)] = list(given.values())
    return row

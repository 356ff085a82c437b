"""What a fake Trainer answers: chosen by the caller, turned into probabilities."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from fashionclf._images import without_channel
from fashionclf._text import shown
from fashionclf._types import FloatArray
from fashionclf._validation import check_choice, check_number

Answer: TypeAlias = str | Mapping[str, float]
"""The answer for one image: a class name, or class names with probabilities; the others share what is left."""

Answers: TypeAlias = Answer | Sequence[Answer] | Callable[[FloatArray], Answer]
"""The answers of a fake Trainer, as `fake_trainer` describes them."""

Rows: TypeAlias = Callable[[FloatArray], FloatArray]
"""Gives probabilities `(n, num_classes)` for prepared images, float32 `(n, height, width, channels)`."""

_TOLERANCE: Final = 1e-3  # of a sum of probabilities that were rounded
_EXPECTED: Final = "expected a class name, or a dictionary from class names to probabilities"


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

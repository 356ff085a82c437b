"""What a fake Trainer answers: chosen by the caller, turned into probabilities."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from fashionclf._images import HEIGHT, WIDTH
from fashionclf._text import shown
from fashionclf._types import FloatArray, SupportsArray
from fashionclf._validation import check_choice, check_number
from fashionclf.predictions import Predictions, as_predictions

Answer: TypeAlias = str | Mapping[str, float]
"""The answer for one image: a class name, or class names with probabilities; the others share what is left."""

Answers: TypeAlias = (
    Answer | Sequence[Answer] | Predictions | SupportsArray | Mapping[str, Answer] | Callable[[FloatArray], Answer]
)
"""The answers of a fake Trainer, as `fake_trainer` describes them."""


class Asked(NamedTuple):
    """Prepared images, float32 `(n, 28, 28, 1)`, and the names of their files, None if they come from none."""

    images: FloatArray
    files: Sequence[str] | None


Rows: TypeAlias = Callable[[Asked], FloatArray]
"""Gives probabilities `(n, num_classes)` for images."""

_TOLERANCE: Final = 1e-3  # of a sum of probabilities that were rounded
_SHOWN: Final = 5  # file names that a message shows
_EXPECTED: Final = "expected a class name, or a dictionary from class names to probabilities"


def rows_for(answers: Any, class_names: tuple[str, ...]) -> Rows:
    """Check the answers and return the function that gives them."""
    if isinstance(answers, Predictions) or (hasattr(answers, "__array__") and not isinstance(answers, str)):
        rows = as_predictions(answers, class_names).probabilities
        if not np.allclose(rows.sum(axis=1), 1, atol=_TOLERANCE):
            raise ValueError("`answers` must be probabilities: each row must sum to 1. Divide each row by its sum.")
        return functools.partial(_by_position, rows)
    if callable(answers):
        return functools.partial(_by_image, answers, class_names)
    if isinstance(answers, Mapping) and any(isinstance(value, str | Mapping) for value in answers.values()):
        table = {str(file): _row(answer, class_names, f"answers[{shown(file)}]") for file, answer in answers.items()}
        return functools.partial(_by_file, table)
    if isinstance(answers, str | Mapping):
        return functools.partial(_the_same, _row(answers, class_names, "answers"))
    if not isinstance(answers, Sequence) or isinstance(answers, bytes):
        raise TypeError(
            "`answers` must be a class name, a list of answers, Predictions, probabilities (n, num_classes), a "
            f"dictionary by file name or a function of an image. Received: {shown(answers)}"
        )
    if not answers:
        raise ValueError("`answers` is empty; expected at least one answer.")
    listed = [_row(answer, class_names, f"answers[{i}]") for i, answer in enumerate(answers)]
    return functools.partial(_by_position, np.stack(listed))


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


def _the_same(row: FloatArray, asked: Asked) -> FloatArray:
    return np.tile(row, (len(asked.images), 1))


def _by_position(rows: FloatArray, asked: Asked) -> FloatArray:
    if len(asked.images) != len(rows):
        raise ValueError(
            f"The fake Trainer has {len(rows)} answers, one for each image of a call, and received "
            f"{len(asked.images)} images. If their number varies, give it one answer for all images, a dictionary by "
            "file name, or a function of an image."
        )
    return rows.copy()


def _by_file(table: Mapping[str, FloatArray], asked: Asked) -> FloatArray:
    if asked.files is None:
        raise ValueError(
            "The fake Trainer answers by file name, and these images have none: pass paths, or give it other answers."
        )
    # the whole name first: one file name may occur in several folders
    keys = [file if file in table else PurePath(file).name for file in asked.files]
    missing = [file for file, key in zip(asked.files, keys, strict=True) if key not in table]
    if missing:
        raise ValueError(
            f"The fake Trainer has no answer for {', '.join(map(repr, missing[:_SHOWN]))}; it has answers for "
            f"{', '.join(map(repr, list(table)[:_SHOWN]))}{' and others' if len(table) > _SHOWN else ''}."
        )
    return np.stack([table[key] for key in keys])


def _by_image(function: Callable[[FloatArray], Any], class_names: tuple[str, ...], asked: Asked) -> FloatArray:
    answers = [function(image) for image in asked.images.reshape(-1, HEIGHT, WIDTH)]
    return np.stack([_row(answer, class_names, f"answers(image {i})") for i, answer in enumerate(answers)])

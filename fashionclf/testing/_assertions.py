"""`assert_predictions_equal`."""

from typing import Any, Final

import numpy as np

from fashionclf._validation import check_number
from fashionclf.predictions import Prediction, Predictions

_SHOWN: Final = 5  # differences that a message shows


def assert_predictions_equal(
    actual: Prediction | Predictions, expected: Prediction | Predictions, *, atol: float = 1e-5
) -> None:
    """Assert that predictions have the same class names, and the same probabilities within a tolerance.

    As with `==`, sources and doubts are not compared.

    Args:
        actual: What was predicted: all images, or one.
        expected: What it is compared with, of the same kind.
        atol: Largest difference of a probability, from 0 to 1. The default allows for the rounding of other processors
            and batch sizes.

    Raises:
        AssertionError: If they differ. The message shows the first differences.
        TypeError: If an argument has the wrong type, or one is a `Prediction` and the other one `Predictions`.
        ValueError: If `atol` is out of range.

    Example:
        >>> from fashionclf import Predictions
        >>> expected = Predictions([[0.9, 0.1], [0.2, 0.8]], ["Shirt", "Bag"])
        >>> assert_predictions_equal(Predictions([[0.9, 0.1], [0.2, 0.8]], ["Shirt", "Bag"]), expected)
        >>> assert_predictions_equal(Predictions([[0.9, 0.1], [0.7, 0.3]], ["Shirt", "Bag"]), expected)
        Traceback (most recent call last):
            ...
        AssertionError: 1 of 2 predictions differ by more than 1e-05:
          image 1: Shirt 70.0% · Bag 30.0%
            expected Bag 80.0% · Shirt 20.0%
            largest difference: 'Shirt' 0.7 instead of 0.2
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    actual_rows, expected_rows = _as_predictions(actual, "actual"), _as_predictions(expected, "expected")
    if isinstance(actual, Prediction) is not isinstance(expected, Prediction):
        raise TypeError(
            "`actual` and `expected` must both be Predictions, or both one Prediction. Received: "
            f"{type(actual).__name__} and {type(expected).__name__}. Take one with an index, such as `predictions[0]`."
        )
    tolerance = check_number(atol, "atol", low=0, high=1)
    if actual_rows.class_names != expected_rows.class_names:
        raise AssertionError(_about_names(actual_rows.class_names, expected_rows.class_names))
    if len(actual_rows) != len(expected_rows):
        raise AssertionError(f"There are {len(actual_rows)} predictions, expected {len(expected_rows)}.")
    gaps = np.abs(actual_rows.probabilities - expected_rows.probabilities)
    different = np.flatnonzero(gaps.max(axis=1) > tolerance) if len(gaps) else np.array([], np.int64)
    if not len(different):
        return
    lines = [f"{len(different)} of {len(gaps)} predictions differ by more than {tolerance:g}:"]
    lines += [_about_one(int(i), actual_rows, expected_rows, int(gaps[i].argmax())) for i in different[:_SHOWN]]
    if len(different) > _SHOWN:
        lines.append(f"  and {len(different) - _SHOWN} more")
    raise AssertionError("\n".join(lines))


def _as_predictions(value: Any, name: str) -> Predictions:
    if isinstance(value, Predictions):
        return value
    if isinstance(value, Prediction):
        sources = None if value.source is None else [value.source]
        return Predictions(value.probabilities[np.newaxis], value.class_names, sources=sources)
    raise TypeError(
        f"`{name}` must be Predictions or a Prediction. Received: {type(value).__name__}. Make them from "
        "probabilities: `Predictions(probabilities, class_names)`."
    )


def _about_names(actual: tuple[str, ...], expected: tuple[str, ...]) -> str:
    if len(actual) != len(expected):
        return f"There are {len(actual)} classes, expected {len(expected)}: received {actual}, expected {expected}."
    pairs = [(i, a, e) for i, (a, e) in enumerate(zip(actual, expected, strict=True)) if a != e]
    shown = ", ".join(f"label {i} is {a!r} instead of {e!r}" for i, a, e in pairs[:_SHOWN])
    more = f", and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return f"{len(pairs)} of {len(actual)} class names differ: {shown}{more}."


def _about_one(i: int, actual: Predictions, expected: Predictions, label: int) -> str:
    sources = actual.sources or expected.sources
    source = "" if sources is None else f" ({sources[i]})"
    got, wanted = actual.probabilities[i, label], expected.probabilities[i, label]
    return (
        f"  image {i}{source}: {actual[i]}\n    expected {expected[i]}\n"
        f"    largest difference: {actual.class_names[label]!r} {got:.6g} instead of {wanted:.6g}"
    )

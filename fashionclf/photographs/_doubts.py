"""Doubts about images: blank, nearly black, a negative, or none of the classes; and the warning that names them."""

import warnings
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import HEIGHT, NUM_PIXELS, WIDTH
from fashionclf._types import FloatArray, ImageArray
from fashionclf._warnings import stack_level

Doubts: TypeAlias = tuple[str, ...]
"""Why an image may be misread; empty if there is no doubt."""

_NAMED: Final = 10  # doubtful images that one warning names

# Half of the border of an image of Fashion-MNIST is at most 163 (training split), of its negative at least 250 nearly
# always.
LIGHT: Final = 170

# The brightest pixel of every image is at least 254 in Fashion-MNIST and MNIST, and 72 in the synthetic set.
_DARK: Final = 30

_BLANK: Final = "it is blank"

_NEARLY_BLACK: Final = "it is nearly black: of a mask of zeros and ones pass `mask * 255`"

_NEGATIVE: Final = "its background is light, as in a negative: pass `255 - image` (`1 - image` of floats)"

UNFAMILIAR: Final = "it is unlike all classes"

_FRAME: Final = np.ones((HEIGHT, WIDTH), bool)

_FRAME[1:-1, 1:-1] = False

_BORDER: Final = np.flatnonzero(_FRAME)


class DoubtfulImageWarning(UserWarning):
    """An image may be misread: it does not clearly show one garment, or one that is like none of the classes.

    Look at what the model sees with `fashionclf.plot.preprocessing_steps`.

    Example:
        >>> import numpy as np, warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", DoubtfulImageWarning)  # to refuse such images
        ...     load_image(np.full((100, 80), 200, dtype="uint8"))
        Traceback (most recent call last):
            ...
        fashionclf.photographs.DoubtfulImageWarning: the array may be misread: nothing stands out from its background.
    """


def warn_of_doubts(doubts: Sequence[Doubts | None], names: Sequence[str] | None) -> None:
    """Warn once, at the caller's line, about all doubtful images."""
    doubtful = [i for i, each in enumerate(doubts) if each]
    if not doubtful:
        return
    called = [names[i] if names is not None else f"image {i}" for i in doubtful[:_NAMED]]
    reasons = ["; ".join(doubts[i] or ()) for i in doubtful[:_NAMED]]
    if len(doubts) == 1:
        message = f"{called[0] if names is not None else 'The image'} may be misread: {reasons[0]}."
    else:
        listed = ". ".join(f"{name}: {reason}" for name, reason in zip(called, reasons, strict=True))
        rest = len(doubtful) - _NAMED
        more = f" And {rest} more." if rest > 0 else ""
        message = f"{len(doubtful)} of {len(doubts)} images may be misread. {listed}.{more}"
    warnings.warn(message, DoubtfulImageWarning, stacklevel=stack_level())


def doubts_of(images: FloatArray) -> tuple[Doubts, ...]:
    """Return the doubts about each of prepared images, float32 `(n, 28, 28, 1)` in [0, 1]."""
    rows = images.reshape(-1, NUM_PIXELS)
    brightest = rows.max(axis=1)
    light = _are_negatives(rows, LIGHT / 255)
    suspects = np.flatnonzero(light | (brightest < _DARK / 255) | (rows[:, 0] == brightest))
    doubts: list[Doubts] = [()] * len(rows)
    for i in suspects:
        if rows[i].min() == brightest[i]:
            doubts[i] = (_BLANK,)
        elif light[i]:
            doubts[i] = (_NEGATIVE,)
        elif brightest[i] < _DARK / 255:
            doubts[i] = (_NEARLY_BLACK,)
    return tuple(doubts)


def share_of_negatives(images: ImageArray) -> float:
    """Return the share, from 0 to 1, of checked images that have a light background."""
    return float(
        _are_negatives(images.reshape(-1, NUM_PIXELS), LIGHT if images.dtype == np.uint8 else LIGHT / 255).mean()
    )


def _are_negatives(rows: ImageArray, light: float) -> NDArray[np.bool_]:
    return np.asarray(np.count_nonzero(rows.take(_BORDER, axis=1) > light, axis=1) > len(_BORDER) // 2)

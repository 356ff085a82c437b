"""Doubts about images: blank, nearly black, a negative, or none of the classes; and the warning that names them.

`predict` examines each image (`doubts_of`). Images for training and evaluation are examined as a set
(`warn_of_doubtful_set`), which takes about a millisecond.
"""

import contextlib
import contextvars
import warnings
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import IMAGE_SHAPE
from fashionclf._types import ImageArray
from fashionclf._warnings import stack_level

Doubts: TypeAlias = tuple[str, ...]
"""Why an image may be misread; empty if there is no doubt."""

_NAMED: Final = 10  # doubtful images that one warning names

# Half of the border of an image of Fashion-MNIST is at most 163 (training split), of its negative at least 250 nearly
# always.
LIGHT: Final = 170

# The brightest pixel of every image is at least 254 in Fashion-MNIST and MNIST, and 72 in the synthetic set.
_DARK: Final = 30

_EXAMINED: Final = 1000  # images of a set

BLANK: Final = "it is blank"
_NEARLY_BLACK: Final = "it is nearly black: of a mask of zeros and ones pass `mask * 255`"
_NEGATIVE: Final = "its background is light, as in a negative: pass `255 - image` (`1 - image` of floats)"
UNFAMILIAR: Final = "it is unlike all classes"

_FRAME: Final = np.ones(IMAGE_SHAPE[:2], bool)
_FRAME[1:-1, 1:-1] = False
_BORDER: Final = np.flatnonzero(_FRAME)

_SILENT: Final = contextvars.ContextVar("fashionclf_without_doubts", default=False)


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


@contextlib.contextmanager
def without_doubts() -> Iterator[None]:
    """Turn these warnings off: the caller has been warned already, or the images look odd on purpose."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def warn_of_doubts(doubts: Sequence[Doubts | None], names: Sequence[str] | None) -> None:
    """Warn once, at the caller's line, about all doubtful images."""
    doubtful = [i for i, each in enumerate(doubts) if each]
    if not doubtful or _SILENT.get():
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


def doubts_of(images: ImageArray, *, bright_on_black: bool = True) -> tuple[Doubts, ...]:
    """Return the doubts about each of checked images `(n, height, width, channels)`.

    `bright_on_black` is False if 28x28 images in grey show whole pictures, and not garments as the data set does.
    """
    top = 255 if images.dtype == np.uint8 else 1
    brightest = images.reshape(len(images), -1).max(axis=1)
    light = _are_negatives(images, LIGHT * top / 255, bright_on_black)
    dark = brightest < _DARK * top / 255
    suspects = np.flatnonzero(light | dark | (images[:, 0, 0].max(axis=-1) == brightest))
    doubts: list[Doubts] = [()] * len(images)
    for i in suspects:
        if (images[i] == images[i, 0, 0]).all():
            doubts[i] = (BLANK,)
        elif light[i]:
            doubts[i] = (_NEGATIVE,)
        elif dark[i]:
            doubts[i] = (_NEARLY_BLACK,)
    return tuple(doubts)


def warn_of_doubtful_set(images: ImageArray, name: str, *, bright_on_black: bool = True) -> None:
    """Warn, at the caller's line, if checked images are nearly black as a whole, or most of them look like negatives.

    Images of one value each, as in tests and examples, are not a mistake of scale. `bright_on_black` is as in
    `doubts_of`.
    """
    if _SILENT.get():
        return
    top = 255 if images.dtype == np.uint8 else 1
    dark = _DARK * top / 255
    sample = images[:: -(-len(images) // _EXAMINED)]
    # All images are read only if the sample has no bright pixel.
    if sample.max() < dark and (sample != sample[:, :1, :1]).any() and (brightest := images.max()) < dark:
        cause = (
            "`images * 255` if they are masks of zeros and ones, or rescaled to 0..255"
            if top == 255
            else "the images before they were divided by 255 a second time"
        )
        what = f"All images of `{name}` are nearly black: the brightest pixel is {brightest:.3g} of {top}"
        problem = f"{what}. Pass {cause}."
    elif _are_negatives(sample, LIGHT * top / 255, bright_on_black).mean() > 0.5:
        problem = (
            f"Most images of `{name}` look like negatives, with a light background. Expected a bright garment on "
            "black, as in the data set. Pass `255 - images`, or `1 - images` for floats."
        )
    else:
        return
    warnings.warn(problem, DoubtfulImageWarning, stacklevel=stack_level())


def _are_negatives(images: ImageArray, light: float, bright_on_black: bool) -> NDArray[np.bool_]:
    """Tell which images have a light border; none of those where that is no mistake."""
    if images.shape[1:] != IMAGE_SHAPE or not bright_on_black:
        return np.zeros(len(images), bool)
    rows = images.reshape(len(images), -1)
    return np.asarray(np.count_nonzero(rows.take(_BORDER, axis=1) > light, axis=1) > len(_BORDER) // 2)

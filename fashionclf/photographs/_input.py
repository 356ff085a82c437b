"""What `predict` may be given: images, photographs, folders, splits."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fashionclf._types import FloatArray, PredictLike
from fashionclf._validation import check_path
from fashionclf.datasets import Split
from fashionclf.photographs._doubts import UNFAMILIAR, Doubts, doubts_of, warn_of_doubts
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._many import OnError, check_on_error, read_many
from fashionclf.photographs._reading import file_name, is_folder, is_pil_image
from fashionclf.photographs._steps import preprocessing_steps
from fashionclf.predictions import normalised_entropy
from fashionclf.preprocessing import prepare_images


class InputImages(NamedTuple):
    """Images, the names of the files that they come from, and the doubts about them.

    `names` is None if they do not come from files. `doubts` is None if none was read as a photograph; in it, None is
    for an image that was not.
    """

    images: Any
    names: tuple[str, ...] | None = None
    doubts: tuple[Doubts | None, ...] | None = None


def read_input(x: Any, name: str = "x", *, on_error: OnError = "raise") -> InputImages:
    """Read the photographs in the input of `predict`; anything else is returned unchanged.

    Args:
        x: A path, a PIL image, a binary file object or an array `(h, w, 3)` or `(h, w, 4)`; a list, tuple or iterator
            in which any of these occur, beside arrays as well; the path of a folder; or images in any form that
            `prepare_images` takes.
        name: Of the argument, for error messages.
        on_error: Whether to raise an error for photographs that cannot be read, or to skip them.

    Returns:
        `InputImages`. What was read is uint8 `(n, 28, 28)`, or a list of single images if there were arrays among the
        files. The images of a folder come in natural order, named by their file names.

    Raises:
        ValueError: As `load_image`, or if a folder has no images.
        TypeError: As `load_image`.
        FileNotFoundError: As `load_image`.
        ImportError: As `load_image`.
    """
    check_on_error(on_error)
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, name)):
        return _read_list(photographs_in(folder), [path.name for path in photographs_in(folder)], on_error)
    if _is_source(x):
        file, one = file_name(x), preprocessing_steps(x)
        return InputImages(one.image[np.newaxis], None if file is None else (file,), (one.doubts,))
    if isinstance(x, Iterator):  # such as `Path.glob`
        x = list(x)
        if not x:
            raise ValueError(f"`{name}` is an iterator without any items; expected at least one image.")
    if not isinstance(x, list | tuple) or not any(_is_source(item) for item in x):
        return InputImages(x)
    return _read_list(x, [file_name(item) or f"{name}[{i}]" for i, item in enumerate(x)], on_error)


def _read_list(items: Sequence[Any], names: Sequence[str], on_error: OnError) -> InputImages:
    """Read the photographs among some images."""
    places = [i for i, item in enumerate(items) if _is_source(item)]
    read = dict(zip(places, read_many([items[i] for i in places], [names[i] for i in places], on_error), strict=True))
    kept = [i for i in range(len(items)) if read.get(i, i) is not None]
    found = [read.get(i) for i in kept]
    images = [items[i] if each is None else each.image for i, each in zip(kept, found, strict=True)]
    doubts = tuple(None if each is None else each.doubts for each in found)
    return InputImages(images, tuple(names[i] for i in kept), doubts)


def _is_source(x: object) -> bool:
    """Tell whether `x` must be read as a photograph: a file, or an array in colour."""
    if isinstance(x, str | os.PathLike | bytes | bytearray) or is_pil_image(x) or hasattr(x, "read"):
        return True
    shape = tuple(getattr(x, "shape", ()))
    return len(shape) == 3 and shape[2] in (3, 4) and hasattr(x, "__array__")


class Classified(NamedTuple):
    """Probabilities `(n, num_classes)`, the names of the files, and the doubts about each image."""

    probabilities: FloatArray
    names: tuple[str, ...] | None
    doubts: tuple[Doubts, ...]


def classify_input(
    x: PredictLike | Split,
    probabilities_of: Callable[[FloatArray], FloatArray],
    *,
    threshold: float | None,
    on_error: OnError = "raise",
) -> Classified:
    """Return probabilities for the input of `predict`.

    Args:
        x: As `read_input`, or a `Split`.
        probabilities_of: Computes the probabilities of prepared images, float32 `(n, 28, 28, 1)` in [0, 1].
        threshold: The unfamiliarity above which a photograph is doubtful; None if it is not known.
        on_error: As `read_input`.

    Warns:
        DoubtfulImageWarning: If there are doubts about any of them, once.
    """
    given = InputImages(x.images) if isinstance(x, Split) else read_input(x, on_error=on_error)
    return classify_images(given, probabilities_of, threshold=threshold)


def classify_images(
    given: InputImages, probabilities_of: Callable[[FloatArray], FloatArray], *, threshold: float | None
) -> Classified:
    """Return probabilities for what `read_input` gave, as `classify_input` does."""
    images = prepare_images(given.images)
    probabilities = probabilities_of(images)
    doubts = doubts_of(images)
    if given.doubts is not None:  # a photograph was already examined at its full size
        unfamiliar = normalised_entropy(probabilities) > (1 if threshold is None else threshold)
        doubts = tuple(
            own if read is None else (*read, UNFAMILIAR) if beyond else read
            for own, read, beyond in zip(doubts, given.doubts, unfamiliar, strict=True)
        )
    warn_of_doubts(doubts, given.names)
    return Classified(probabilities, given.names, doubts)

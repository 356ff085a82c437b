"""What `predict` may be given: images, photographs, folders, splits, streams; and its probabilities."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from fashionclf._doubts import UNFAMILIAR, Doubts, doubts_of, warn_of_doubts
from fashionclf._streams import Stream, stream_kind
from fashionclf._types import FloatArray, PredictLike
from fashionclf._validation import check_path
from fashionclf.datasets import Split
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._many import OnError, check_on_error
from fashionclf.photographs._parts import read_parts
from fashionclf.photographs._reading import file_name, is_folder
from fashionclf.photographs._sources import InputImages, is_source, read_list
from fashionclf.photographs._steps import preprocessing_steps
from fashionclf.predictions import normalised_entropy
from fashionclf.preprocessing import prepare_images

_BATCH: Final = 256  # single images of a stream


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
        OSError: As `load_image`.
        ImportError: As `load_image`.
    """
    check_on_error(on_error)
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, name)):
        paths, others = photographs_in(folder)
        return read_list(paths, [path.name for path in paths], on_error, others=others)
    if is_source(x):
        file, one = file_name(x), preprocessing_steps(x)
        return InputImages(one.image[np.newaxis], None if file is None else (file,), (one.doubts,))
    if isinstance(x, Iterator):  # such as `Path.glob`
        x = list(x)
        if not x:
            raise ValueError(f"`{name}` is an iterator without any items; expected at least one image.")
    if not isinstance(x, list | tuple) or not any(is_source(item) for item in x):
        return InputImages(x)
    return read_list(x, [file_name(item) or f"{name}[{i}]" for i, item in enumerate(x)], on_error)


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
    batch_size: int = _BATCH,
    otherwise: str = "",
) -> Classified:
    """Return probabilities for the input of `predict`.

    Args:
        x: As `read_input`, a `Split`, or a stream: its images are not kept, only their probabilities.
        probabilities_of: Computes the probabilities of prepared images, float32 `(n, 28, 28, 1)` in [0, 1].
        threshold: The unfamiliarity above which a photograph is doubtful; None if it is not known.
        on_error: As `read_input`.
        batch_size: Single images of a stream that are read at a time.
        otherwise: What else the caller can do with a stream that does not end, for the message.

    Warns:
        DoubtfulImageWarning: If there are doubts about any of them, once.
    """
    given = _listed_photographs(x)
    if is_source(given) or stream_kind(given) is None:
        read = InputImages(given.images) if isinstance(given, Split) else read_input(given, on_error=on_error)
        found = _classified(read, probabilities_of, threshold)
    else:
        Stream(given, "x").check_end(otherwise)
        groups = read_parts(given, batch_size, on_error)
        found = _joined([_classified(read, probabilities_of, threshold) for _, read in groups])
    warn_of_doubts(found.doubts, found.names)
    return found


def classify_batches(
    x: PredictLike | Split,
    probabilities_of: Callable[[FloatArray], FloatArray],
    *,
    threshold: float | None,
    on_error: OnError,
    batch_size: int,
) -> Iterator[Classified]:
    """Return probabilities as `classify_input` does, batch by batch. Nothing is kept.

    Warns:
        DoubtfulImageWarning: Of the first batch in which there are doubts about any image.
    """
    warned = False
    for start, given in read_parts(x, batch_size, on_error):
        found = _classified(given, probabilities_of, threshold)
        if not warned and any(found.doubts):
            warned = True
            numbers = range(start, start + len(found.doubts))
            warn_of_doubts(found.doubts, found.names or [f"image {number}" for number in numbers])
        yield found


def classify_images(
    given: InputImages, probabilities_of: Callable[[FloatArray], FloatArray], *, threshold: float | None
) -> Classified:
    """Return probabilities for what `read_input` gave, as `classify_input` does."""
    found = _classified(given, probabilities_of, threshold)
    warn_of_doubts(found.doubts, found.names)
    return found


def _listed_photographs(x: Any) -> Any:
    """Turn an iterator of photographs, such as `Path.glob`, into a list: one message names all that are unreadable."""
    if not isinstance(x, Iterator) or is_source(x):
        return x
    begin = list(itertools.islice(x, 1))
    items = itertools.chain(begin, x)
    return list(items) if any(map(is_source, begin)) else items


def _classified(
    given: InputImages, probabilities_of: Callable[[FloatArray], FloatArray], threshold: float | None
) -> Classified:
    images = prepare_images(given.images)
    probabilities = probabilities_of(images)
    doubts = doubts_of(images)
    if given.doubts is not None:  # a photograph was already examined at its full size
        unfamiliar = normalised_entropy(probabilities) > (1 if threshold is None else threshold)
        doubts = tuple(
            own if read is None else (*read, UNFAMILIAR) if beyond else read
            for own, read, beyond in zip(doubts, given.doubts, unfamiliar, strict=True)
        )
    return Classified(probabilities, given.names, doubts)


def _joined(parts: Sequence[Classified]) -> Classified:
    """Join the parts of a stream. If some were read from files, all images get names."""
    names: list[str] = []
    for part in parts:
        numbers = range(len(names), len(names) + len(part.doubts))
        names += part.names or [f"x[{number}]" for number in numbers]
    return Classified(
        np.concatenate([part.probabilities for part in parts]),
        tuple(names) if any(part.names for part in parts) else None,
        tuple(itertools.chain.from_iterable(part.doubts for part in parts)),
    )

"""The one look at what a caller passed as images, and the probabilities for it."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import (
    UNFAMILIAR,
    Doubts,
    check_images,
    doubts_of,
    forms_of,
    warn_of_doubts,
)
from fashionclf._types import FloatArray, ImageArray, ImageShape, PredictLike
from fashionclf._validation import check_path
from fashionclf.datasets import Dataset, Split
from fashionclf.inputs._streams import (
    Stream,
    columns_of,
    is_iterable_once,
    is_photograph,
    is_row,
    is_rows,
    is_single_image,
    parts_of,
    rows_of,
    stream_kind,
)
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._many import OnError, check_on_error, read_many
from fashionclf.photographs._reading import file_name, is_folder, is_pil_image
from fashionclf.predictions import normalised_entropy

_BATCH: Final = 256  # single images of a stream


class Images(NamedTuple):
    """Checked images `(n, height, width, channels)`, the files they come from, and the doubts about photographs.

    `names` is None if they do not come from files, `doubts` if none was read as a photograph. In `doubts` None is for
    an image that was not.
    """

    images: ImageArray
    names: tuple[str, ...] | None = None
    doubts: tuple[Doubts | None, ...] | None = None


class Items(NamedTuple):
    """Single images, some of them photographs to be read.

    `names` says what to call them; it is None for one that has no name. `others` is the number of files beside them
    that are no images.
    """

    items: Sequence[Any]
    names: Sequence[str] | None
    others: int = 0

    def part(self, start: int, stop: int) -> "Items":
        """Return some of them."""
        return Items(self.items[start:stop], self.names and self.names[start:stop])


def opened(x: Any, converter: ImageConverter, name: str = "x") -> ImageArray | Items | Stream:
    """Decide what `x` is: images of the converter's shape, or else photographs, or a stream.

    Raises:
        ValueError: If images are not right, or a folder has none.
        TypeError: If it cannot be images.
    """
    shape = converter.image_shape
    forms = forms_of(shape)
    if type(x) is np.ndarray and (x.shape in forms or x.shape[1:] in forms):  # the usual case
        return check_images(x, name, image_shape=shape)
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, name)):
        paths, others = photographs_in(folder)
        return Items(paths, [path.name for path in paths], others)
    if is_photograph(x, shape):
        file = file_name(x)
        return Items([x], None if file is None else [file])
    if isinstance(x, Split):
        _check_converter(x.image_converter, converter, name)
        return check_images(x.images, name, image_shape=shape)
    if is_rows(x) and not isinstance(x, list | tuple):
        tensors = getattr(x, "tensors", None)  # of torch's TensorDataset
        return opened(tensors[0] if tensors else rows_of(x), converter, name)
    if is_iterable_once(x):
        return opened(iter(x), converter, name)
    if stream_kind(x) is not None:
        return Stream(x, name)
    if is_row(x) or is_rows(x):
        return opened(columns_of(x, name)[0], converter, name)
    if isinstance(x, Dataset):
        raise TypeError(f"`{name}` is a Dataset; pass the images of one of its splits, such as `{name}.test`.")
    if isinstance(x, tuple) and 2 <= len(x) <= 3 and not all(is_single_image(item, shape) for item in x):
        raise ValueError(f"`{name}` is a tuple, as of images and labels; expected images alone: pass `{name}[0]`.")
    if isinstance(x, list | tuple):
        if any(is_photograph(item, shape) for item in x):
            return Items(x, [file_name(item) or f"{name}[{i}]" for i, item in enumerate(x)])
        return _stacked(x, name, shape) if any(map(is_pil_image, x)) else check_images(x, name, image_shape=shape)
    images: Any = x
    return check_images(images, name, image_shape=shape)


def _check_converter(theirs: ImageConverter | None, own: ImageConverter, name: str) -> None:
    """Refuse a `Split` whose photographs were read in another way than the classifier reads them."""
    if theirs not in (None, own):
        raise ValueError(
            f"The photographs of `{name}` were read as {theirs}, but this classifier reads them as {own}. Read the "
            "folder again with the classifier's options, or fit a new Trainer on this Split."
        )


def _listed_photographs(x: Any, shape: ImageShape) -> Any:
    """Turn an iterator of photographs, such as `Path.glob`, into a list: one message names all that are unreadable."""
    begin = list(itertools.islice(x, 1))
    items = itertools.chain(begin, x)
    return list(items) if any(is_photograph(item, shape) for item in begin) else items


def read_images(x: Any, converter: ImageConverter, name: str = "x", *, on_error: OnError = "raise") -> Images:
    """Read images that fit into memory: everything that `predict` takes but a stream.

    Raises:
        ValueError: As `Trainer.predict`.
        TypeError: As `Trainer.predict`, or if it is a stream.
        FileNotFoundError: As `Trainer.predict`.
        OSError: As `Trainer.predict`.
        ImportError: As `Trainer.predict`.
    """
    given = opened(x, converter, name)
    if isinstance(given, Stream):
        raise TypeError(f"`{name}` is a {given.kind}; expected images in memory, or photographs.")
    return _read(given, converter, on_error) if isinstance(given, Items) else Images(given)


def _read(given: Items, converter: ImageConverter, on_error: OnError, *, part: bool = False) -> Images:
    """Read the photographs among some images; of a part of a stream all may be skipped."""
    shape = converter.image_shape
    names = given.names or ["the image"]
    places = [i for i, item in enumerate(given.items) if is_photograph(item, shape)]
    sources = [given.items[i] for i in places]
    results = read_many(
        sources, [names[i] for i in places], on_error, converter=converter, others=given.others, part=part
    )
    read = dict(zip(places, results, strict=True))
    kept = [i for i in range(len(names)) if read.get(i, i) is not None]
    found = [read.get(i) for i in kept]
    images = [given.items[i] if each is None else each.image for i, each in zip(kept, found, strict=True)]
    return Images(
        _stacked(images, "x", shape) if images else np.zeros((0, *shape), np.uint8),
        tuple(names[i] for i in kept) if given.names else None,
        tuple(None if each is None else each.doubts for each in found),
    )


def _stacked(images: Sequence[Any], name: str, shape: ImageShape) -> ImageArray:
    """Return single images, PIL's among them, as one array."""
    arrays = [np.asarray(image) if is_pil_image(image) else image for image in images]
    return check_images(arrays, name, image_shape=shape)


def read_parts(
    x: Any, converter: ImageConverter, batch_size: int, on_error: OnError, name: str = "x"
) -> Iterator[tuple[int, Images]]:
    """Read an input of any size in parts, each with the position of its first image."""
    check_on_error(on_error)
    given = x if isinstance(x, Stream) else opened(x, converter, name)
    parts = _of_stream(given, converter, batch_size) if isinstance(given, Stream) else _sliced(given, batch_size)
    position, empty = 0, True
    for part in parts:
        read = _read(part, converter, on_error, part=True) if isinstance(part, Items) else Images(part)
        if len(read.images):
            empty = False
            yield position, read
        position += len(part.items) if isinstance(part, Items) else len(part)
    if empty:
        raise ValueError(f"`{name}` gives no image; expected at least one that can be read.")


def _sliced(given: ImageArray | Items, batch_size: int) -> Iterator[ImageArray | Items]:
    total = len(given.items) if isinstance(given, Items) else len(given)
    for start in range(0, total, batch_size):
        stop = start + batch_size
        yield given.part(start, stop) if isinstance(given, Items) else given[start:stop]


def _of_stream(stream: Stream, converter: ImageConverter, batch_size: int) -> Iterator[ImageArray | Items]:
    """Give the batches of a stream as they are, and single images or photographs `batch_size` at a time."""
    shape = converter.image_shape
    singles: list[Any] = []
    given = 0

    def together() -> ImageArray | Items:
        if any(is_photograph(item, shape) for item in singles):
            return Items(singles, [file_name(item) or f"{stream.name}[{given + i}]" for i, item in enumerate(singles)])
        return _stacked(singles, stream.name, shape)

    stream.begin_epoch()
    for element in stream.elements():
        images = parts_of(element, stream.name, shape)[0]
        if isinstance(images, bytes) and stream.kind == "tf.data.Dataset":
            images = os.fsdecode(images)  # a path, which TensorFlow has as bytes
        is_single = is_single_image(images, shape)
        if is_single:
            singles.append(images)
        if len(singles) == batch_size or (singles and not is_single):
            yield together()
            given, singles = given + len(singles), []
        if not is_single:
            batch = opened(images, converter, stream.name)
            if isinstance(batch, Stream):
                raise TypeError(f"`{stream.name}` gives {batch.kind}s; expected images or batches of them.")
            given += len(batch.items) if isinstance(batch, Items) else len(batch)
            yield batch
    if singles:
        yield together()
    stream.end_epoch()


class Classified(NamedTuple):
    """Probabilities `(n, num_classes)`, the names of the files, and the doubts about each image."""

    probabilities: FloatArray
    names: tuple[str, ...] | None
    doubts: tuple[Doubts, ...]


Compute: TypeAlias = Callable[[ImageArray], FloatArray]
"""Gives the probabilities of checked images `(n, height, width, channels)`."""


def classify(
    x: PredictLike | Split,
    compute: Compute,
    converter: ImageConverter,
    *,
    threshold: float | None,
    on_error: OnError = "raise",
    batch_size: int = _BATCH,
    otherwise: str = "",
) -> Classified:
    """Return the probabilities of what `predict` was given.

    Args:
        x: Images, photographs or a stream: its images are not kept, only their probabilities.
        compute: Computes probabilities.
        converter: How photographs are read.
        threshold: The unfamiliarity above which a photograph is doubtful; None if it is not known.
        on_error: Whether to raise an error for photographs that cannot be read, or to skip them.
        batch_size: Single images of a stream that are read at a time.
        otherwise: What else the caller can do with a stream that does not end, for the message.

    Warns:
        DoubtfulImageWarning: If there are doubts about any of them, once.
    """
    if on_error != "raise":
        check_on_error(on_error)
    if type(x) is not np.ndarray and stream_kind(x) == "iterator":
        x = _listed_photographs(x, converter.image_shape)
    given, bright_on_black = opened(x, converter), converter.find_garment
    if isinstance(given, Stream):
        given.check_end(otherwise)
        parts = read_parts(given, converter, batch_size, on_error)
        found = _joined([_classified(read, compute, threshold, bright_on_black) for _, read in parts])
    elif isinstance(given, Items):
        found = _classified(_read(given, converter, on_error), compute, threshold, bright_on_black)
    else:
        found = _classified(Images(given), compute, threshold, bright_on_black)
    if any(found.doubts):
        warn_of_doubts(found.doubts, found.names)
    return found


def classify_batches(
    x: PredictLike | Split,
    compute: Compute,
    converter: ImageConverter,
    *,
    threshold: float | None,
    on_error: OnError,
    batch_size: int,
) -> Iterator[Classified]:
    """Return probabilities as `classify` does, batch by batch. Nothing is kept.

    Warns:
        DoubtfulImageWarning: Of the first batch in which there are doubts about any image.
    """
    warned = False
    for start, given in read_parts(x, converter, batch_size, on_error):
        found = _classified(given, compute, threshold, converter.find_garment)
        if not warned and any(found.doubts):
            warned = True
            numbers = range(start, start + len(found.doubts))
            warn_of_doubts(found.doubts, found.names or [f"image {number}" for number in numbers])
        yield found


def _classified(given: Images, compute: Compute, threshold: float | None, bright_on_black: bool) -> Classified:
    probabilities = compute(given.images)
    doubts = doubts_of(given.images, bright_on_black=bright_on_black)
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

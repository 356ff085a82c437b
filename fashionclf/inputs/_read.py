"""The one look at what a caller passed as images, and the probabilities for it."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._converter import ImageConverter
from fashionclf._images import (
    UNFAMILIAR,
    Doubts,
    check_images,
    doubts_of,
    forms_of,
    shape_of,
    shape_or_default,
    warn_of_doubts,
)
from fashionclf._types import FloatArray, ImageArray, ImageShape, PredictLike
from fashionclf._validation import check_path
from fashionclf.datasets import Dataset, Split
from fashionclf.inputs._streams import (
    LABELS,
    Stream,
    columns_of,
    is_iterable_once,
    is_photograph,
    is_rows,
    is_single_image,
    parts_of,
    rows_of,
    stream_kind,
)
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._many import OnError, check_on_error, read_many
from fashionclf.photographs._reading import file_name, is_folder, is_pil_image
from fashionclf.predictions import SHOWN, normalised_entropy

_BATCH: Final = 256  # single images of a stream


class Images(NamedTuple):
    """Checked images `(n, height, width, channels)`, the files they come from, and the doubts about photographs."""

    images: ImageArray
    names: tuple[str, ...] | None = None  # None if they do not come from files
    doubts: tuple[Doubts | None, ...] | None = None  # None for an image that was not read as a photograph


class Items(NamedTuple):
    """Single images, some of them photographs to be read."""

    items: Sequence[Any]
    names: Sequence[str] | None  # None for one that has no name
    others: int = 0  # files beside them that are no images

    def part(self, start: int, stop: int) -> "Items":
        """Return some of them."""
        return Items(self.items[start:stop], self.names and self.names[start:stop])


class Given(NamedTuple):
    """What a caller passed: images, the converter that reads photographs among them, and what came with them."""

    images: ImageArray | Items | Stream
    converter: ImageConverter
    labels: Any = None
    weights: Any = None
    class_names: tuple[str, ...] | None = None
    groups: NDArray[Any] | None = None


def opened(
    x: Any, converter: ImageConverter | None, name: str = "x", *, labelled: bool = False, count: int | None = None
) -> Given:
    """Decide what `x` is: images of the converter's shape, or else photographs, or a stream; with labels or without.

    `labelled` is for callers that take labels: a tuple is `(images, labels)` then, and a data set of rows is read into
    memory. Without a converter, the shape is that of the arrays, which may hold `count` images.
    """
    used = converter or getattr(x, "image_converter", None) or ImageConverter(shape_or_default(x, count))
    shape = used.image_shape
    forms = forms_of(shape)
    if type(x) is np.ndarray and (x.shape in forms or x.shape[1:] in forms):  # the usual case
        return Given(check_images(x, name, image_shape=shape), used)
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, name)):
        paths, others = photographs_in(folder)
        return Given(Items(paths, [path.name for path in paths], others), used)
    if is_photograph(x, shape):
        file = file_name(x)
        return Given(Items([x], None if file is None else [file]), used)
    if isinstance(x, Split):
        _check_converter(x.image_converter, used, name)
        own = check_images(x.images, name, image_shape=shape)
        return Given(own, used, x.labels, class_names=x.class_names, groups=x.groups)
    if isinstance(x, Dataset):
        raise TypeError(f"`{name}` is a Dataset; pass one of its splits, such as `{name}.test`.")
    if is_iterable_once(x):
        return Given(Stream(iter(x), name), used)
    if stream_kind(x) is not None:
        return Given(Stream(x, name), used)
    if isinstance(x, Mapping) or is_rows(x):
        if not (labelled or isinstance(x, Mapping | list | tuple) or hasattr(x, "tensors")):
            return Given(Stream(rows_of(x), name), used)
        return _of_parts(columns_of(x, name), converter, name, class_names_in(x))
    if isinstance(x, tuple) and 2 <= len(x) <= 3:
        if labelled:
            return _of_parts(x, converter, name)
        if not all(is_single_image(item, shape) for item in x):
            raise ValueError(f"`{name}` is a tuple, as of images and labels; expected images alone: pass `{name}[0]`.")
    if isinstance(x, list | tuple):
        if any(is_photograph(item, shape) for item in x):
            return Given(Items(x, [file_name(item) or f"{name}[{i}]" for i, item in enumerate(x)]), used)
        if any(map(is_pil_image, x)):
            return Given(_stacked(x, name, shape), used)
    if labelled and count is None:
        raise labels_missing(name)
    images: Any = x
    return Given(check_images(images, name, image_shape=shape), used)


def labels_missing(name: str) -> ValueError:
    """Return the error for images without labels."""
    return ValueError(
        f"Labels are missing: pass {'`y`, or ' if name == 'x' else ''}a `Split` (such as `dataset.train`) or a tuple "
        f"(images, labels) as `{name}`. `fashionclf.load_folder` makes a Split of a folder with a sub-folder for each "
        "class."
    )


def _of_parts(
    parts: tuple[Any, ...], converter: ImageConverter | None, name: str, class_names: tuple[str, ...] | None = None
) -> Given:
    """Return images with the labels and weights that came with them."""
    if len(parts) > 3:
        raise ValueError(f"`{name}` has {len(parts)} parts; expected images, labels and weights.")
    images, labels, weights = (*parts, None, None)[:3]
    if len(parts) > 1 and (isinstance(images, Split) or stream_kind(images) is not None):
        kind = type(images).__name__
        raise ValueError(
            f"`{name}` is a tuple of {kind} and {type(labels).__name__}; expected (images, labels). A {kind} has its "
            "own labels: pass it alone."
        )
    given = opened(images, converter, name, count=(*shape_of(labels), 0)[0])
    return given._replace(labels=labels, weights=weights, class_names=class_names)


def class_names_in(x: Any) -> tuple[str, ...] | None:
    """Return the class names that images bring: a `Split`, or a data set of Hugging Face or torchvision."""
    if isinstance(x, Split):
        return x.class_names
    features = getattr(x, "features", None)
    labels = next((features[key] for key in LABELS if key in features), None) if isinstance(features, Mapping) else None
    names = getattr(labels, "names", None) or getattr(x, "classes", None)
    is_names = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(names) if names and is_names else None


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
    """Read images that fit into memory: everything that `predict` takes but a stream; errors as there."""
    return in_memory(opened(x, converter, name), name, on_error)


def in_memory(given: Given, name: str, on_error: OnError = "raise") -> Images:
    """Return images that are there at once; photographs among them are read."""
    if isinstance(given.images, Stream):
        raise TypeError(f"`{name}` is a {given.images.kind}; expected images in memory, or photographs.")
    return _read(given.images, given.converter, on_error) if isinstance(given.images, Items) else Images(given.images)


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
    given = x if isinstance(x, Stream) else opened(x, converter, name).images
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
        images = parts_of(element, stream, shape)[0]
        is_single = is_single_image(images, shape)
        if is_single:
            singles.append(images)
        if len(singles) == batch_size or (singles and not is_single):
            yield together()
            given, singles = given + len(singles), []
        if not is_single:
            batch = opened(images, converter, stream.name).images
            if isinstance(batch, Stream):
                raise TypeError(f"`{stream.name}` gives {batch.kind}s; expected images or batches of them.")
            given += len(batch.items) if isinstance(batch, Items) else len(batch)
            yield batch
    if singles:
        yield together()
    stream.end_epoch()


class Classified(NamedTuple):
    """Probabilities `(n, num_classes)`, the names of the files, the doubts about each image, and the first images."""

    probabilities: FloatArray
    names: tuple[str, ...] | None
    doubts: tuple[Doubts, ...]
    first_images: ImageArray


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
) -> Classified:
    """Return the probabilities of what `predict` was given.

    Args:
        x: Images, photographs or a stream: its images are not kept, only their probabilities.
        compute: Computes probabilities.
        converter: How photographs are read.
        threshold: The unfamiliarity above which a photograph is doubtful; None if it is not known.
        on_error: Whether to raise an error for photographs that cannot be read, or to skip them.
        batch_size: Single images of a stream that are read at a time.

    Warns:
        DoubtfulImageWarning: If there are doubts about any of them, once.
    """
    if on_error != "raise":
        check_on_error(on_error)
    if type(x) is not np.ndarray and stream_kind(x) == "iterator":
        x = _listed_photographs(x, converter.image_shape)
    given, bright_on_black = opened(x, converter).images, converter.find_garment
    if isinstance(given, Stream):
        given.check_end()
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
    return Classified(probabilities, given.names, doubts, given.images[:SHOWN])


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
        parts[0].first_images,
    )

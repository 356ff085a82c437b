"""An input of any size, read in parts."""

import os
from collections.abc import Iterator
from typing import Any

from fashionclf._images import check_images
from fashionclf._streams import Stream, holds_one_image, images_of, stream_kind
from fashionclf._validation import check_path
from fashionclf.datasets import Split
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._many import OnError, check_on_error
from fashionclf.photographs._reading import file_name, is_folder
from fashionclf.photographs._sources import InputImages, is_source, read_list


def read_parts(x: Any, batch_size: int, on_error: OnError) -> Iterator[tuple[int, InputImages]]:
    """Read an input in parts, each with the position of its first image."""
    check_on_error(on_error)
    position, empty = 0, True
    for items in _parts(x, batch_size):
        given = InputImages(items)
        if isinstance(items, list) and any(map(is_source, items)):
            names = [file_name(item) or f"x[{position + i}]" for i, item in enumerate(items)]
            given = read_list(items, names, on_error, part=True)
        if len(given.images):
            empty = False
            yield position, given
        position += len(items)
    if empty:
        raise ValueError("`x` gives no image; expected at least one that can be read.")


def _parts(x: Any, batch_size: int) -> Iterator[Any]:
    """Give the parts of an input: arrays of images, or lists of single images and photographs."""
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, "x")):
        x, _ = photographs_in(folder)
    elif is_source(x):
        x = [x]
    elif stream_kind(x) is not None:
        yield from _parts_of_stream(Stream(x, "x"), batch_size)
        return
    if isinstance(x, Split) or not isinstance(x, list | tuple) or not any(map(is_source, x)):
        images: Any = x.images if isinstance(x, Split) else x
        x = check_images(images)
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        yield list(part) if isinstance(part, tuple) else part


def _parts_of_stream(stream: Stream, batch_size: int) -> Iterator[Any]:
    """Give the batches of a stream as they are, and single images or photographs `batch_size` at a time."""
    singles: list[Any] = []
    stream.begin_epoch()
    for element in stream.elements():
        images = images_of(element, stream.name)
        is_single = is_source(images) or holds_one_image(images)
        if is_single:
            singles.append(images)
        if len(singles) == batch_size or (singles and not is_single):
            yield singles
            singles = []
        if not is_single:
            yield check_images(images)
    if singles:
        yield singles
    stream.end_epoch()

"""Photographs among images: files, folders, arrays in colour."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from fashionclf._converter import ImageConverter
from fashionclf._doubts import Doubts
from fashionclf.photographs._many import OnError, read_many
from fashionclf.photographs._reading import is_pil_image


class InputImages(NamedTuple):
    """Images, the names of the files that they come from, and the doubts about them.

    `names` is None if they do not come from files. `doubts` is None if none was read as a photograph; in it, None is
    for an image that was not.
    """

    images: Any
    names: tuple[str, ...] | None = None
    doubts: tuple[Doubts | None, ...] | None = None


def read_list(
    items: Sequence[Any], names: Sequence[str], on_error: OnError, *, others: int = 0, part: bool = False
) -> InputImages:
    """Read the photographs among some images; of a part of a stream all may be skipped.

    `others` is the number of files beside them that are no images.
    """
    places = [i for i, item in enumerate(items) if is_source(item)]
    sources = [items[i] for i in places]
    results = read_many(sources, [names[i] for i in places], on_error, ImageConverter(), others=others, part=part)
    read = dict(zip(places, results, strict=True))
    kept = [i for i in range(len(items)) if read.get(i, i) is not None]
    found = [read.get(i) for i in kept]
    images = [items[i] if each is None else each.image for i, each in zip(kept, found, strict=True)]
    doubts = tuple(None if each is None else each.doubts for each in found)
    return InputImages(images, tuple(names[i] for i in kept), doubts)


def is_source(x: object) -> bool:
    """Tell whether `x` must be read as a photograph: a file, or an array in colour."""
    if isinstance(x, str | os.PathLike | bytes | bytearray) or is_pil_image(x) or hasattr(x, "read"):
        return True
    shape = tuple(getattr(x, "shape", ()))
    return len(shape) == 3 and shape[2] in (3, 4) and hasattr(x, "__array__")

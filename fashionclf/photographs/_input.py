"""What `predict` may be given: images, photographs, folders, splits."""

import os
from typing import Any, NamedTuple

import numpy as np

from fashionclf._types import PredictLike
from fashionclf._validation import check_path
from fashionclf.datasets import Split
from fashionclf.photographs._doubts import Doubts, doubts_of, warn_of_doubts
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._reading import file_name, is_folder, is_pil_image
from fashionclf.photographs._steps import preprocessing_steps
from fashionclf.preprocessing import prepare_images


class InputImages(NamedTuple):
    """Images, the names of the files that they come from, and the doubts about them.

    `names` is None if they do not come from files. `doubts` is None if none was read as a photograph; in it, None is
    for an image that was not.
    """

    images: Any
    names: tuple[str, ...] | None = None
    doubts: tuple[Doubts | None, ...] | None = None


def read_input(x: Any, name: str = "x") -> InputImages:
    """Read the photographs in the input of `predict`; anything else is returned unchanged.

    Args:
        x: A path, a PIL image, a binary file object or an array `(h, w, 3)` or `(h, w, 4)`; a list or tuple in which
            any of these occur, beside arrays as well; the path of a folder; or images in any form that
            `prepare_images` takes.
        name: Of the argument, for error messages.

    Returns:
        `Images`. What was read is uint8 `(n, 28, 28)`, or a list of single images if there were arrays among the
        files. The images of a folder come in natural order, named by their file names.

    Raises:
        ValueError: As `load_image`, or if a folder has no images.
        TypeError: As `load_image`.
        FileNotFoundError: As `load_image`.
        ImportError: As `load_image`.
    """
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, name)):
        files = photographs_in(folder)
        steps = [preprocessing_steps(file) for file in files]
        folder_images = np.stack([each.image for each in steps])
        return InputImages(folder_images, tuple(file.name for file in files), tuple(each.doubts for each in steps))
    if _is_source(x):
        file, one = file_name(x), preprocessing_steps(x)
        return InputImages(one.image[np.newaxis], None if file is None else (file,), (one.doubts,))
    if not isinstance(x, list | tuple) or not any(_is_source(item) for item in x):
        return InputImages(x)
    names = tuple(file_name(item) or f"{name}[{i}]" for i, item in enumerate(x))
    read = [preprocessing_steps(item) if _is_source(item) else None for item in x]
    images = [item if each is None else each.image for item, each in zip(x, read, strict=True)]
    return InputImages(images, names, tuple(None if each is None else each.doubts for each in read))


def _is_source(x: object) -> bool:
    """Tell whether `x` must be read as a photograph: a file, or an array in colour."""
    if isinstance(x, str | os.PathLike | bytes | bytearray) or is_pil_image(x) or hasattr(x, "read"):
        return True
    shape = tuple(getattr(x, "shape", ()))
    return len(shape) == 3 and shape[2] in (3, 4) and hasattr(x, "__array__")


def prepare_input(x: PredictLike | Split) -> tuple[InputImages, tuple[Doubts, ...]]:
    """Return the input of `predict` as checked images with the names of their files, and the doubts about each.

    Warns:
        DoubtfulImageWarning: If there are doubts about any of them, once.
    """
    given = InputImages(x.images) if isinstance(x, Split) else read_input(x)
    images = prepare_images(given.images)
    doubts = doubts_of(images)
    if given.doubts is not None:  # a photograph was already examined at its full size
        doubts = tuple(own if read is None else read for own, read in zip(doubts, given.doubts, strict=True))
    warn_of_doubts(doubts, given.names)
    return InputImages(images, given.names), doubts

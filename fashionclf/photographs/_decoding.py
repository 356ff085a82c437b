"""From an image that pillow has opened to a working copy: upright and small, in RGB or RGBA."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._warnings import ignored

if TYPE_CHECKING:
    from PIL import Image

# Pillow knows many more, some of which run other programs (EPS calls Ghostscript): not for files from anywhere.
SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"),  # an MPO begins with a JPEG: the first of its images
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_EXPECTED: Final = f"an image ({', '.join(SUFFIXES)})"
# Pixels of a working copy's longest edge. At 512, a garment as long as a twentieth of the frame still has the 28 pixels
# that it needs, and every step takes milliseconds. At the most, a copy in colour takes 48 MiB.
_LEAST, _MOST = 512, 4096
_BAND: Final = 2**20  # pixels of a large image that are converted at a time
_ORIENTATION: Final = 0x0112  # in EXIF


def working_size(converter: ImageConverter) -> int:
    """Return the pixels that the longest edge of a working copy needs, the shortest if it is cropped."""
    longest = max(converter.image_shape[:2])
    return max(_LEAST, longest, min(2 * longest, _MOST))


def unreadable(error: OSError, name: str) -> OSError:
    """Return a system error as a documented one: an `OSError` or a `PermissionError` of one sentence."""
    kind = PermissionError if isinstance(error, PermissionError) else OSError
    sentence = kind(f"{name} cannot be read: {error.strerror}. Check its permissions, and the disk that it is on.")
    sentence.errno = error.errno
    return sentence


@contextlib.contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Turn pillow's many exceptions for damaged files into errors that name the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large to be read safely: {error} Make it smaller.") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is empty or not {_EXPECTED}. Save or export it as one of these.") from error
    except MemoryError as error:
        raise ValueError(f"{name} needs more memory than there is. Make it smaller.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # of the disk, not of pillow
            raise unreadable(error, name) from error
        raise ValueError(f"{name} is damaged or truncated, expected {_EXPECTED}: {error}") from error


def decode(image: "Image.Image", name: str, converter: ImageConverter) -> "Image.Image":
    """Turn an image that pillow has opened, or the caller's own, into a working copy in RGB or RGBA."""
    from PIL import Image, ImageOps

    if not (image.width and image.height):
        raise ValueError(f"{name} has {image.width} x {image.height} pixels, expected at least 1 x 1.")
    size = working_size(converter)
    if converter.crop_to_aspect_ratio:
        size = max(size, min(size * max(image.size) // min(image.size), _MOST))
    with clear_errors(name):
        image.load()
        with ignored(Warning, module=r"PIL\."):  # of EXIF data that are damaged
            orientation = image.getexif().get(_ORIENTATION)
    top = _top_of(image, name) if image.mode in ("F", "I") or image.mode.startswith("I;16") else None
    with clear_errors(name):
        working = _shrunk(image, top, size)
        working.info.clear()
        working.getexif()[_ORIENTATION] = orientation
        ImageOps.exif_transpose(working, in_place=True)
        working.thumbnail((size, size), Image.Resampling.BOX)
    if working.mode == "RGBA" and working.getchannel("A").getextrema() == (255, 255):
        return working.convert("RGB")
    return working


def _shrunk(image: "Image.Image", top: int | None, size: int) -> "Image.Image":
    """Return an image in colours. A large one is reduced in bands, so that memory holds it only once."""
    from PIL import Image

    longest = max(image.size)
    factor = longest // (2 * size)  # as far as `thumbnail` reduces before it resizes
    if factor < 2:
        return _to_colours(image, top)
    reduced = [_to_colours(band, top).reduce(factor) for band in _bands(image, factor)]
    whole = Image.new(reduced[0].mode, (reduced[0].width, sum(band.height for band in reduced)))
    row = 0
    for band in reduced:
        whole.paste(band, (0, row))
        row += band.height
    width, height = (max(1, round(edge * size / longest)) for edge in image.size)
    box = (0, 0, image.width / factor, image.height / factor)  # the last pixels may stand for less than `factor`
    return whole.resize((width, height), Image.Resampling.BOX, box)


def _to_colours(image: "Image.Image", top: int | None) -> "Image.Image":
    """Return a copy in RGB, or in RGBA if it may be transparent; `top` is white if it has more than 8 bits."""
    from PIL import Image

    if top is not None:
        return Image.fromarray(np.rint(np.asarray(image, np.float32) * (255 / top)).astype(np.uint8)).convert("RGB")
    if image.mode in ("La", "RGBa"):  # premultiplied; pillow turns them into nothing but their plain forms
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    transparent = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _top_of(image: "Image.Image", name: str) -> int:
    """Return the value that is white in an image of more than 8 bits.

    16-bit files hold 0..65535, which pillow may widen to mode I; mode F holds 0..255 by pillow's custom, [0, 1] by
    that of scientific files.
    """
    extremes = [(values.min(), values.max()) for values in map(np.asarray, _bands(image))]
    low, high = np.min(extremes), np.max(extremes)
    top = 1 if image.mode == "F" and high <= 1 else 255 if image.mode == "F" or high <= 255 else 65535
    if not (low >= 0 and high <= top):  # also catches NaN
        expected = "[0, 1] or 0..255" if image.mode == "F" else "0..65535"
        raise ValueError(
            f"{name} (colour mode {image.mode!r}) holds values from {low:g} to {high:g}, expected {expected}."
        )
    return top


def _bands(image: "Image.Image", factor: int = 1) -> "Iterator[Image.Image]":
    """Give an image in bands of whole rows, `factor` or a multiple of it at a time."""
    rows = max(1, _BAND // (image.width * factor)) * factor
    for start in range(0, image.height, rows):
        yield image.crop((0, start, image.width, min(start + rows, image.height)))

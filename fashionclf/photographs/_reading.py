"""Reading photographs: from a file, a PIL image or an array to colours and opacity."""

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

import numpy as np

from fashionclf._images import as_numeric_array, check_pixels
from fashionclf._types import FloatArray, PhotographLike
from fashionclf._validation import check_path
from fashionclf._warnings import ignored

if TYPE_CHECKING:
    from PIL import Image

# Pillow knows many more, some of which run other programs (EPS calls Ghostscript): not for files from anywhere.
SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif"),
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_PLUGINS: Final = {
    "AVIF": "run `pip install 'pillow>=11.3'`",
    "HEIF": "run `pip install pillow-heif` and call `pillow_heif.register_heif_opener()`",
}
# The brands in the first bytes of their files.
_BRANDS: Final = {
    (b"avif", b"avis"): "AVIF",
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"): "HEIF",
}
_EXPECTED_FILE: Final = f"an image ({', '.join(SUFFIXES)})"
_EXPECTED_SHAPE: Final = "(h, w) or (h, w, 1) for grey, (h, w, 3) for colour, (h, w, 4) with transparency"

# A garment as long as a twentieth of the frame still has the 28 pixels it needs, and every step takes milliseconds.
WORKING_SIZE: Final = 512


class RawImage(NamedTuple):
    """An image as it is worked on, its longest edge at most `WORKING_SIZE` pixels.

    `colours` is float32 `(h, w, 3)` from 0 to 255; `opacity` is float32 `(h, w)` in [0, 1], or None if all is opaque.
    """

    colours: FloatArray
    opacity: FloatArray | None


def read_photograph(source: PhotographLike) -> RawImage:
    """Read one image of any size and colour mode, upright, made smaller if it is large.

    The source is left as it is: files that were opened here are closed, a file object is read from its start.

    Raises:
        ValueError: If it is not an image, is damaged, empty or too large, or its values are out of range.
        TypeError: If it is none of the things that can hold an image.
        FileNotFoundError: If there is no such file.
        ImportError: If pillow or OpenCV is missing.
    """
    _check_packages()
    if is_pil_image(source):
        return _decode(source, name_of(source))
    if isinstance(source, bytes | bytearray | memoryview):
        raise TypeError("Received bytes, expected a path or a file object. Wrap them: `io.BytesIO(content)`.")
    if isinstance(source, str | os.PathLike):
        return _read_path(check_path(source, "source"))
    if hasattr(source, "read"):
        return _read_file(source, name_of(source))
    if hasattr(source, "__array__"):
        return _decode(_image_of_array(source), name_of(source))
    raise TypeError(
        f"Expected one image: a path, a binary file object, a PIL image or an array. Received: {type(source).__name__}."
    )


def file_name(source: PhotographLike) -> str | None:
    """Return the name of the file that an image comes from, or None if it is unknown."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    name = getattr(source, "filename", None) or getattr(source, "name", None)  # of a PIL image, of an open file
    return name if isinstance(name, str) else None


def name_of(source: PhotographLike) -> str:
    """Return what to call an image in a message."""
    if (name := file_name(source)) is not None:
        return repr(name)
    return f"the {'PIL image' if is_pil_image(source) else 'array' if hasattr(source, '__array__') else 'file object'}"


def is_pil_image(value: object) -> "TypeGuard[Image.Image]":
    """Say whether a value is a PIL image, without importing pillow: if there is one, pillow has been imported."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _check_packages() -> None:
    packages = {"PIL": "pillow", "cv2": "OpenCV"}
    missing = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(f"Reading images needs {' and '.join(missing)}: run `pip install 'fashionclf[images]'`.")


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder; one that cannot be, such as the content of a file, is refused."""
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"{str(path)[:60]!r} is not a possible path: {reason}. Pass the content of a file as `io.BytesIO(content)`."
        ) from error


def _read_path(path: Path) -> RawImage:
    if is_folder(path):
        raise ValueError(f"{str(path)!r} is a folder, expected one image. Pass the path of a file in it.")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image {str(path)!r} (working folder: {str(Path.cwd())!r}).") from None
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not a possible path: {error}") from error
    with file:
        return _read_file(file, repr(str(path)))


def _read_file(file: Any, name: str) -> RawImage:
    from PIL import Image

    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name} is opened as text, expected a binary file object. Open it with mode 'rb'.")
    formats = _formats_of(file, name)
    with _clear_errors(name):
        with ignored(Image.DecompressionBombWarning):  # only the header is read here
            image = Image.open(file, formats=formats)
        # Lets a JPEG decoder skip most of the work on a large photograph; other formats ignore it.
        image.draft(None, (WORKING_SIZE, WORKING_SIZE))
    # Pillow's bound, 89 million unless the caller has changed it. A JPEG counts by the size to which it is decoded.
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise ValueError(
            f"{name} is too large to be read safely: {pixels:,} pixels, expected at most {limit:,}. Make it smaller, "
            "or raise `PIL.Image.MAX_IMAGE_PIXELS` if you trust it."
        )
    return _decode(image, name)


def _formats_of(file: Any, name: str) -> list[str]:
    """Return the formats to try, by pillow's names. AVIF and HEIF need a newer pillow or a plug-in."""
    from PIL import Image

    try:
        file.seek(0)
        header = bytes(file.read(12))
        file.seek(0)
    except (AttributeError, OSError, TypeError, ValueError):  # pillow itself says what is wrong
        header = b""
    needed = next((kind for brands, kind in _BRANDS.items() if header[4:8] == b"ftyp" and header[8:12] in brands), None)
    if needed is None:
        return [kind for kind in SUFFIXES if kind not in _PLUGINS]
    Image.init()  # loads the plug-ins that pillow has itself
    if needed not in Image.OPEN:
        raise ValueError(
            f"{name} is an {needed} image, which this pillow cannot read: {_PLUGINS[needed]}, or save it as JPEG."
        )
    return [needed]


@contextlib.contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """Say what is wrong with a file; pillow has a dozen kinds of exception for bytes that are not an image's."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large to be read safely: {error} Make it smaller.") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is empty or not {_EXPECTED_FILE}. Save or export it as one of these.") from error
    except Exception as error:
        raise ValueError(f"{name} is damaged or truncated, expected {_EXPECTED_FILE}: {error}") from error


def _decode(image: "Image.Image", name: str) -> RawImage:
    """Turn an image that pillow has opened, or the caller's own, into a working copy."""
    from PIL import Image, ImageOps

    if not (image.width and image.height):
        raise ValueError(f"{name} has {image.width} x {image.height} pixels, expected at least 1 x 1.")
    with _clear_errors(name):
        upright = ImageOps.exif_transpose(image)  # a copy, fully loaded
        deep = upright.mode in ("F", "I") or upright.mode.startswith("I;16")
        working = upright if deep else _to_colours(upright)
    if deep:
        working = _from_deep(np.asarray(upright, np.float32), upright.mode, name)
    working.thumbnail((WORKING_SIZE, WORKING_SIZE), Image.Resampling.BOX)
    pixels = np.asarray(working, np.float32)
    if working.mode == "RGB" or pixels[..., 3].min() == 255:
        return RawImage(pixels[..., :3], None)
    return RawImage(pixels[..., :3], pixels[..., 3] / np.float32(255))


def _to_colours(image: "Image.Image") -> "Image.Image":
    """Return an image of at most 8 bits as RGB, or as RGBA where some pixels may be transparent."""
    if image.mode in ("La", "RGBa"):  # premultiplied; pillow turns them into nothing but their plain forms
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    transparent = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _from_deep(values: FloatArray, mode: str, name: str) -> "Image.Image":
    """Return grey values of more than 8 bits as RGB.

    16-bit files hold 0..65535, which pillow may widen to mode I; mode F holds 0..255 by pillow's custom, [0, 1] by
    that of scientific files.
    """
    from PIL import Image

    low, high = values.min(), values.max()
    top = 1 if mode == "F" and high <= 1 else 255 if mode == "F" or high <= 255 else 65535
    if not (low >= 0 and high <= top):  # also catches NaN
        expected = "[0, 1] or 0..255" if mode == "F" else "0..65535"
        raise ValueError(f"{name} (colour mode {mode!r}) holds values from {low:g} to {high:g}, expected {expected}.")
    return Image.fromarray(np.rint(values * (255 / top)).astype(np.uint8)).convert("RGB")


def _image_of_array(source: Any) -> "Image.Image":
    from PIL import Image

    array = as_numeric_array(source, "source")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise ValueError(f"The array has shape {array.shape}, expected one image: {_EXPECTED_SHAPE}.")
    if not array.size:
        raise ValueError(f"The array is empty: received shape {array.shape}, expected at least one pixel.")
    pixels = check_pixels(array, "source")
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels))

"""Reading photographs: from a file, a PIL image or an array to a working copy."""

import contextlib
import io
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import as_numeric_array, check_pixels
from fashionclf._types import PhotographLike
from fashionclf._validation import check_path, check_regular_file
from fashionclf._warnings import ignored
from fashionclf.photographs._decoding import SUFFIXES, clear_errors, decode, unreadable, working_size
from fashionclf.photographs._memory import BUDGET, LARGE, LIMIT, memory_of

if TYPE_CHECKING:
    from PIL import Image

_PLUGINS: Final = {
    "AVIF": "run `pip install 'pillow>=11.3'`",
    "HEIF": "run `pip install pillow-heif` and call `pillow_heif.register_heif_opener()`",
}
# The brands in the first bytes of their files.
_BRANDS: Final = {
    (b"avif", b"avis"): "AVIF",
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"): "HEIF",
}
_EXPECTED_SHAPE: Final = "(h, w) or (h, w, 1) for grey, (h, w, 3) for colour, (h, w, 4) with transparency"
_IMPORTING = threading.Lock()


def read_photograph(source: PhotographLike, converter: ImageConverter) -> "Image.Image":
    """Read one image, upright, in RGB or RGBA, made smaller if it is large. Errors are those of `load_image`."""
    import_packages(converter)
    if is_pil_image(source):
        return decode(source, name_of(source), converter)
    if isinstance(source, bytes | bytearray | memoryview):
        raise TypeError("Received bytes, expected a path or a file object. Wrap them: `io.BytesIO(content)`.")
    if isinstance(source, str | os.PathLike):
        return _read_path(check_path(source, "source"), converter)
    if hasattr(source, "read"):
        return _read_file(source, name_of(source), converter)
    if hasattr(source, "__array__"):
        return decode(_image_of_array(source), name_of(source), converter)
    raise TypeError(
        f"Expected one image: a path, a binary file object, a PIL image or an array. Received: {type(source).__name__}."
    )


def import_packages(converter: ImageConverter) -> None:
    """Import pillow, and OpenCV to find garments, before threads need them: no thread sees a partial module."""
    missing = []
    with _IMPORTING:
        try:
            from PIL import Image, ImageOps  # noqa: F401
        except ModuleNotFoundError:
            missing.append("pillow")
        try:
            if converter.find_garment:
                import cv2  # noqa: F401
        except ModuleNotFoundError:
            missing.append("OpenCV")
    if missing:
        names = " and ".join(missing)
        raise ImportError(f'Reading images needs {names}: run `pip install "fashionclf[images]"`.')


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
    """Tell whether a value is a PIL image, without importing pillow, which another thread may be doing."""
    return isinstance(value, getattr(sys.modules.get("PIL.Image"), "Image", ()))


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; False if the system does not say."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


def _read_path(path: Path, converter: ImageConverter) -> "Image.Image":
    name = repr(str(path))
    try:
        check_regular_file(path, "one image")
        file = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no image {name} (working folder: {str(Path.cwd())!r}).") from None
    except OSError as error:
        raise unreadable(error, name) from error
    with file:
        return _read_file(file, name, converter)


def _read_file(file: Any, name: str, converter: ImageConverter) -> "Image.Image":
    from PIL import Image

    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name} is opened as text, expected a binary file object. Open it with mode 'rb'.")
    with clear_errors(name):
        if hasattr(file, "seekable") and not file.seekable():
            file = io.BytesIO(file.read(LIMIT + 1))
    formats, file_size = _formats_of(file, name)
    if file_size > LIMIT:
        raise ValueError(f"{name} is too large to be read safely: {file_size:,} bytes, expected at most {LIMIT:,}.")
    with clear_errors(name):
        with ignored(Warning, module=r"PIL\."):  # only the header is read here
            image = Image.open(file, formats=formats)
        size = image.size
        # Lets a JPEG decoder skip most of the work on a large photograph; other formats ignore it.
        longest = working_size(converter)
        image.draft(None, (longest, longest))
        needed = memory_of(image, size[0] * size[1], file_size)
    # Pillow's bound, 89 million unless the caller has changed it. A JPEG counts by the size to which it is decoded.
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise ValueError(
            f"{name} is too large to be read safely: {pixels:,} pixels, expected at most {limit:,}. Make it smaller, "
            "or raise `PIL.Image.MAX_IMAGE_PIXELS` if you trust it."
        )
    if needed > LIMIT:
        raise ValueError(
            f"{name} is too large to be read safely: {size[0]:,} x {size[1]:,} pixels take {needed:,} bytes of memory "
            f"in this format, expected at most {LIMIT:,}. Make it smaller, or open it with pillow if you trust it."
        )
    with BUDGET.reserved(needed):
        if needed < LARGE:
            return decode(image, name, converter)
        # The C library keeps what a thread has freed for that thread; one that ends leaves it to the next.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(decode, image, name, converter).result()


def _formats_of(file: Any, name: str) -> tuple[list[str], int]:
    """Return the formats to try, by pillow's names, and the size of the file. AVIF and HEIF need newer packages."""
    from PIL import Image

    header, size = b"", 0
    with contextlib.suppress(AttributeError, OSError, TypeError, ValueError):  # pillow itself says what is wrong
        file.seek(0, os.SEEK_END)
        size = int(file.tell())
        file.seek(0)
        header = bytes(file.read(12))
        file.seek(0)
    needed = next((kind for brands, kind in _BRANDS.items() if header[4:8] == b"ftyp" and header[8:12] in brands), None)
    if needed is None:
        return [kind for kind in SUFFIXES if kind not in _PLUGINS], size
    Image.init()  # loads the plug-ins that pillow has itself
    if needed not in Image.OPEN:
        raise ValueError(
            f"{name} is an {needed} image, which this pillow cannot read: {_PLUGINS[needed]}, or save it as JPEG."
        )
    return [needed], size


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

"""Reading photographs: from a file, a PIL image or an array to a working copy."""

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import as_numeric_array, check_pixels
from fashionclf._types import PhotographLike
from fashionclf._validation import check_path, check_regular_file
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

# Bytes. A PNG with as many pixels as pillow allows takes 360 million, a HEIC of 48 megapixels 480 million.
LIMIT: Final = 2**29
# Bytes that images take together if several are decoded at once.
SHARED: Final = 2**28
LARGE: Final = 2**26  # bytes from which an image is decoded in a thread of its own
# Bytes for each pixel that pillow's images take; 4 if their mode is not named.
_MODES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# Bytes for each pixel that a decoder takes beside them, measured with photographs. These also read the whole file.
_DECODERS: Final = {"AVIF": 6, "BMP": 2, "HEIF": 6, "WEBP": 12}


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


# -- from an opened image to a working copy ---------------------------------------------------------


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


# -- the memory that decoding takes ---------------------------------------------------------------


def memory_of(image: "Image.Image", pixels: int, file_size: int) -> int:
    """Return about how many bytes decoding takes. An image had `pixels` before `draft`."""
    needed = image.width * image.height * _MODES.get(image.mode, 4)
    if image.format in ("JPEG", "MPO"):
        return needed + _coefficients(image, pixels)
    if image.format == "TIFF":
        return needed + _strip(image)
    if image.format in _DECODERS:
        needed += image.width * image.height * _DECODERS[image.format] + file_size
    return needed


def _coefficients(image: Any, pixels: int) -> int:
    """Return the bytes of a JPEG's coefficients, 16 bits each: all are kept in memory if it is progressive."""
    if not image.info.get("progressive"):
        return 0
    sampling = [across * down for _, across, down, _ in image.layer]
    return int(2 * pixels * sum(sampling) // max(sampling))


def _strip(image: Any) -> int:
    """Return the bytes of one strip or tile of a TIFF, which may be larger than the image."""
    tags = image.tag_v2
    width, height = tags.get(322, image.width), tags.get(323, min(tags.get(278, image.height), image.height))
    samples, bits = tags.get(277, 1), tags.get(258, 8)
    each = max(bits if isinstance(bits, tuple) else (bits,)) * max(samples, 4 if tags.get(262) == 6 else 1)
    return int(width * height * each) // 8


class _Budget:
    """Memory that all threads of a process share, first come, first served."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._used = 0

    @contextlib.contextmanager
    def reserved(self, amount: int) -> Iterator[None]:
        """Take `amount` bytes as soon as they are free, or no others are taken."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + amount <= SHARED)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()


BUDGET: Final = _Budget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BUDGET.begin)  # the threads that had taken some do not exist there

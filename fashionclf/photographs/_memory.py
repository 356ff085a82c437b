"""The memory that decoding takes: an estimate for an image file, and a limit for all files that are decoded at once."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL import Image

# Bytes. A PNG with as many pixels as pillow allows takes 360 million, a HEIC of 48 megapixels 480 million.
LIMIT: Final = 2**29
# Bytes that images take together if several are decoded at once.
SHARED: Final = 2**28
LARGE: Final = 2**26  # bytes from which an image is decoded in a thread of its own
# Bytes for each pixel that pillow's images take; 4 if their mode is not named.
_MODES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# Bytes for each pixel that a decoder takes beside them, measured with photographs. These also read the whole file.
_DECODERS: Final = {"AVIF": 6, "BMP": 2, "HEIF": 6, "WEBP": 12}


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
    """Return the bytes of a JPEG's coefficients, 16 bits each: all are kept in memory if there are several scans."""
    if not image.info.get("progressive") and _first_scan(image.fp) == len(image.layer):
        return 0
    sampling = [across * down for _, across, down, _ in image.layer]
    return int(2 * pixels * sum(sampling) // max(sampling))


def _first_scan(file: Any) -> int:
    """Return the number of colour components in the first scan of a JPEG, 0 if its segments cannot be read."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and 0xC0 <= head[1] < 0xFF:
        if 0xD0 <= head[1] <= 0xD9:  # without a length
            break
        if head[1] == 0xDA:
            return int.from_bytes(file.read(1), "big")
        file.seek(int.from_bytes(head[2:], "big") - 2, os.SEEK_CUR)
    return 0


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

"""Find a garment on wood, carpet, a patterned sheet: with a small network and OpenCV's GrabCut. Masks of garments.

A mask is bool `(h, w)`, True where the garment is.
"""

import functools
import hashlib
import threading
from importlib.resources import files
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, UInt8Array

NETWORK: Final = "garment_finder.onnx"  # written by `examples/garment_finder.py`, and beside it its `.sha256`
SIDE: Final = 96  # of the square to which a photograph is stretched for the network
# Longest edge at which GrabCut models the colours: time grows with the area.
_SIZE: Final = 192
# Where the network is surer than this, GrabCut does not decide.
_SURE: Final = 0.9
# If the two agree on less than this share of what either found, the garment is not clear. Of 651 held-out photographs
# this holds for 7, of which 2 are predicted correctly.
_AGREED: Final = 0.75

Box: TypeAlias = tuple[int, int, int, int]
"""`(left, top, right, bottom)` in pixels, the last two exclusive."""

# Another connected part belongs to the garment (a second shoe) if it has this share of the largest one's area.
_PART: Final = 0.25
# Width, as a share of the longest edge, below which something is a line and no part of a garment.
_LINE: Final = 1 / 60
_STROKES: Final = 20  # parts that a sketch has at most; a dithered image has thousands

_loaded = threading.local()  # OpenCV's networks keep their input: each thread needs its own


def find_garment(colours: FloatArray) -> tuple[FloatArray, bool]:
    """Return how far each pixel belongs to the garment, float32 `(h, w)` in [0, 1], and whether that is clear.

    A network sees only 96x96 pixels; GrabCut starts from what it found, and places the outline where neighbours differ.
    The mean of both is nearer to the truth than either. It is clear if both agree.
    """
    import cv2

    height, width, _ = colours.shape
    pixels = np.rint(colours).astype(np.uint8)
    coarse = _probability(pixels)
    scale = min(1, _SIZE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    fine = _cut(small, np.asarray(cv2.resize(coarse, size), np.float32))
    found = [np.asarray(cv2.resize(part, (width, height)), np.float32) for part in (coarse, fine.astype(np.float32))]
    one, other = (part > 0.5 for part in found)
    agreed = np.count_nonzero(one & other) >= _AGREED * np.count_nonzero(one | other)
    foreground = np.asarray((found[0] + found[1]) / 2, np.float32)
    inside = foreground > 0.5
    foreground[inside & ~main_parts(inside)] = 0  # specks
    return foreground, bool(agreed)


def _probability(pixels: UInt8Array) -> FloatArray:
    """Return the network's probability that a pixel belongs to the garment, float32 `(96, 96)`."""
    import cv2

    if not hasattr(_loaded, "network"):
        try:
            _loaded.network = cv2.dnn.readNetFromONNX(_weights())
        except (OSError, ValueError, cv2.error) as error:  # an error of the installation, not of the photograph
            raise ImportError(
                f"The network {NETWORK!r} of fashionclf is missing or damaged: {error}. Install it again: "
                "`pip install --force-reinstall --no-deps fashionclf`."
            ) from error
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    _loaded.network.setInput(cv2.dnn.blobFromImage(small, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
    return np.asarray(_loaded.network.forward()[0, 0], np.float32)


@functools.cache
def _weights() -> UInt8Array:
    """Return the content of the file. With one wrong bit, OpenCV finds another garment or crashes."""
    folder = files("fashionclf.photographs")
    content = folder.joinpath(NETWORK).read_bytes()
    if sha256_of(content) != folder.joinpath(f"{NETWORK}.sha256").read_bytes():
        raise ValueError("its sha256 is not the one that is published with it")
    return np.frombuffer(content, np.uint8)


def sha256_of(network: bytes) -> bytes:
    """Return the content of the file that is kept beside a network."""
    return f"{hashlib.sha256(network).hexdigest()}\n".encode()


def _cut(image: UInt8Array, probability: FloatArray) -> NDArray[np.bool_]:
    """Run one round of GrabCut from the network's probabilities."""
    import cv2

    labels: NDArray[Any] = np.where(probability > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[probability > _SURE] = cv2.GC_FGD
    labels[probability < 1 - _SURE] = cv2.GC_BGD
    background, garment = np.zeros((2, 1, 65))  # the models, filled by GrabCut
    cv2.setRNGSeed(0)  # its k-means starts at random; the generator belongs to the thread
    try:
        cv2.grabCut(image, labels, (0, 0, 0, 0), background, garment, 1, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all pixels are garment, or all are background
        return probability > 0.5
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


# -- masks ----------------------------------------------------------------------------------------


def main_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part of a mask and others of like size."""
    parts, areas = _parts(mask)
    if len(areas) == 1:
        return mask
    return np.isin(parts, [i for i in range(1, len(areas)) if areas[i] >= _PART * areas[1:].max()])


def _parts(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the number of the connected part of each pixel, 0 outside the mask, and the area of each part."""
    import cv2

    _, numbers, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return numbers, statistics[:, cv2.CC_STAT_AREA]


def without_lines(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove specks by a majority vote of the pixels around, and thin lines (the joints of tiles) by an opening.

    Lines stay if they are most of the mask, as in a sketch or in handwriting.
    """
    import cv2

    side = 2 * (max(mask.shape) // 200) + 1
    votes = cv2.blur(mask.astype(np.float32), (side, side), borderType=cv2.BORDER_REPLICATE) > 0.5
    width = 2 * round(_LINE * max(mask.shape) / 2) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    thick = cv2.morphologyEx(votes.astype(np.uint8), cv2.MORPH_OPEN, disk, borderType=cv2.BORDER_REPLICATE) > 0
    return np.asarray(thick if 2 * np.count_nonzero(thick) > np.count_nonzero(votes) else votes)


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Return the stroke width of a mask in pixels; infinity if it has many separate parts, such as dots."""
    import cv2

    if len(_parts(mask)[1]) > _STROKES:
        return np.inf
    distances = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)
    return 4 * float(distances[distances > 0].mean())  # in a line they go from 0 to half of its width


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

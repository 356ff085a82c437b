"""Find a garment on wood, carpet, a patterned sheet: with a small network and OpenCV's GrabCut."""

import functools
import hashlib
import threading
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, UInt8Array
from fashionclf.photographs._masks import main_parts

NETWORK: Final = "garment_finder.onnx"  # written by `examples/garment_finder.py`, and beside it its `.sha256`
SIDE: Final = 96  # of the square to which a photograph is stretched for the network
# Longest edge at which GrabCut models the colours: time grows with the area.
_SIZE: Final = 192
# Where the network is surer than this, GrabCut does not decide.
_SURE: Final = 0.9
# If the two agree on less than this share of what either found, the garment is not clear. Of 651 held-out photographs
# this holds for 7, of which 2 are predicted correctly.
_AGREED: Final = 0.75

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

"""Separate a garment from a textured background: wood, carpet, a patterned sheet. OpenCV's GrabCut."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, UInt8Array
from fashionclf.photographs._masks import without_specks

# Longest edge at which the colours are modelled: time grows with the area.
_SIZE: Final = 192

_ROUNDS: Final = 2  # at this size, more of them cost more and find no more

_FRAME: Final = 0.04  # share of the shorter edge that counts as background at first

_SEED: Final = 0.3  # of half the image: a disk in the middle that counts as garment where nothing else helps

# If less than this share of the image is left, only a print or a collar of the garment was found.
_COLLAPSED: Final = 0.1


def grab_cut(colours: FloatArray) -> tuple[NDArray[np.bool_], bool]:
    """Find what is in the middle and has other colours than the frame: Rother et al., "GrabCut", SIGGRAPH 2004.

    Two mixtures of five Gaussians model the colours of garment and background; a minimum cut places the outline where
    neighbours differ. Both are repeated. At first all but a narrow frame counts as garment. If the garment shares
    colours with the frame, it shrinks from round to round (in a few percent of photographs); then the first round is
    the best one, and if that fails too, the middle is held to be garment.

    Args:
        colours: float32 `(h, w, 3)`, 0..255.

    Returns:
        Bool `(h, w)`, empty if nothing differs from the frame; and whether the garment is clear: not smaller than a
        tenth of the image, and found without the last resort.
    """
    import cv2

    height, width, _ = colours.shape
    scale = min(1, _SIZE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(np.rint(colours).astype(np.uint8), size, interpolation=cv2.INTER_AREA), np.uint8)
    best = np.zeros((height, width), bool)
    for rounds, seeded in ((_ROUNDS, False), (1, False), (1, True)):
        found = _cut(small, rounds, seeded=seeded).astype(np.float32)
        mask = without_specks(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)
        best = max(best, mask, key=np.count_nonzero)
        if best.mean() >= _COLLAPSED:
            return best, not seeded
    return best, False


def _cut(image: UInt8Array, rounds: int, *, seeded: bool) -> NDArray[np.bool_]:
    """Run GrabCut from a frame of background, and a disk of garment in the middle if `seeded`."""
    import cv2

    labels = np.full(image.shape[:2], cv2.GC_PR_FGD, np.uint8)
    if seeded:
        down, across = (np.linspace(-1, 1, length) for length in image.shape[:2])
        labels[down[:, np.newaxis] ** 2 + across**2 < _SEED**2] = cv2.GC_FGD
    edge = max(1, round(_FRAME * min(labels.shape)))
    labels[:edge] = labels[-edge:] = cv2.GC_BGD
    labels[:, :edge] = labels[:, -edge:] = cv2.GC_BGD
    background, garment = np.zeros((2, 1, 65))  # the models, filled by GrabCut
    cv2.setRNGSeed(0)  # its k-means starts at random; the generator belongs to the thread
    try:
        cv2.grabCut(image, labels, (0, 0, 0, 0), background, garment, rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all pixels became background, or there is nothing but the frame
        return np.zeros(labels.shape, bool)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))

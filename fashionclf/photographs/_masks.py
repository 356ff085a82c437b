"""Masks of garments: bool `(h, w)`, True where the garment is."""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[int, int, int, int]
"""`(left, top, right, bottom)` in pixels, the last two exclusive."""

# Another connected part belongs to the garment (a second shoe) if it has this share of the largest one's area.
_PART: Final = 0.25
# Width, as a share of the longest edge, below which something is a line and no part of a garment.
_LINE: Final = 1 / 60
_STROKES: Final = 20  # parts that a sketch has at most; a dithered image has thousands


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

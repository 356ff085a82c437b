"""Images with one of the corruptions that classifiers are tested with."""

from typing import Any, Final

import numpy as np

from fashionclf._images import check_images, round_pixels, scale_pixels, without_channel
from fashionclf._text import shown
from fashionclf._types import ImagesLike, UInt8Array
from fashionclf._validation import check_choice, check_count, check_seed
from fashionclf.evaluation._distortions import DISTORTIONS

CORRUPTIONS: Final = tuple(DISTORTIONS)
SEVERITIES: Final = (1, 2, 3, 4, 5)


def corrupt(images: ImagesLike, corruption: str, severity: int = 3, *, seed: int | None = 0) -> UInt8Array:
    """Return images with one of the corruptions that classifiers are tested with.

    Needs OpenCV: `pip install 'fashionclf[images]'`.

    Args:
        images: Images in any form that `prepare_images` takes.
        corruption: One of `fashionclf.evaluation.CORRUPTIONS`: `"gaussian_noise"`, `"motion_blur"`, …
        severity: From 1 (slight) to 5 (strong).
        seed: From 0 to 2**32 - 1; the same seed gives the same changes. None draws fresh entropy.

    Returns:
        A uint8 array `(n, height, width, channels)`, 0..255.

    Raises:
        ValueError: If there is no such corruption, or a value is out of range.
        TypeError: If an argument has the wrong type.
        ImportError: If OpenCV is missing.

    Source:
        Hendrycks and Dietterich, arXiv:1903.12261, with the strengths of CIFAR-10-C; Mu and Gilmer, arXiv:1906.02337.

    Example:
        >>> import fashionclf as fc
        >>> images = fc.load_data("synthetic").test.images[:10]
        >>> corrupt(images, "gaussian_noise", severity=5).shape
        (10, 28, 28, 1)
    """
    change = DISTORTIONS[check_choice(corruption, "corruption", CORRUPTIONS)]
    level = check_severity(severity)
    rng = np.random.default_rng(check_seed(seed))
    checked = check_images(images)
    changed = change(without_channel(scale_pixels(checked)), level - 1, rng)
    return round_pixels(changed.clip(0, 1).astype(np.float32)).reshape(checked.shape)


def check_severity(severity: Any) -> int:
    """Return a severity if it is a whole number from 1 to 5."""
    level = check_count(severity, "severity")
    if level > SEVERITIES[-1]:
        raise ValueError(f"`severity` must be from 1 to {SEVERITIES[-1]}. Received: {shown(severity)}")
    return level

"""From images in any form to the arrays that a model takes: scaling, shapes, labels, splits.

All images are checked by one function (`check_images`) and scaled by one (`scale_pixels`), in training and in
inference. `prepare_images` is both.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import (
    IMAGE_SHAPE,
    as_numeric_array,
    check_image_shape,
    check_images,
    check_pixels,
    scale_pixels,
)
from fashionclf._text import advice, shown
from fashionclf._types import FloatArray, ImageArray, ImageShape, ImagesLike, IntArray, LabelsLike
from fashionclf._validation import (
    check_count,
    check_flag,
    check_groups,
    check_labels,
    check_number,
    check_seed,
    integer_labels,
)
from fashionclf._warnings import ignored


def prepare_images(images: ImagesLike, *, image_shape: ImageShape | None = None) -> FloatArray:
    """Return images in the form that every model takes: `(n, height, width, channels)`, float32 in [0, 1].

    Args:
        images: Integers 0..255 of any integer dtype, or floats in [0, 1]. One image of `image_shape`, as
            `(height, width, channels)`, as `(height, width)` in grey, or as one row of all its values; many with `n` in
            front, or as a list of single images, which may differ in form.
        image_shape: `(height, width, channels)` with 1 channel (grey) or 3 (red, green, blue). None takes that of the
            arrays. Rows of pixels, and a single image without channels, need it, unless they are as long as those of
            Fashion-MNIST.

    Returns:
        A float32 array `(n, height, width, channels)` in [0, 1]; `n` is 1 for a single image.

    Raises:
        ValueError: If the shape is none of these, the array is empty, holds NaN or infinity, integers
            outside 0..255 or floats outside [0, 1].
        TypeError: If the dtype is not an integer or a real float (bool, object, complex, text).

    Example:
        >>> import numpy as np
        >>> batch = prepare_images(np.full((2, 64, 48), 255, dtype="uint8"))
        >>> batch.shape, str(batch.dtype), float(batch.max())
        ((2, 64, 48, 1), 'float32', 1.0)
        >>> prepare_images(np.zeros((5, 64), dtype="uint8"), image_shape=(8, 8, 1)).shape
        (5, 8, 8, 1)
    """
    return scale_pixels(_checked(images, image_shape))


def scale(images: ImagesLike) -> FloatArray:
    """Scale integer pixels 0..255 to float32 in [0, 1]; floats, already in [0, 1], keep their values.

    Scaling twice is therefore harmless.

    Args:
        images: Integers 0..255 or floats in [0, 1], of any shape; or a list of single images of one shape.

    Returns:
        A float32 array in [0, 1] of the shape that was given.

    Raises:
        ValueError: If the array is empty, holds NaN or infinity, integers outside 0..255 or floats outside [0, 1].

    Example:
        >>> import numpy as np
        >>> scale(np.full((64, 48), 51, dtype="uint8"))[0, 0]
        np.float32(0.2)
    """
    return scale_pixels(_pixels(images))


def flatten(images: ImagesLike, *, image_shape: ImageShape | None = None) -> ImageArray:
    """Return images as rows of pixels: `(n, height * width * channels)`, for scikit-learn or a model without `Flatten`.

    Arguments and errors are those of `prepare_images`.

    Returns:
        An array `(n, height * width * channels)`: uint8 0..255 if integers came in, else float32 in [0, 1].

    Example:
        >>> import numpy as np
        >>> flatten(np.zeros((3, 64, 48), dtype="uint8")).shape
        (3, 3072)
    """
    checked = _checked(images, image_shape)
    return checked.reshape(len(checked), -1)


def _pixels(images: ImagesLike) -> ImageArray:
    """Return pixels as uint8 or float32, of any shape."""
    array = as_numeric_array(images, "images")
    if not array.size:
        raise ValueError(f"`images` is empty: received shape {array.shape}, expected at least one image.")
    return check_pixels(array, "images")


def _checked(images: ImagesLike, image_shape: ImageShape | None) -> ImageArray:
    return check_images(images, image_shape=None if image_shape is None else check_image_shape(image_shape))


def one_hot(labels: LabelsLike, num_classes: int = 10) -> FloatArray:
    """Turn integer labels into one-hot rows.

    Args:
        labels: Integers `(n,)` or `(n, 1)`, from 0 to `num_classes - 1`. One-hot rows are returned as they are.
        num_classes: Number of columns, at least 2.

    Returns:
        A float32 array `(n, num_classes)` holding a single 1 per row.

    Raises:
        ValueError: If a label is out of range or the shape is wrong.
        TypeError: If the labels are not integers.

    Example:
        >>> one_hot([2, 0], num_classes=3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    num_classes = check_count(num_classes, "num_classes", minimum=2)
    checked = check_labels(labels, num_classes=num_classes)
    if checked.ndim == 2:
        return checked.astype(np.float32, copy=False)
    return np.eye(num_classes, dtype=np.float32)[integer_labels(checked)]


def train_validation_split(
    images: ImagesLike,
    labels: LabelsLike,
    *,
    validation_size: float = 0.2,
    seed: int | None = None,
    stratify: bool = True,
    groups: Any = None,
) -> tuple[ImageArray, ImageArray, NDArray[Any], NDArray[Any]]:
    """Split images and labels into a training and a validation part, shuffled.

    Args:
        images: Many images, in any form that `prepare_images` takes.
        labels: One label per image: integers `(n,)`, or one-hot rows `(n, num_classes)`.
        validation_size: A fraction between 0 and 1 (rounded up to whole images, as in scikit-learn), or a
            number of images.
        seed: From 0 to 2**32 - 1; the same seed gives the same split. None draws fresh entropy.
        stratify: Keep the share of every class the same in both parts. With False the validation part is
            exactly `numpy.random.RandomState(seed).permutation(n)[:n_validation]`, which is what
            scikit-learn's `train_test_split(..., random_state=seed)` returns.
        groups: One integer or string per image, such as the person who took it. All images of a group go to the same
            part; the share of validation images is then approximate. Needs scikit-learn: its `StratifiedGroupKFold`
            (`GroupShuffleSplit` without `stratify`) chooses the groups.

    Returns:
        `(x_train, x_validation, y_train, y_validation)`, scikit-learn's order. Images keep the shape given
        (uint8 0..255 if integers came in, else float32 in [0, 1]), labels keep dtype and shape.

    Raises:
        ValueError: If lengths differ, a part would be empty, or, with `stratify`, a class has a single
            image or there are fewer validation (or training) images than classes, or `groups` has too few groups.
        ImportError: If `groups` are given and scikit-learn is missing.

    Example:
        >>> import numpy as np
        >>> images, labels = np.zeros((10, 64, 48), dtype="uint8"), np.arange(10) % 2
        >>> x_fit, x_val, y_fit, y_val = train_validation_split(images, labels, seed=42)
        >>> x_fit.shape, x_val.shape, sorted(y_val.tolist())
        ((8, 64, 48), (2, 64, 48), [0, 1])
    """
    pixels = _pixels(images)
    if pixels.ndim == 1 or pixels.shape == IMAGE_SHAPE[:2]:
        raise ValueError(f"`images` is a single image of shape {pixels.shape}; expected many to split.")
    checked = check_labels(labels, num_images=len(pixels))
    fit_index, validation_index = split_indices(
        integer_labels(checked),
        validation_size=validation_size,
        seed=seed,
        stratify=stratify,
        groups=check_groups(groups, len(pixels)),
    )
    given = np.asarray(labels)
    return pixels[fit_index], pixels[validation_index], given[fit_index], given[validation_index]


def split_indices(
    labels: IntArray,
    *,
    validation_size: float,
    seed: int | None,
    stratify: bool,
    groups: NDArray[Any] | None = None,
    name: str = "validation_size",
) -> tuple[IntArray, IntArray]:
    """Return the (shuffled) indices of the training and of the validation part; `name` is that of the size."""
    total = len(labels)
    seed = check_seed(seed)
    count = _validation_count(validation_size, total, name)
    if groups is not None:
        return _split_groups(labels, groups, count / total, seed, check_flag(stratify, "stratify"))
    if not check_flag(stratify, "stratify"):
        order = np.random.RandomState(seed).permutation(total)
        return np.asarray(order[count:]), np.asarray(order[:count])
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if min(map(len, members)) < 2 or min(count, total - count) < len(members):
        fix = "`stratify=False`, another `validation_size`," if name == "validation_size" else f"another `{name}`,"
        raise ValueError(
            f"A stratified split needs at least 2 images of every class and at least as many images in each "
            f"part as there are classes. Received {total} images of {len(members)} classes, "
            f"{min(map(len, members))} of the rarest, {count} for validation. Pass {fix} or more images."
        )
    rng = np.random.default_rng(seed)
    shares = _largest_remainders(np.array([len(m) for m in members]), count)
    shuffled = [rng.permutation(m) for m in members]
    validation = np.concatenate([m[:share] for m, share in zip(shuffled, shares, strict=True)])
    rest = np.concatenate([m[share:] for m, share in zip(shuffled, shares, strict=True)])
    return rng.permutation(rest), rng.permutation(validation)


def _split_groups(
    labels: IntArray, groups: NDArray[Any], share: float, seed: int | None, stratify: bool
) -> tuple[IntArray, IntArray]:
    """Return the (shuffled) indices of the training and of the validation part, without a group in both."""
    with advice("Splitting by groups needs scikit-learn", "sklearn"):
        from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold
    folds = max(2, round(1 / share))
    if len(np.unique(groups)) < folds:
        raise ValueError(
            f"`groups` has {len(np.unique(groups))} groups, too few to set aside a share of {share:.2g}: expected at "
            f"least {folds}."
        )
    if stratify:
        splitter: Any = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    else:
        splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    with ignored(UserWarning, "The least populated class"):  # of scikit-learn, where a class has few images
        fit_index, validation_index = next(splitter.split(labels, labels, groups))
    rng = np.random.default_rng(seed)
    return rng.permutation(fit_index), rng.permutation(validation_index)


def _validation_count(validation_size: float, total: int, name: str) -> int:
    if isinstance(validation_size, int | np.integer) and not isinstance(validation_size, bool):
        count = check_count(validation_size, name)
    else:
        share = check_number(validation_size, name, low=0, high=1, open_low=True, open_high=True)
        count = math.ceil(share * total)
    if count >= total:
        raise ValueError(
            f"`{name}={shown(validation_size)}` leaves no training image: there are {total} images in all."
        )
    return count


def _largest_remainders(sizes: IntArray, count: int) -> IntArray:
    """Share `count` among classes in proportion to their sizes, so that the shares add up."""
    exact = sizes * count / sizes.sum()
    shares: IntArray = np.floor(exact).astype(np.int64)
    remainders = np.argsort(shares - exact, kind="stable")  # largest remainder first
    shares[remainders[: count - shares.sum()]] += 1
    return shares

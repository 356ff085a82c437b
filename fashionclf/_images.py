"""Shapes, dtypes, ranges and scaling of images: every image that comes in is checked by `check_images`."""

from typing import Any, Final

import numpy as np

from fashionclf._arrays import as_array
from fashionclf._text import cut
from fashionclf._types import FloatArray, ImageArray, ImagesLike, UInt8Array

HEIGHT: Final = 28


WIDTH: Final = 28


NUM_PIXELS: Final = HEIGHT * WIDTH


IMAGE_SHAPE: Final = (HEIGHT, WIDTH, 1)


_ONE_IMAGE: Final = ((HEIGHT, WIDTH), IMAGE_SHAPE, (NUM_PIXELS,))


# What float32 arithmetic leaves beside 0 or 1, as after resizing, normalising or going through a GPU.
ROUNDING: Final = 1e-5


_EXPECTED_IMAGES: Final = (
    "one image as (28, 28), (28, 28, 1) or (784,); many as (n, 28, 28), (n, 28, 28, 1) or (n, 784)"
)


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array or nested list, `()` where it has none."""
    try:
        return np.shape(value)
    except Exception:  # a ragged list, or an object that fails to be an array
        return ()


def is_one_image(shape: tuple[int, ...]) -> bool:
    """Tell whether an array of this shape is a single image."""
    return shape in _ONE_IMAGE


def check_images(images: ImagesLike, name: str = "images", *, keep_shape: bool = False) -> ImageArray:
    """Return images as `(n, 28, 28, 1)`: uint8 0..255 if integers came in, else float32 in [0, 1].

    With `keep_shape` the shape stays as given. Nothing is scaled here.
    """
    array = as_numeric_array(images, name)
    if array.shape not in _ONE_IMAGE and (array.ndim < 2 or array.shape[1:] not in _ONE_IMAGE):
        raise ValueError(_wrong_image_shape(array.shape, name))
    if not array.size:
        raise ValueError(f"`{name}` is empty: received shape {array.shape}, expected at least one image.")
    pixels = check_pixels(array, name)
    return pixels if keep_shape else pixels.reshape(-1, *IMAGE_SHAPE)


def check_one_image(image: ImagesLike, name: str) -> ImageArray:
    """Return exactly one image as `check_images` does: `(1, 28, 28, 1)`."""
    checked = check_images(image, name)
    if len(checked) != 1:
        raise ValueError(f"`{name}` holds {len(checked)} images, expected one. Pass one of them, such as `{name}[0]`.")
    return checked


def as_numeric_array(images: ImagesLike, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Return images as an array of real numbers, a list of single images stacked."""
    if isinstance(images, list | tuple):
        return _stack(images, name)
    array = as_array(images, name)
    if array.dtype.kind not in "uif":
        raise TypeError(
            f"`{name}` must hold integers 0..255 or floats in [0, 1]. Received dtype {cut(str(array.dtype))}"
            f"{_dtype_hint(array, images)}"
        )
    return array


def check_pixels(array: np.ndarray[Any, np.dtype[Any]], name: str) -> ImageArray:
    """Return pixel values as uint8 0..255 or float32 in [0, 1], of any shape."""
    if array.dtype == np.uint8:
        return array
    low, high = array.min(), array.max()
    if array.dtype.kind in "ui":
        if low < 0 or high > 255:
            raise ValueError(
                f"`{name}` holds integers from {low} to {high}, expected 0..255. "
                "Rescale them, or clip with `images.clip(0, 255)`."
            )
        return array.astype(np.uint8)
    # min and max are NaN as soon as one value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            f"`{name}` holds NaN or infinity, expected floats in [0, 1]. Clean them, for example with `np.nan_to_num`."
        )
    if low < -ROUNDING or high > 1 + ROUNDING:
        fix = fix_of_range(float(low), float(high))
        raise ValueError(f"`{name}` holds floats from {low:.9g} to {high:.9g}, expected [0, 1]. {fix}")
    if low < 0 or high > 1:
        array = array.clip(0, 1)
    return array.astype(np.float32, copy=False)


def fix_of_range(low: float, high: float) -> str:
    """Return what to do with floats outside [0, 1], by how far they are outside."""
    if low >= -0.5 and high <= 2:
        return (
            "If a scaler was fitted on other images, keep its range with `MinMaxScaler(clip=True)`; else clip with "
            "`np.clip(images, 0, 1)`."
        )
    if low >= 0:
        return (
            "Floats up to 255: divide by 255 or pass integers."
            if high <= 255
            else "Rescale the images to [0, 1] before passing them."
        )
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return "Scaled to [-1, 1]: pass `(images + 1) / 2`."
    return (
        "Standardised images, as by `StandardScaler`: leave out that step and pass the pixels themselves, or use "
        "`MinMaxScaler(clip=True)` in its place."
    )


def _stack(images: list[Any] | tuple[Any, ...], name: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Stack a list of single images; a nested list of plain numbers is read as one array."""
    if not images:
        raise ValueError(f"`{name}` is empty: received an empty {type(images).__name__}.")
    if not all(hasattr(image, "__array__") and np.ndim(image) for image in images):
        try:
            nested = as_array(images, name)
        except TypeError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
            raise ValueError(f"`{name}` is a ragged nested list; expected {_EXPECTED_IMAGES}.") from error
        return as_numeric_array(nested, name)
    arrays = [as_numeric_array(image, f"{name}[{i}]") for i, image in enumerate(images)]
    for i, array in enumerate(arrays):
        if array.shape not in _ONE_IMAGE:
            raise ValueError(_wrong_image_shape(array.shape, f"{name}[{i}]", "one image in a list"))
    if len({(array.shape, array.dtype) for array in arrays}) == 1:
        return np.stack(arrays)
    # Mixed forms: integers must be scaled before they may stand beside floats.
    checked = [check_pixels(a.reshape(IMAGE_SHAPE), f"{name}[{i}]") for i, a in enumerate(arrays)]
    if any(image.dtype != np.uint8 for image in checked):
        checked = [scale_pixels(image) for image in checked]
    return np.stack(checked)


def scale_pixels(array: ImageArray) -> FloatArray:
    """Return checked pixels as float32 in [0, 1]: the only place where a pixel is divided by 255."""
    if array.dtype == np.uint8:
        return np.divide(array, np.float32(255), dtype=np.float32)
    return array  # type: ignore[return-value]  # a checked array that is not uint8 is float32


def round_pixels(array: ImageArray) -> UInt8Array:
    """Return checked pixels as uint8 0..255, floats rounded: what exported models take."""
    if array.dtype == np.uint8:
        return array  # type: ignore[return-value]
    rounded: UInt8Array = np.rint(array * np.float32(255)).astype(np.uint8)
    return rounded


def _wrong_image_shape(shape: tuple[int, ...], name: str, what: str = "images") -> str:
    fix = ""
    if len(shape) >= 3 and shape[-1] in (3, 4):
        fix = (
            " These look like photographs in colour: read each with `fashionclf.load_image(array)`, which finds the "
            "garment and shows it as the data set does."
        )
    elif len(shape) >= 3 and shape[-3:] == (1, HEIGHT, WIDTH):
        fix = " The channel comes last: move it with `np.moveaxis(images, -3, -1)`."
    elif what != "images" and len(shape) >= 3:
        fix = " Pass one array of many images instead of a list of such arrays."
    elif len(shape) >= 2:
        fix = (
            " Read photographs with `fashionclf.load_image(array)`, which finds the garment; resize images that look "
            "like the data set's to 28x28 pixels."
        )
    return f"`{name}` has shape {shape}, expected {what}: {_EXPECTED_IMAGES}.{fix}"


def _dtype_hint(array: np.ndarray[Any, np.dtype[Any]], given: object) -> str:
    if array.dtype.kind == "b":
        return ". Turn a mask into pixels with `mask.astype('uint8') * 255`."
    if array.dtype.kind == "c":
        return ". Take the magnitude of complex values with `np.abs`."
    if array.ndim == 0:
        return f" from {type(given).__name__}."
    return ". Convert with `np.stack(images)` or `images.astype('float32')`."

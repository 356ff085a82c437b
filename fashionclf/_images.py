"""Shapes, dtypes, ranges and scaling of images: every image that comes in is checked by `check_images`.

An image that is well formed may still be misread: it is blank, nearly black or a negative. `predict` examines each
image (`doubts_of`). Images for training and evaluation are examined as a set (`warn_of_doubtful_set`).

An image shape is `(height, width, channels)`, with 1 channel or 3. It belongs to a model; a `Split` has that of its
arrays. Everything else is told, or infers it from the array.
"""

import contextlib
import contextvars
import functools
import math
import operator
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import cut, shown
from fashionclf._types import FloatArray, ImageArray, ImageShape, ImagesLike, UInt8Array
from fashionclf._validation import as_array, is_tensor_of_torch
from fashionclf._warnings import stack_level

IMAGE_SHAPE: Final[ImageShape] = (28, 28, 1)
"""Fashion-MNIST's, and what builders take by default."""

CHANNELS: Final = (1, 3)
"""Of an image: grey, or red, green and blue."""

_MOST_PIXELS: Final = 2**26  # of one image: beyond it a layer takes more memory than a computer has

# What float32 arithmetic leaves beside 0 or 1, as after resizing, normalising or going through a GPU.
ROUNDING: Final = 1e-5


_ANY_SHAPE: Final = (
    "(height, width, channels) with 1 or 3 channels for one image, (n, height, width) in grey or (n, height, width, "
    "channels) for many"
)


def check_image_shape(image_shape: Any, name: str = "image_shape") -> ImageShape:
    """Return the shape of an image, `(height, width, channels)`, as integers."""
    try:
        numbers = tuple(operator.index(number) for number in image_shape)
    except TypeError:
        numbers = ()
    if len(numbers) != 3 or min(numbers) < 1 or numbers[2] not in CHANNELS or math.prod(numbers) > _MOST_PIXELS:
        raise ValueError(
            f"`{name}` must be (height, width, channels) with 1 or 3 channels, such as {IMAGE_SHAPE} or (64, 64, "
            f"3). Received: {shown(image_shape)}"
        )
    return numbers


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array or nested list, `()` where it has none."""
    try:
        return np.shape(value)
    except Exception:  # a ragged list, or an object that fails to be an array
        return ()


def has_shape(shape: tuple[int, ...], image_shape: ImageShape) -> bool:
    """Tell whether an array of this shape is one image of `image_shape` or many."""
    forms = forms_of(image_shape)
    return shape in forms or shape[1:] in forms


def check_images(
    images: ImagesLike, name: str = "images", *, image_shape: ImageShape | None = None, count: int | None = None
) -> ImageArray:
    """Return images as `(n, height, width, channels)`, not scaled: uint8 0..255 if integers came in, else float32.

    Without an `image_shape` it is that of the arrays, which may hold `count` images.
    """
    is_ready = type(images) is np.ndarray and images.dtype == np.uint8
    array: NDArray[Any] = images if is_ready else as_numeric_array(images, name, image_shape)  # type: ignore[assignment]
    shape = image_shape or _inferred(array.shape, name, count)
    forms = forms_of(shape)
    if array.shape not in forms and array.shape[1:] not in forms:
        raise ValueError(_wrong_image_shape(array.shape, name, shape))
    if not array.size:
        raise ValueError(f"`{name}` is empty: received shape {array.shape}, expected at least one image.")
    return (array if is_ready else check_pixels(array, name)).reshape(-1, *shape)


def check_one_image(image: ImagesLike, name: str, *, image_shape: ImageShape | None = None) -> ImageArray:
    """Return exactly one image as `check_images` does: `(1, height, width, channels)`."""
    checked = check_images(image, name, image_shape=image_shape)
    if len(checked) != 1:
        raise ValueError(f"`{name}` holds {len(checked)} images, expected one. Pass one of them, such as `{name}[0]`.")
    return checked


def pixel_shape(image_shape: ImageShape) -> tuple[int, ...]:
    """Return the shape that an image has in a `Split` and in an exported model: `(height, width)` in grey."""
    return image_shape[:2] if image_shape[2] == 1 else image_shape


def without_channel(images: NDArray[Any]) -> NDArray[Any]:
    """Return checked images without the last axis where they are grey: `(n, height, width)`."""
    return images[..., 0] if images.shape[-1] == 1 else images


@functools.lru_cache(maxsize=8)
def forms_of(image_shape: ImageShape) -> tuple[tuple[int, ...], ...]:
    """Return the shapes that an array of one image may have; many have one axis before these."""
    rows = (math.prod(image_shape),)
    return (image_shape[:2], image_shape, rows) if image_shape[2] == 1 else (image_shape, rows)


def _inferred(shape: tuple[int, ...], name: str, count: int | None = None) -> ImageShape:
    """Return the shape of one image in an array of this shape, which may hold `count` images."""
    standard = forms_of(IMAGE_SHAPE)
    if shape in standard or (len(shape) > 1 and shape[1:] in standard):
        return IMAGE_SHAPE
    channels = shape[-1] if shape else 0
    if len(shape) == 4 and channels in CHANNELS:
        return (shape[1], shape[2], channels)
    if len(shape) == 3:  # one image with its channels, or many in grey
        is_one = channels in CHANNELS and (count == 1 or shape[0] != count)
        return (shape[0], shape[1], channels) if is_one else (shape[1], shape[2], 1)
    fix = ""
    if len(shape) in (1, 2):
        fix = (
            " Nothing tells whether these are rows of pixels or one image: reshape them with "
            "`images.reshape(-1, height, width)`, or pass `image_shape=` where a function takes it."
        )
    elif channels == 4:
        fix = " Read images with transparency by `fashionclf.load_image`."
    elif len(shape) == 4 and shape[1] in CHANNELS:
        fix = _CHANNELS_LAST
    raise ValueError(f"`{name}` has shape {shape}, expected {_ANY_SHAPE}.{fix}")


def shape_or_default(images: Any, count: int | None = None) -> ImageShape:
    """Return the image shape of arrays, which may hold `count` images; Fashion-MNIST's where nothing tells it."""
    own = getattr(images, "image_shape", None)  # of a `Split`
    try:
        return own or _inferred(shape_of(images), "images", count)
    except ValueError:
        return IMAGE_SHAPE


def as_numeric_array(images: ImagesLike, name: str, image_shape: ImageShape | None = None) -> NDArray[Any]:
    """Return images as an array of real numbers, a list of single images stacked."""
    if isinstance(images, list | tuple):
        return _stack(images, name, image_shape)
    array = as_array(images, name)
    if is_tensor_of_torch(images):
        array = _channels_last(array, image_shape)
    if array.dtype.kind not in "uif":
        raise TypeError(
            f"`{name}` must hold integers 0..255 or floats in [0, 1]. Received dtype {cut(str(array.dtype))}"
            f"{_dtype_hint(array, images)}"
        )
    return array


def _channels_last(array: NDArray[Any], image_shape: ImageShape | None) -> NDArray[Any]:
    """Move the channels of torch's images behind their rows and columns."""
    *_, channels, height, width = (0, 0, 0, *array.shape)
    first = (height, width, channels) == image_shape if image_shape else channels in CHANNELS and width not in CHANNELS
    return np.moveaxis(array, -3, -1) if first and array.ndim > 2 else array


def check_pixels(array: NDArray[Any], name: str) -> ImageArray:
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


def _stack(images: list[Any] | tuple[Any, ...], name: str, image_shape: ImageShape | None) -> NDArray[Any]:
    """Stack a list of single images; a nested list of plain numbers is read as one array."""
    if not images:
        raise ValueError(f"`{name}` is empty: received an empty {type(images).__name__}.")
    if not all(hasattr(image, "__array__") and np.ndim(image) for image in images):
        try:
            nested = as_array(images, name)
        except TypeError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
            expected = _ANY_SHAPE if image_shape is None else _expected(image_shape)
            raise ValueError(f"`{name}` is a ragged nested list; expected {expected}.") from error
        return as_numeric_array(nested, name)
    arrays = [as_numeric_array(image, f"{name}[{i}]", image_shape) for i, image in enumerate(images)]
    shape = image_shape or _inferred((1, *arrays[0].shape), f"{name}[0]")
    for i, array in enumerate(arrays):
        if array.shape not in forms_of(shape):
            raise ValueError(_wrong_image_shape(array.shape, f"{name}[{i}]", shape, "one image in a list"))
    if len({(array.shape, array.dtype) for array in arrays}) == 1:
        return np.stack(arrays)
    # Mixed forms: integers must be scaled before they may stand beside floats.
    checked = [check_pixels(a.reshape(shape), f"{name}[{i}]") for i, a in enumerate(arrays)]
    if any(image.dtype != np.uint8 for image in checked):
        checked = [scale_pixels(image) for image in checked]
    return np.stack(checked)


def scale_pixels(array: ImageArray) -> FloatArray:
    """Return checked pixels as float32 in [0, 1]: the only place where a pixel is divided by 255."""
    if array.dtype == np.uint8:
        scaled = array.astype(np.float32)
        scaled /= np.float32(255)  # in place: half the time of a division that converts
        return scaled
    return array  # type: ignore[return-value]  # a checked array that is not uint8 is float32


def round_pixels(array: ImageArray) -> UInt8Array:
    """Return checked pixels as uint8 0..255, floats rounded: what exported models take."""
    if array.dtype == np.uint8:
        return array  # type: ignore[return-value]
    rounded: UInt8Array = np.rint(array * np.float32(255)).astype(np.uint8)
    return rounded


_CHANNELS_LAST: Final = " The channels come last: move them with `np.moveaxis(images, -3, -1)`."


def _expected(image_shape: ImageShape) -> str:
    forms = forms_of(image_shape)
    one = [str(form) for form in forms]
    many = [f"(n, {', '.join(map(str, form))})" for form in forms]
    return "; ".join(
        f"{what} as {', '.join(each[:-1])} or {each[-1]}" for what, each in (("one image", one), ("many", many))
    )


def _wrong_image_shape(shape: tuple[int, ...], name: str, image_shape: ImageShape, what: str = "images") -> str:
    fix = ""
    height, width, channels = image_shape
    if len(shape) >= 3 and shape[-3:] == (channels, height, width):
        fix = _CHANNELS_LAST
    elif len(shape) >= 3 and shape[-1] in (3, 4):
        reading = "" if image_shape == IMAGE_SHAPE else f", image_shape={image_shape}"
        fix = (
            f" For images in colour of this size, build the model with `image_shape={(*shape[-3:-1], 3)}`. If they are "
            f"photographs, read each with `fashionclf.load_image(array{reading})`."
        )
    elif channels == 3 and shape[-2:] == (height, width):
        fix = " Repeat the grey channel: `np.repeat(images[..., np.newaxis], 3, axis=-1)`."
    elif what != "images" and len(shape) >= 3:
        fix = " Pass one array of many images instead of a list of such arrays."
    elif len(shape) >= 2:
        other = "build a model for images of their shape: `image_shape=`"
        if image_shape == IMAGE_SHAPE:
            other = "read photographs with `fashionclf.load_image(array)`, which finds the garment"
        fix = f" Resize them to {height}x{width} pixels, or {other}."
    return f"`{name}` has shape {shape}, expected {what}: {_expected(image_shape)}.{fix}"


def _dtype_hint(array: NDArray[Any], given: object) -> str:
    if array.dtype.kind == "b":
        return ". Turn a mask into pixels with `mask.astype('uint8') * 255`."
    if array.dtype.kind == "c":
        return ". Take the magnitude of complex values with `np.abs`."
    if array.ndim == 0:
        return f" from {type(given).__name__}."
    return ". Convert with `np.stack(images)` or `images.astype('float32')`."


# -- doubts ----------------------------------------------------------------------------------------

Doubts: TypeAlias = tuple[str, ...]
"""Why an image may be misread; empty if there is no doubt."""

_NAMED: Final = 10  # doubtful images that one warning names

# Half of the border of an image of Fashion-MNIST is at most 163 (training split), of its negative at least 250 nearly
# always.
LIGHT: Final = 170

# The brightest pixel of every image is at least 254 in Fashion-MNIST and MNIST, and 72 in the synthetic set.
_DARK: Final = 30

# Above the first a border is light, below the second an image is dark: of floats, then of integers.
_LEVELS: Final = ((LIGHT / 255, _DARK / 255), (LIGHT, _DARK))

_EXAMINED: Final = 1000  # images of a set

BLANK: Final = "it is blank"
_NEARLY_BLACK: Final = "it is nearly black: of a mask of zeros and ones pass `mask * 255`"
_NEGATIVE: Final = "its background is light, as in a negative: pass `255 - image` (`1 - image` of floats)"
UNFAMILIAR: Final = "it is unlike all classes"

_FRAME: Final = np.ones(IMAGE_SHAPE[:2], bool)
_FRAME[1:-1, 1:-1] = False
_BORDER: Final = np.flatnonzero(_FRAME)

_SILENT: Final = contextvars.ContextVar("fashionclf_without_doubts", default=False)


class DoubtfulImageWarning(UserWarning):
    """An image may be misread: it does not clearly show one garment, or one that is like none of the classes.

    Look at what the model sees with `fashionclf.plot.preprocessing_steps`.

    Example:
        >>> import numpy as np, warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", DoubtfulImageWarning)  # to refuse such images
        ...     load_image(np.full((100, 80), 200, dtype="uint8"))
        Traceback (most recent call last):
            ...
        fashionclf.photographs.DoubtfulImageWarning: the array may be misread: nothing stands out from its background.
    """


@contextlib.contextmanager
def without_doubts() -> Iterator[None]:
    """Turn these warnings off: the caller has been warned already, or the images look odd on purpose."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def warn_of_doubts(doubts: Sequence[Doubts | None], names: Sequence[str] | None) -> None:
    """Warn once, at the caller's line, about all doubtful images."""
    doubtful = [i for i, each in enumerate(doubts) if each]
    if not doubtful or _SILENT.get():
        return
    called = [names[i] if names is not None else f"image {i}" for i in doubtful[:_NAMED]]
    reasons = ["; ".join(doubts[i] or ()) for i in doubtful[:_NAMED]]
    if len(doubts) == 1:
        message = f"{called[0] if names is not None else 'The image'} may be misread: {reasons[0]}."
    else:
        listed = ". ".join(f"{name}: {reason}" for name, reason in zip(called, reasons, strict=True))
        rest = len(doubtful) - _NAMED
        more = f" And {rest} more." if rest > 0 else ""
        message = f"{len(doubtful)} of {len(doubts)} images may be misread. {listed}.{more}"
    warnings.warn(message, DoubtfulImageWarning, stacklevel=stack_level())


def doubts_of(images: ImageArray, *, bright_on_black: bool = True) -> tuple[Doubts, ...]:
    """Return the doubts about each of checked images `(n, height, width, channels)`.

    `bright_on_black` is False if images of the data set's shape show whole photographs, not garments on black.
    """
    light, dark = _LEVELS[images.dtype == np.uint8]
    has_negatives = bright_on_black and images.shape[1:] == IMAGE_SHAPE
    doubts: list[Doubts] = [()] * len(images)
    suspects: Any = range(len(images))
    if len(images) > 1:  # one look at all of them takes less time than a look at each
        brightest = images.reshape(len(images), -1).max(axis=1)
        negatives = _are_negatives(images, light) if has_negatives else False
        suspects = np.flatnonzero(negatives | (brightest < dark) | (images[:, 0, 0].max(axis=-1) == brightest))
    for i in suspects:
        pixels = images[i].reshape(-1)
        brightest, corner = np.maximum.reduce(pixels), pixels[: images.shape[-1]]
        if brightest in corner.tolist() and (images[i] == corner).all():
            doubts[i] = (BLANK,)
        elif has_negatives and np.count_nonzero(pixels.take(_BORDER) > light) > len(_BORDER) // 2:
            doubts[i] = (_NEGATIVE,)
        elif brightest < dark:
            doubts[i] = (_NEARLY_BLACK,)
    return tuple(doubts)


def warn_of_doubtful_set(images: ImageArray, name: str, *, bright_on_black: bool = True) -> None:
    """Warn at the caller's line if all checked images are nearly black, or most of them look like negatives."""
    if _SILENT.get():
        return
    top = 255 if images.dtype == np.uint8 else 1
    light, dark = _LEVELS[top == 255]
    sample = images[:: -(-len(images) // _EXAMINED)]
    # All images are read only if the sample has no bright pixel.
    if sample.max() < dark and (sample != sample[:, :1, :1]).any() and (brightest := images.max()) < dark:
        cause = (
            "`images * 255` if they are masks of zeros and ones, or rescaled to 0..255"
            if top == 255
            else "the images before they were divided by 255 a second time"
        )
        what = f"All images of `{name}` are nearly black: the brightest pixel is {brightest:.3g} of {top}"
        problem = f"{what}. Pass {cause}."
    elif bright_on_black and images.shape[1:] == IMAGE_SHAPE and _are_negatives(sample, light).mean() > 0.5:
        problem = (
            f"Most images of `{name}` look like negatives, with a light background. Expected a bright garment on "
            "black, as in the data set. Pass `255 - images`, or `1 - images` for floats."
        )
    else:
        return
    warnings.warn(problem, DoubtfulImageWarning, stacklevel=stack_level())


def _are_negatives(images: ImageArray, light: float) -> NDArray[np.bool_]:
    """Tell which images of the data set's shape have a light border."""
    rows = images.reshape(len(images), -1)
    return np.asarray((rows.take(_BORDER, axis=1) > light).sum(axis=1) > len(_BORDER) // 2)

"""The steps from a photograph to an image of the shape that a model takes; see `fashionclf.photographs`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._converter import ImageConverter
from fashionclf._images import BLANK, IMAGE_SHAPE, LIGHT, Doubts, forms_of, warn_of_doubts
from fashionclf._types import FloatArray, ImageShape, PhotographLike, UInt8Array
from fashionclf.photographs._foreground import FAINT, Segmentation, background_level, border_of, segment
from fashionclf.photographs._garment import Box, bounding_box
from fashionclf.photographs._reading import name_of, read_photograph

if TYPE_CHECKING:
    from PIL import Image

# The brightest pixel of every image of the data set is 254 or 255.
_PEAK: Final = 254
# Share of an image above which a garment leaves no background; the fullest image of the data set has 0.92.
_FULL: Final = 0.95
# The longest edge of a digit in MNIST as a share of the image, and the width of its thinnest strokes as a share of it.
_DIGIT: Final = 20 / 28
_PEN: Final = 0.1


@dataclass(frozen=True, eq=False)
class PreprocessingSteps:
    """The preprocessing steps of one photograph, in grey `(h, w)` or in colour `(h, w, 3)` as the model's images are.

    Attributes:
        original: The photograph, uint8, upright, made smaller: 512 pixels on its longest edge for a model of images up
            to 256 pixels.
        mask: Where the garment was found, bool `(h, w)`; its border is the outline in the plot. None if it was not
            looked for.
        box: The part of `original` that was cut out: `(left, top, right, bottom)`, the last two exclusive.
        inverted: Whether light and dark were inverted.
        garment: The part that was cut out, uint8: the garment on black, bright in grey, or the image itself.
        image: What the model sees, uint8.
        doubts: Why the image may be misread; empty if there is no doubt.

    Example:
        >>> import numpy as np
        >>> image = np.full((100, 80), 250, dtype="uint8")
        >>> image[30:70, 20:60] = 60  # something dark on light paper
        >>> steps = preprocessing_steps(image)
        >>> steps.box, steps.inverted, steps.garment.shape, steps.image.shape, steps.doubts
        ((20, 30, 60, 70), True, (40, 40), (28, 28), ())
    """

    original: UInt8Array
    mask: NDArray[np.bool_] | None
    box: Box
    inverted: bool
    garment: UInt8Array
    image: UInt8Array
    doubts: Doubts = ()


def load_image(
    source: PhotographLike,
    *,
    image_shape: ImageShape = IMAGE_SHAPE,
    find_garment: bool | None = None,
    crop_to_aspect_ratio: bool = False,
) -> UInt8Array:
    """Read a photograph as an image of the shape that a model takes.

    For `(28, 28, 1)`, the image shows one garment as Fashion-MNIST does: it is found, cut out, resized to 28 pixels and
    centred; the background becomes black. On a plain background, the garment is what differs from the border's colours.
    On others (a wall, wood, carpet, a patterned sheet), a small network and OpenCV's GrabCut find it. A sketch (narrow
    strokes of one colour, as from a canvas) is framed as MNIST's digits are: 20 pixels long, its centre of mass in the
    middle. An image that is already 28x28 with a dark background is returned unchanged.

    For other shapes, it is the whole photograph, upright, its proportions kept. An array of that shape is returned
    unchanged. `find_garment` chooses otherwise.

    Needs pillow, and OpenCV to find garments: `pip install "fashionclf[images]"`.

    Args:
        source: A path, a binary file object, a PIL image, or an array `(h, w)`, `(h, w, 1)`, `(h, w, 3)` or
            `(h, w, 4)` of integers 0..255 or floats in [0, 1]. Any size and colour mode; of an animation the first
            frame counts. Transparent pixels are background: white, or black behind what is white itself. No URL, pipe
            or device.
        image_shape: `(height, width, channels)` of the image, with 1 channel (grey) or 3 (red, green, blue).
        find_garment: Whether the garment is found and cut out, on black: bright in grey, in its own colours otherwise.
            None is True for `(28, 28, 1)`.
        crop_to_aspect_ratio: Whether an image of other proportions is cropped about its middle. Otherwise it is padded
            with the colour of its edges.

    Returns:
        A uint8 array 0..255: `(height, width)` in grey, `(height, width, 3)` in colour.

    Raises:
        ValueError: If it is not an image, is damaged or empty, takes more than 512 MiB to decode, or its values are out
            of range; or as `ImageConverter`.
        TypeError: If it is of another type.
        FileNotFoundError: If there is no such file.
        OSError: If the system cannot read it: a `PermissionError` if it may not.
        ImportError: If pillow, or OpenCV or a file of this package to find garments, is missing.

    Warns:
        DoubtfulImageWarning: If no garment can be separated from the background, or the image is blank or too
            small.

    Source:
        Ronneberger, Fischer and Brox, "U-Net", arXiv:1505.04597. Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH
        2004, doi:10.1145/1015706.1015720.

    Example:
        >>> import numpy as np
        >>> photograph = np.full((300, 200, 3), 240, dtype="uint8")  # light paper
        >>> photograph[50:250, 60:120] = 40
        >>> image = load_image(photograph)
        >>> image.shape, image[14].tolist()[8:20]
        ((28, 28), [0, 0, 254, 254, 254, 254, 254, 254, 254, 254, 0, 0])
        >>> load_image(photograph, image_shape=(64, 64, 3)).shape
        (64, 64, 3)
    """
    steps = steps_of(source, ImageConverter(image_shape, find_garment, crop_to_aspect_ratio))
    warn_of_doubts([steps.doubts], [name_of(source)])
    return steps.image


def preprocessing_steps(
    source: PhotographLike,
    *,
    image_shape: ImageShape = IMAGE_SHAPE,
    find_garment: bool | None = None,
    crop_to_aspect_ratio: bool = False,
) -> PreprocessingSteps:
    """Do the same as `load_image`, with its arguments and errors, and return every step.

    Returns:
        `PreprocessingSteps`; its `image` is what `load_image` returns. Its doubts are not warned of.

    Example:
        >>> import numpy as np
        >>> image = np.full((300, 200), 240, dtype="uint8")
        >>> image[50:250, 60:120] = 40
        >>> steps = preprocessing_steps(image)
        >>> steps.box, steps.inverted, steps.garment.shape, steps.doubts
        ((60, 50, 120, 250), True, (200, 60), ())
    """
    return steps_of(source, ImageConverter(image_shape, find_garment, crop_to_aspect_ratio))


def steps_of(source: PhotographLike, converter: ImageConverter) -> PreprocessingSteps:
    """Read a photograph as the converter says, and return every step."""
    photograph = read_photograph(source, converter)
    if not converter.find_garment:
        return _whole_image(photograph, converter)
    shape = converter.image_shape
    in_colour = shape[2] == 3
    segmented = segment(photograph)
    grey = np.rint(segmented.photograph).astype(np.uint8)
    original = np.asarray(_on_plain_background(photograph)) if in_colour else grey
    one_image = shape == IMAGE_SHAPE or tuple(getattr(source, "shape", ())) in forms_of(shape)
    if one_image and grey.shape == shape[:2]:
        return _image_already(original)
    mask = segmented.mask
    if not mask.any():
        return _nothing_found(original, mask, shape)
    left, top, right, bottom = box = bounding_box(mask)
    inverted = bool(segmented.grey[mask].mean() < segmented.background[mask].mean())
    contrast = _contrast(segmented, inverted)[top:bottom, left:right]
    garment: NDArray[Any] = contrast
    if in_colour and not segmented.stroke:  # a sketch is bright on black in any case: black strokes would not be seen
        inverted = False
        garment = (np.asarray(photograph)[..., :3] * segmented.foreground[..., np.newaxis])[top:bottom, left:right]
    return PreprocessingSteps(
        original=original,
        mask=mask,
        box=box,
        inverted=inverted,
        garment=np.rint(garment).astype(np.uint8),
        image=_fit_sketch(garment, segmented.stroke, shape)
        if segmented.stroke
        else _centred(np.rint(_resized(garment, shape[:2])), shape),
        doubts=_doubts(segmented, contrast, shape),
    )


def _whole_image(photograph: "Image.Image", converter: ImageConverter) -> PreprocessingSteps:
    """Return the steps without finding a garment: the image is cropped, or padded with the colour of its edges."""
    from PIL import Image

    height, width, channels = converter.image_shape
    whole = _on_plain_background(photograph).convert("L" if channels == 1 else "RGB")
    columns, rows = whole.size
    left = top = 0
    size = _size_within((rows, columns), (height, width))
    if converter.crop_to_aspect_ratio:
        size = width, height
        scale = max(height / rows, width / columns)
        left, top = int(max(0, columns - width / scale) / 2), int(max(0, rows - height / scale) / 2)
    box = left, top, columns - left, rows - top
    small = np.asarray(whole.resize(size, Image.Resampling.BICUBIC, box))
    original = np.asarray(whole)
    part = original[top : rows - top, left : columns - left]
    image = _centred(small, converter.image_shape, np.rint(np.median(border_of(part), axis=0)))
    doubt = BLANK if (image == image[0, 0]).all() else _small("it", part.shape[:2], converter.image_shape)
    return PreprocessingSteps(original, None, box, False, part, image, (doubt,) if doubt else ())


def _on_plain_background(photograph: "Image.Image") -> "Image.Image":
    """Return a photograph in RGB, with a plain background for its transparent pixels."""
    from PIL import Image

    if photograph.mode == "RGB":
        return photograph
    opaque = np.asarray(photograph.getchannel("A")) > 127
    level = background_level(np.asarray(photograph.convert("L")), opaque)
    background = Image.new("RGBA", photograph.size, (level, level, level, 255))
    return Image.alpha_composite(background, photograph).convert("RGB")


def _image_already(original: UInt8Array) -> PreprocessingSteps:
    """Return the steps of an image of the model's own shape: only a light background in grey is inverted."""
    image, inverted = original, False
    if original.ndim == 2:
        border = border_of(original)
        if inverted := bool(np.median(border) > LIGHT):
            # A garment that fills the frame leaves little background, but in the data set never less than this tenth.
            level = np.percentile(border, 90)
            image = np.rint(255 * (1 - original / level).clip(0)).astype(np.uint8)
    doubts = (BLANK,) if (original == original[0, 0]).all() else ()
    rows, columns = image.shape[:2]
    mask = image.reshape(rows, columns, -1).max(axis=2) > 0
    return PreprocessingSteps(original, mask, (0, 0, columns, rows), inverted, image, image, doubts)


def _nothing_found(original: UInt8Array, mask: NDArray[np.bool_], image_shape: ImageShape) -> PreprocessingSteps:
    """Return the steps of an image without a garment: a black image."""
    rows, columns = mask.shape
    black = np.zeros_like(original)
    image, doubts = _centred(black[:1, :1], image_shape), ("nothing stands out from its background",)
    return PreprocessingSteps(original, mask, (0, 0, columns, rows), False, black, image, doubts)


def _contrast(segmented: Segmentation, inverted: bool) -> FloatArray:
    """Return how far each pixel is from the background towards black (or white), float32 `(h, w)` 0..255.

    The difference is relative to the background: paper in half the light is half as bright, and so is a garment on it.
    """
    if inverted:
        share = 1 - segmented.grey / np.maximum(segmented.background, 1)
    else:
        share = (segmented.grey - segmented.background) / np.maximum(255 - segmented.background, 1)
    return np.asarray(255 * share.clip(0, 1), np.float32)


def _fit_sketch(sketch: FloatArray, stroke: float, image_shape: ImageShape) -> UInt8Array:
    """Frame a sketch as MNIST's digits are, and widen thin strokes to MNIST's thinnest: else they would vanish."""
    import cv2

    more = round(_PEN * max(sketch.shape) - stroke)
    if more > 0:
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (more + 1, more + 1))
        sketch = np.asarray(cv2.dilate(np.pad(sketch, more), pen), np.float32)
        left, top, right, bottom = bounding_box(sketch > 0)
        sketch = sketch[top:bottom, left:right]
    longest = max(1, round(_DIGIT * min(image_shape[:2])))
    small = _resized(sketch, (longest, longest))
    mass = small / small.sum()
    centre = mass.sum(axis=1) @ np.arange(small.shape[0]), mass.sum(axis=0) @ np.arange(small.shape[1])
    corner = [
        int(np.clip(np.rint((edge - 1) / 2 - middle), 0, edge - length))
        for edge, middle, length in zip(image_shape[:2], centre, small.shape, strict=True)
    ]
    return _placed(np.rint(small), image_shape, *corner)


def _resized(garment: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Make a garment as large as fits into `(height, width)`; in grey use the whole range."""
    from PIL import Image

    image = Image.fromarray(garment if garment.ndim == 2 else np.rint(garment).astype(np.uint8))
    # Measured on enlarged test images: as accurate as Lanczos, more so than the other filters or with sharpening.
    small = np.asarray(image.resize(_size_within(garment.shape, size), Image.Resampling.BOX))
    return small * max(1, _PEAK / small.max()) if small.ndim == 2 and small.max() > 0 else small


def _size_within(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height at which an array of this shape touches the edges of `(height, width)`."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _centred(small: NDArray[Any], image_shape: ImageShape, background: Any = 0) -> UInt8Array:
    # An odd pixel goes to the left and to the top, as in the data set.
    top, left = ((edge - length + 1) // 2 for edge, length in zip(image_shape[:2], small.shape, strict=False))
    return _placed(small, image_shape, top, left, background)


def _placed(small: NDArray[Any], image_shape: ImageShape, top: int, left: int, background: Any = 0) -> UInt8Array:
    """Place a smaller image on one of the model's shape, whose other pixels are `background`."""
    height, width, channels = image_shape
    image = np.full(image_shape if channels == 3 else (height, width), background, np.uint8)
    part = small if small.ndim == image.ndim else small[..., np.newaxis]
    image[top : top + small.shape[0], left : left + small.shape[1]] = part
    return image


def _doubts(segmented: Segmentation, contrast: FloatArray, image_shape: ImageShape) -> Doubts:
    small = _small("the garment", contrast.shape, image_shape)
    found = {
        "the garment is hard to separate from its background": not segmented.clear,
        "the garment fills nearly all of it": segmented.mask.mean() > _FULL,
        small: small != "",
        "the garment hardly differs from its background": np.percentile(contrast, 99) < FAINT,
    }
    return tuple(doubt for doubt, holds in found.items() if holds)


def _small(what: str, shape: tuple[int, ...], image_shape: ImageShape) -> str:
    """Return the doubt about what must be enlarged, or an empty text."""
    wanted, length = min(zip(image_shape[:2], shape, strict=True), key=lambda pair: pair[0] / pair[1])
    return f"{what} is only {length} pixels long, of the {wanted} that a model sees" if length < wanted else ""

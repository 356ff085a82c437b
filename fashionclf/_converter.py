"""`ImageConverter`: how a photograph becomes an image of the shape that a model takes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from fashionclf._images import IMAGE_SHAPE, check_image_shape
from fashionclf._types import ImageShape
from fashionclf._validation import check_flag


@dataclass(frozen=True, init=False)
class ImageConverter:
    """How photographs are read. `load_folder` gives it to its `Split`; `fit`, `save` and `export` pass it on.

    A classifier therefore reads photographs as those that it was trained on, also after it was exported.

    Args:
        image_shape: `(height, width, channels)` of the images, with 1 channel (grey) or 3 (red, green, blue).
        find_garment: Whether the garment is found and cut out, on black. In grey it is shown bright, as
            Fashion-MNIST does. Otherwise the image is the whole photograph, upright. None is True for `(28, 28, 1)`.
        crop_to_aspect_ratio: Whether a photograph of other proportions is cropped about its middle, as in Keras.
            Otherwise it is padded with the colour of its edges.

    Raises:
        ValueError: If the shape is none of an image, or the garment is to be found and cropped.

    Example:
        >>> ImageConverter((64, 64, 3))
        ImageConverter(image_shape=(64, 64, 3), find_garment=False, crop_to_aspect_ratio=False)
    """

    image_shape: ImageShape
    find_garment: bool
    crop_to_aspect_ratio: bool

    def __init__(
        self,
        image_shape: ImageShape = IMAGE_SHAPE,
        find_garment: bool | None = None,
        crop_to_aspect_ratio: bool = False,
    ) -> None:
        shape = check_image_shape(image_shape)
        found = shape == IMAGE_SHAPE if find_garment is None else check_flag(find_garment, "find_garment")
        if (cropped := check_flag(crop_to_aspect_ratio, "crop_to_aspect_ratio")) and found:
            raise ValueError(
                "`crop_to_aspect_ratio=True` crops the whole photograph, but the garment is to be found, and is kept "
                "whole. Pass `find_garment=False`."
            )
        object.__setattr__(self, "image_shape", shape)  # the way into a frozen dataclass
        object.__setattr__(self, "find_garment", found)
        object.__setattr__(self, "crop_to_aspect_ratio", cropped)

    def to_dict(self) -> dict[str, Any]:
        """Return its fields in JSON's types."""
        return {**asdict(self), "image_shape": list(self.image_shape)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave.

        Raises:
            ValueError: If a field is wrong.
            TypeError: If a field is unknown, or has the wrong type.
        """
        return cls(**values)

"""`Split` and `Dataset`: images with labels and class names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._converter import ImageConverter
from fashionclf._html import bar, table, thumbnail
from fashionclf._images import check_image_shape, check_images, shape_of, warn_of_doubtful_set, without_channel
from fashionclf._text import shown
from fashionclf._types import ClassNames, ImageArray, ImageShape, ImagesLike, LabelsLike
from fashionclf._validation import check_each, check_groups, check_labels, check_rows, check_text
from fashionclf.datasets._sources import ABOUT
from fashionclf.labels import check_class_names
from fashionclf.preprocessing import split_indices

LabelArray: TypeAlias = NDArray[np.uint8] | NDArray[np.int64]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Split:
    """Images with their labels and the names of their classes.

    It unpacks into images and labels, `images, labels = split`; its length is the number of images, and a slice, a mask
    or an array of positions gives the part: `split[:1000]`. A slice shares the memory of the arrays.

    Args:
        images: Integers 0..255 or floats in [0, 1], `(n, height, width)` or `(n, height, width, channels)`, rows of
            pixels, or a list of single images: as `prepare_images` takes them.
        labels: One integer per image, `(n,)`, from 0 to the number of classes less one.
        class_names: One name per class, in label order; None if they are unknown.
        files: The file of each image, or None.
        groups: The group of each image (such as the person who took it), or None. Images of one group are never split
            between training and validation.
        image_shape: `(height, width, channels)` of the images. None takes that of the arrays; rows of other images than
            28x28 need it.
        image_converter: How photographs became these images, or None. `load_folder` gives it.

    Attributes:
        images: uint8 0..255 (float32 in [0, 1] if floats were given), `(n, height, width)` in grey, `(n, height, width,
            3)` in colour.
        labels: uint8 `(n,)` (int64 if there are more than 256 classes).
        class_names: A tuple of strings, or None.
        files: A tuple of strings, or None.
        groups: An array `(n,)` of integers or strings, or None.
        image_converter: An `ImageConverter`, or None.

    Raises:
        ValueError: If shapes, lengths, pixels, labels or names are not as described, or the images have another shape
            than their converter gives.
        TypeError: If something is not an array of numbers, or a name is not a string.

    Warns:
        DoubtfulImageWarning: If all images are nearly black, as masks of zeros and ones are, or most look like
            negatives.

    Example:
        >>> import numpy as np
        >>> from fashionclf.datasets import Split
        >>> images = np.zeros((4, 64, 48), "uint8")
        >>> split = Split(images, [0, 1, 1, 0], class_names=["cat", "dog"])
        >>> split
        Split(4 images uint8 (4, 64, 48), 2 classes)
        >>> images, labels = split[split.labels == 1]
        >>> images.shape, labels
        ((2, 64, 48), array([1, 1], dtype=uint8))
    """

    images: ImageArray
    labels: LabelArray
    class_names: tuple[str, ...] | None
    files: tuple[str, ...] | None
    groups: NDArray[Any] | None
    image_converter: ImageConverter | None

    def __init__(
        self,
        images: ImagesLike,
        labels: LabelsLike,
        *,
        class_names: ClassNames | None = None,
        files: Sequence[str] | None = None,
        groups: Any = None,
        image_shape: ImageShape | None = None,
        image_converter: ImageConverter | None = None,
    ) -> None:
        names = None if class_names is None else check_class_names(class_names)
        shape = None if image_shape is None else check_image_shape(image_shape)
        checked = check_images(images, image_shape=shape, count=(*shape_of(labels), 0)[0])
        if not isinstance(image_converter, ImageConverter | None):
            raise TypeError(f"`image_converter` must be an ImageConverter or None. Received: {shown(image_converter)}")
        if image_converter is not None and checked.shape[1:] != image_converter.image_shape:
            raise ValueError(
                f"The images have shape {checked.shape[1:]}, but their converter gives {image_converter.image_shape}. "
                "Read the photographs with one `ImageConverter`."
            )
        small = _small_labels(labels, len(checked), None if names is None else len(names))
        bright = image_converter is None or image_converter.find_garment
        warn_of_doubtful_set(checked, "images", bright_on_black=bright)
        self._set(
            images=without_channel(checked),
            labels=small,
            class_names=names,
            files=None if files is None else tuple(map(str, check_each(files, "files", len(checked)))),
            groups=check_groups(groups, len(checked)),
            image_converter=image_converter,
        )

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)  # the way into a frozen dataclass

    @property
    def image_shape(self) -> ImageShape:
        """`(height, width, channels)` of the images."""
        height, width = self.images.shape[1:3]
        return height, width, 1 if self.images.ndim == 3 else 3

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.images, self.labels))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: Any) -> "Split":
        if isinstance(part, tuple) or (hasattr(part, "__index__") and not getattr(part, "ndim", 0)):
            raise TypeError(
                f"A Split is taken apart by slices, masks or arrays of positions. Received: {shown(part)}. Index "
                "`split.images` and `split.labels` for one image, and unpack with `images, labels = split`."
            )
        rows = check_rows(part, "part", len(self))
        images, labels = self.images[rows], self.labels[rows]
        if not len(images):
            raise ValueError(f"No images are left of {len(self)} by {shown(part)}; take at least one.")
        rest = object.__new__(Split)
        rest._set(  # a part of what has been checked
            images=images,
            labels=labels,
            class_names=self.class_names,
            files=None if self.files is None else tuple(np.array(self.files, dtype=object)[rows]),
            groups=None if self.groups is None else self.groups[rows],
            image_converter=self.image_converter,
        )
        return rest

    def train_validation_split(
        self, *, validation_size: float = 0.2, seed: int | None = None, stratify: bool = True
    ) -> "tuple[Split, Split]":
        """Divide into a training and a validation part, shuffled, as `fashionclf.train_validation_split` does.

        Class names, files and how photographs were read go with both parts. A group is never in both.

        Args:
            validation_size: A fraction between 0 and 1, or a number of images.
            seed: From 0 to 2**32 - 1; the same seed gives the same parts. None draws fresh entropy.
            stratify: Keep the share of every class the same in both parts.

        Raises:
            ValueError: As `fashionclf.train_validation_split`.
            ImportError: If there are groups and scikit-learn is missing.

        Example:
            >>> import fashionclf as fc
            >>> train, validation = fc.load_data("synthetic").test.train_validation_split(seed=42)
            >>> len(train), len(validation)
            (8000, 2000)
        """
        parts = split_indices(
            self.labels.astype(np.int64),
            validation_size=validation_size,
            seed=seed,
            stratify=stratify,
            groups=self.groups,
        )
        return self[parts[0]], self[parts[1]]

    def __repr__(self) -> str:
        images = f"{len(self)} images {self.images.dtype} {self.images.shape}"
        classes = "unknown class names" if self.class_names is None else f"{len(self.class_names)} classes"
        return f"Split({images}, {classes})"


@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """Two splits, for training and for testing; unpacks exactly like the data sets of Keras.

    Attributes:
        name: Its name, such as `"fashion_mnist"`.
        train: The `Split` to train on.
        test: The `Split` to test on.

    Example:
        >>> import numpy as np
        >>> from fashionclf import CLASS_NAMES
        >>> from fashionclf.datasets import Dataset, Split
        >>> tiny = Split(np.zeros((2, 64, 48), "uint8"), [0, 9], class_names=CLASS_NAMES)
        >>> dataset = Dataset("tiny", train=tiny, test=tiny[1:])
        >>> (x_train, y_train), (x_test, y_test) = dataset
        >>> y_test
        array([9], dtype=uint8)
        >>> dataset
        Dataset('tiny': 2 train and 1 test images, 10 classes)
    """

    name: str
    train: Split
    test: Split

    def __post_init__(self) -> None:
        check_text(self.name, "name")
        for field in ("train", "test"):
            if not isinstance(getattr(self, field), Split):
                raise TypeError(f"`{field}` must be a Split. Received: {type(getattr(self, field)).__name__}")
        if self.train.class_names != self.test.class_names:
            raise ValueError(
                f"`train` and `test` must have the same classes. Received: {self.train.class_names} "
                f"and {self.test.class_names}"
            )
        if self.train.class_names is None:
            raise ValueError("The splits of a Dataset need class names: make them with `class_names=[...]`.")

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order."""
        return self.train.class_names or ()  # never empty: checked when the Dataset was made

    def __iter__(self) -> Iterator[Split]:
        return iter((self.train, self.test))

    def __repr__(self) -> str:
        counts = f"{len(self.train)} train and {len(self.test)} test images"
        return f"Dataset({self.name!r}: {counts}, {len(self.class_names)} classes)"

    def _repr_html_(self) -> str:
        train, test = (np.bincount(split.labels, minlength=len(self.class_names)).tolist() for split in self)
        rows: list[Any] = []
        for label, name in enumerate(self.class_names):
            first = self.train.images[np.flatnonzero(self.train.labels == label)[:1]]
            counts = [bar(each[label] / max(each), f"{each[label]:,}") for each in (train, test)]
            rows.append([thumbnail(first[0]) if len(first) else "", label, name, *counts])
        return table(repr(self), ["", "label", "class", "train", "test"], rows)

    def describe(self) -> str:
        """Return a table of shapes, dtypes, smallest and largest pixel, and images per class.

        A notebook or a console shows it as a table even without `print`.
        """
        lines = [f"{self.name} - {ABOUT[self.name]}" if self.name in ABOUT else self.name, ""]
        lines.append(f"{'':8}{'images':<24}{'labels':<20}{'min':>5}{'max':>6}")
        for title, split in (("train", self.train), ("test", self.test)):
            images = f"{split.images.dtype} {split.images.shape}"
            labels = f"{split.labels.dtype} {split.labels.shape}"
            low, high = split.images.min(), split.images.max()
            lines.append(f"{title:8}{images:<24}{labels:<20}{low:>5.3g}{high:>6.3g}")
        width = max(12, *map(len, self.class_names)) + 2
        lines += ["", f"{'label':>5}  {'class':<{width}}{'train':>8}{'test':>8}"]
        counts = [np.bincount(split.labels, minlength=len(self.class_names)) for split in self]
        for label, name in enumerate(self.class_names):
            lines.append(f"{label:>5}  {name:<{width}}{counts[0][label]:>8}{counts[1][label]:>8}")
        return _Table("\n".join(lines))


class _Table(str):
    """Text that is shown as it reads, without quotes and escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _small_labels(labels: LabelsLike, num_images: int, num_classes: int | None) -> LabelArray:
    checked = check_labels(labels, num_images=num_images, num_classes=num_classes)
    if checked.ndim != 1:
        raise ValueError(
            f"`labels` has shape {checked.shape}, expected integers (n,). "
            "Turn one-hot rows into integers with `labels.argmax(axis=1)`."
        )
    if checked.max() > 255:
        return checked.astype(np.int64, copy=False)
    given = np.asarray(labels)
    # the caller's own array where it will do, so that a slice of a Split is a view
    return given if given.dtype == np.uint8 and given.shape == checked.shape else checked.astype(np.uint8)

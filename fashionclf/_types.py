"""Types of the arrays, images, labels and names that many functions take."""

import os
from collections.abc import Iterator, Sequence
from typing import IO, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

UInt8Array: TypeAlias = NDArray[np.uint8]
FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
ImageArray: TypeAlias = UInt8Array | FloatArray
ImageShape: TypeAlias = tuple[int, int, int]
"""`(height, width, channels)` of an image, with 1 channel or 3."""


class SupportsArray(Protocol):
    """An array, a tensor or a number of numpy: anything that numpy can turn into an array."""

    def __array__(self) -> NDArray[Any]: ...


class PILImage(Protocol):
    """An image of pillow, by the attribute through which numpy reads it."""

    @property
    def __array_interface__(self) -> object: ...


class TensorDataset(Protocol):
    """A `tf.data.Dataset`, by the method through which it gives arrays."""

    def as_numpy_iterator(self) -> Iterator[Any]: ...


class BatchSequence(Protocol):
    """A `keras.utils.PyDataset`, by two of its methods."""

    def __getitem__(self, index: int, /) -> Any: ...
    def on_epoch_end(self) -> None: ...


_Numbers: TypeAlias = Sequence[float]
_Rows: TypeAlias = Sequence[_Numbers]
_Grids: TypeAlias = Sequence[_Rows]
ImagesLike: TypeAlias = SupportsArray | Sequence[SupportsArray] | _Numbers | _Rows | _Grids | Sequence[_Grids]
"""Images as `fashionclf.prepare_images` accepts them: an array or tensor, a list of them, or nested numbers."""

LabelsLike: TypeAlias = SupportsArray | Sequence[SupportsArray] | _Numbers | _Rows
"""Integer labels `(n,)` or one-hot rows `(n, num_classes)`: an array, a list or a tensor."""

StreamLike: TypeAlias = TensorDataset | BatchSequence
"""A `tf.data.Dataset` or a `keras.utils.PyDataset`."""

LabelledLike: TypeAlias = (
    ImagesLike | tuple[ImagesLike, LabelsLike] | tuple[ImagesLike, LabelsLike, SupportsArray] | StreamLike
)
"""Images, a tuple of images and labels (and weights), or a stream of such tuples."""

PathLike: TypeAlias = str | os.PathLike[str]
PhotographLike: TypeAlias = PathLike | IO[bytes] | PILImage | SupportsArray
"""One photograph: a path, a binary file object, a PIL image, or an array `(h, w)` or `(h, w, 1 or 3 or 4)`."""

PredictLike: TypeAlias = ImagesLike | PhotographLike | Sequence[PhotographLike] | Iterator[Any] | StreamLike
"""What `Trainer.predict` accepts: images, photographs, a stream or iterator of them, or the path of a folder."""

ClassNames: TypeAlias = Sequence[str]
DatasetName: TypeAlias = Literal["fashion_mnist", "mnist", "synthetic"]
LabelSet: TypeAlias = DatasetName | Literal["clothing"]
Language: TypeAlias = Literal["en", "ko"]
PresetName: TypeAlias = Literal[
    "softmax",
    "dense_100",
    "dense_200",
    "dense_200_100",
    "dense_256_64",
    "dense_rowwise",
    "cnn_small",
    "cnn_dropout",
    "cnn_fast",
    "cnn_balanced",
    "cnn_accurate",
    "cnn_robust",
    "efficientnet_lite0",
]
FillMode: TypeAlias = Literal["constant", "nearest"]
Schedule: TypeAlias = Literal["constant", "one_cycle", "cosine"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

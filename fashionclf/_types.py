"""Aliases for the arrays and options that many functions share."""

import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ImagesLike: TypeAlias = Any
"""Images as `fashionclf.prepare_images` accepts them; too many forms for a static type."""

LabelsLike: TypeAlias = Any
"""Integer labels `(n,)` or one-hot rows `(n, num_classes)`; array, list or tensor."""

UInt8Array: TypeAlias = NDArray[np.uint8]
FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
ImageArray: TypeAlias = UInt8Array | FloatArray

PathLike: TypeAlias = str | os.PathLike[str]
ClassNames: TypeAlias = Sequence[str]

DatasetName: TypeAlias = Literal["fashion_mnist", "mnist", "synthetic"]
Language: TypeAlias = Literal["en", "ko"]

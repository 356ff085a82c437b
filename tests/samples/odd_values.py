"""Values that callers pass by mistake. Each is built anew, because some can be read only once."""

import decimal
import fractions
import io
import types
from pathlib import Path, PurePosixPath

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

IMAGES = np.random.RandomState(0).randint(0, 256, (4, 28, 28)).astype(np.uint8)


class FailingArray:
    shape = (2, 28, 28)
    dtype = np.dtype(np.uint8)

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no memory left on the device")

    def __repr__(self):
        raise RuntimeError("no repr either")


def generator():
    yield from IMAGES


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def endless_list():
    value = []
    value.append(value)
    return value


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


NUMBERS = [
    *(0, 1, -1, 3, 2**31, 2**32, 2**63, 2**64, 10**400, -(10**400), 10**5000),
    *(0.0, -0.0, 0.5, 1.5, 1e308, -1e-300, float("nan"), float("inf"), float("-inf"), 1j),
    *(True, False, np.True_, np.int8(-1), np.uint64(2**64 - 1), np.float16(0.5), np.float32("nan"), np.longdouble(1)),
    *(np.array(3), np.array(2.5), np.array([3]), np.datetime64("2020-01-01"), np.timedelta64(3, "D")),
    *(fractions.Fraction(1, 3), decimal.Decimal("0.5"), fractions.Fraction(10**400)),
]
TEXTS = [
    *(
        "",
        " ",
        "0",
        "Shirt",
        "셔츠",
        "a\0b",
        "\ud800",
        "line\nbreak",
        "~nobody-here/x.keras",
        "a" * 1_000_000,
        "x/" * 4000,
    ),
    *(
        "no/such/file.keras",
        "no-such.png",
        "http://localhost/a.keras",
        ".",
        "con:",
        "*",
        b"bytes",
        bytearray(b"\0"),
    ),
    *(np.str_("Shirt"), Path("no-such-file"), PurePosixPath("a" * 300), Path("a\0b")),
]
OTHERS = {
    "None": lambda: None,
    "object": object,
    "class": lambda: int,
    "function": lambda: len,
    "module": lambda: np,
    "ellipsis": lambda: ...,
    "slice": lambda: slice(0, 10**400),
    "empty iterator": lambda: iter(()),
    "iterator": lambda: iter([1, None]),
    "generator": generator,
    "range": lambda: range(10),
    "empty list": list,
    "list of None": lambda: [None, None],
    "list of text": lambda: ["a", "b"],
    "list of long text": lambda: ["a" * 5000] * 300,
    "list of NUL": lambda: ["a\0", "b\ud800"],
    "two languages": lambda: ["Shirt", "셔츠"],
    "list of huge": lambda: [10**400, 1],
    "list of infinity": lambda: [float("inf"), 0.5],
    "list of lists": lambda: [[1, 2], [3]],
    "list of numbers": lambda: [0, 1, 2, 3],
    "list of images": lambda: list(IMAGES),
    "list of masked": lambda: [np.ma.masked_equal(IMAGES[0], IMAGES[0, 3, 3])] * 2,
    "deep list": lambda: nested(200),
    "endless list": endless_list,
    "tuple": lambda: (1, "a", None),
    "empty tuple": tuple,
    "set": lambda: {1, 2},
    "empty dict": dict,
    "dict": lambda: {"a": 1, 2: "b"},
    "dict of long text": lambda: {"a" * 100_000: 0.5},
    "dict of huge": lambda: {"a": 10**400, "b": [10**400]},
    "dict of arrays": lambda: {"a": IMAGES / 255, "b": np.full(3, np.nan)},
    "namespace": lambda: types.SimpleNamespace(shape=(28, 28), history=3, model=None),
    "failing array": FailingArray,
    "file": lambda: io.BytesIO(b"not an image"),
    "text file": lambda: io.StringIO("not an image"),
    "masked images": lambda: np.ma.masked_greater(IMAGES, 100),
    "masked labels": lambda: np.ma.masked_equal([0, 1, 2, 3], 2),
    "masked one": lambda: np.ma.masked,
    "masked nothing": lambda: np.ma.array(IMAGES),
    "masked structured": lambda: np.ma.array([(1, 2.0)], dtype="i4,f8", mask=[(1, 0)]),
    "structured": lambda: np.zeros(4, np.dtype([(f"field {i}", "i4") for i in range(300)])),
    "record": lambda: np.rec.array([(1, 2.0)]),
    "object array": lambda: np.array([1, "a", None], dtype=object),
    "text array": lambda: np.array(["Shirt", "Bag"]),
    "bytes array": lambda: np.array([b"a", b"b"]),
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "read-only images": lambda: read_only(IMAGES),
    "big-endian images": lambda: IMAGES.astype(">f8") / 255,
    "Fortran images": lambda: np.asfortranarray(IMAGES),
    "negative strides": lambda: IMAGES[::-1, ::-1, ::-1],
    "broadcast images": lambda: np.broadcast_to(np.uint8(7), (3, 28, 28)),
    "half images": lambda: (IMAGES / 255).astype(np.float16),
    "long double": lambda: np.full((28, 28), np.longdouble(10) ** 4000),
    "huge floats": lambda: np.full(4, 1e300),
    "huge integers": lambda: np.full((28, 28), 2**64 - 1, np.uint64),
    "image with NaN": lambda: np.where(IMAGES > 5, np.nan, 0.5),
    "no images": lambda: np.zeros((0, 28, 28)),
    "no pixels": lambda: np.zeros((4, 0, 28)),
    "0-d": lambda: np.array(0.5),
    "63 axes": lambda: np.zeros((1,) * 32),
    "photograph": lambda: np.zeros((5, 5, 3), np.uint8),
    "wide": lambda: np.zeros((1, 40000, 3), np.uint8),
}  # fmt: skip
MAKERS = {
    **{f"number {i}": (lambda value=value: value) for i, value in enumerate(NUMBERS)},
    **{f"text {i}": (lambda value=value: value) for i, value in enumerate(TEXTS)},
    **OTHERS,
}
SHAPES = st.sampled_from([(28, 28), (4, 28, 28), (4, 28, 28, 1), (4, 784), (4, 10), (4,), (4, 1), (5, 5, 4), (1, 0)])
ARRAYS = arrays.arrays(
    arrays.scalar_dtypes() | st.just(np.dtype("O")),
    SHAPES | arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
)
ODD = st.sampled_from(list(MAKERS)).map(lambda name: MAKERS[name]()) | ARRAYS


def frozen(value):
    """Return what a call may not change in a value."""
    if isinstance(value, np.ma.MaskedArray):
        return (value.data.tobytes(), value.mask.tobytes())
    if isinstance(value, np.ndarray):
        return (
            value.shape,
            value.dtype,
            value.flags.writeable,
            repr(value) if value.dtype.hasobject else value.tobytes(),
        )
    if type(value) is dict:
        return [(key, frozen(each)) for key, each in value.items()]
    if type(value) in (list, tuple) and len(value) < 1000:
        return [frozen(each) if each is not value else None for each in value]
    return None

"""Reading image files: mistakes, formats, and what is left alone."""

import contextlib
import gc
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from samples.photographs import FORMATS, difference, draw, encoded

from fashionclf.photographs import load_image, preprocessing_steps
from fashionclf.photographs._input import read_input
from fashionclf.photographs._reading import read_photograph

WRONG = {
    "bytes": (b"\x89PNG", TypeError, r"io\.BytesIO"),
    "None": (None, TypeError, "NoneType"),
    "number": (3, TypeError, "int"),
    "list": ([[1, 2]], TypeError, "list"),
    "text file": (io.StringIO("x"), TypeError, "'rb'"),
    "empty name": ("", ValueError, "empty string"),
    "null in the name": ("a\0.png", ValueError, "path"),
    "missing": ("no/such/image.png", FileNotFoundError, "no/such/image.png"),
    "empty file": (io.BytesIO(), ValueError, "empty or not an image"),
    "not an image": (io.BytesIO(b"GIF of a cat"), ValueError, r"empty or not an image \(AVIF, BMP, "),
    "closed": (lambda: closed_file(), ValueError, "closed"),
    "empty array": (np.zeros((0, 5), np.uint8), ValueError, r"shape \(0, 5\)"),
    "empty image": (Image.new("L", (0, 4)), ValueError, "0 x 4 pixels"),
    "one axis": (np.zeros(784, np.uint8), ValueError, r"shape \(784,\), expected one image"),
    "scalar": (np.float64(0.5), ValueError, r"shape \(\)"),
    "many": (np.zeros((5, 28, 28), np.uint8), ValueError, r"shape \(5, 28, 28\), expected one image: \(h, w\)"),
    "two channels": (np.zeros((8, 8, 2), np.uint8), ValueError, r"\(h, w, 3\) for colour"),
    "NaN": (np.full((9, 9), np.nan), ValueError, "NaN"),
    "floats to 255": (np.full((9, 9), 255.0), ValueError, "divide by 255"),
    "large integers": (np.full((9, 9), 256), ValueError, r"expected 0\.\.255"),
    "bool": (np.zeros((9, 9), bool), TypeError, "bool"),
    "text array": (np.array([["a"]]), TypeError, "dtype"),
    "deep and negative": (Image.new("I", (9, 9), -1), ValueError, r"from -1 to -1, expected 0\.\.65535"),
    "float beyond": (Image.new("F", (9, 9), 256.0), ValueError, r"0\.\.255"),
    "float NaN": (Image.new("F", (9, 9), float("nan")), ValueError, "nan"),
}


def closed_file():
    file = io.BytesIO()
    file.close()
    return file


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case):
    source, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        load_image(source() if callable(source) and not hasattr(source, "read") else source)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
def test_truncated_files(kind, share, tmp_path):
    content = encoded(draw(100), kind).getvalue()
    path = tmp_path / "part"
    path.write_bytes(content[: max(12, int(len(content) * share))])
    with pytest.raises(ValueError, match=r"part' is (damaged or truncated|empty or not an image)"):
        load_image(path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.randoms(use_true_random=False))
def test_altered_files_give_an_image_or_a_clear_error(kind, random):
    content = bytearray(encoded(draw(40, margin=8), kind).getvalue())
    for _ in range(random.randint(1, 20)):
        content[random.randrange(len(content))] = random.randrange(256)
    with contextlib.suppress(ValueError):
        assert preprocessing_steps(io.BytesIO(content)).image.shape == (28, 28)


@pytest.mark.parametrize("limit", [50_000, 150_000])  # pillow warns above its limit, and refuses above twice that
def test_decompression_bombs(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match="too large to be read safely"):
        load_image(encoded(draw()))


def test_folders_and_foreign_formats(tmp_path):
    with pytest.raises(ValueError, match="is a folder, expected one image"):
        load_image(tmp_path)
    with pytest.raises(ValueError, match="not an image"):
        load_image(encoded(draw(), "PPM"))


def test_without_pillow_one_sentence_says_what_to_install(monkeypatch, garments):
    for module in [name for name in sys.modules if name.split(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'fashionclf\[images\]'"):
        load_image("boot.png")
    assert read_input(garments[0]).images is garments[0]


def test_sources_are_left_alone(tmp_path):
    image = draw()
    before = image.copy()
    load_image(image)
    assert image == before
    path = tmp_path / "boot.png"
    image.save(path)
    with Image.open(path) as opened:
        load_image(opened)
        assert opened.size == image.size
        assert np.array_equal(opened, image)
    load_image(path)
    gc.collect()  # a file left open would warn here, and warnings are errors
    path.unlink()


def test_a_file_object_is_read_from_its_start(boot):
    file = encoded(draw())
    file.seek(10)
    np.testing.assert_array_equal(load_image(file), boot)
    np.testing.assert_array_equal(load_image(file), boot)


def test_large_photographs_are_made_smaller(boot):
    file = encoded(draw(2400, margin=500), "JPEG")
    assert max(read_photograph(file).colours.shape) == 512
    assert difference(load_image(file), boot) < 5

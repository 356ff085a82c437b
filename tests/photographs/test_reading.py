"""Reading image files: mistakes, formats, and what is left alone."""

import contextlib
import gc
import io
import os
import struct
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from samples.photographs import FORMATS, difference, draw, encoded

from fashionclf.inputs import read_images
from fashionclf.photographs import ImageConverter, _reading, load_image, preprocessing_steps
from fashionclf.photographs._reading import LIMIT, SHARED, _Budget, is_pil_image, read_photograph

WRONG = {
    "bytes": (b"\x89PNG", TypeError, r"io\.BytesIO"),
    "None": (None, TypeError, "NoneType"),
    "number": (3, TypeError, "int"),
    "list": ([[1, 2]], TypeError, "list"),
    "text file": (io.StringIO("x"), TypeError, "'rb'"),
    "empty name": ("", ValueError, "empty string"),
    "null in the name": ("a\0.png", ValueError, "path"),
    "URL": ("https://example.org/shirt.jpg", ValueError, r"is a URL: 'https.*: download it first"),
    "path of a URL": (Path("https://example.org/shirt.jpg"), ValueError, "is a URL"),
    "bucket": ("s3://photos/shirt.jpg", ValueError, "is a URL"),
    "data URL": ("data:image/png;base64,iVBO", ValueError, "is a URL"),
    "too long": ("shirt" * 10_000 + ".jpg", ValueError, "not a possible path: File name too long"),
    "device": ("/dev/zero", ValueError, "one image. '/dev/zero' is a pipe, a socket or a device"),
    "below a file": (Path(__file__) / "shirt.jpg", FileNotFoundError, "There is no image"),
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
    with pytest.raises(ValueError, match=r"Expected one image\. .* is a folder"):
        load_image(tmp_path)
    with pytest.raises(ValueError, match="not an image"):
        load_image(encoded(draw(), "PPM"))


def test_without_pillow_one_sentence_says_what_to_install(monkeypatch, garments):
    for module in [name for name in sys.modules if name.split(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[images\]"'):
        load_image("boot.png")
    np.testing.assert_array_equal(read_images(garments[0], ImageConverter()).images[..., 0], garments[0])


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
    assert max(read_photograph(file, ImageConverter()).size) == 512
    assert difference(load_image(file), boot) < 5


@pytest.mark.parametrize("source", [*WRONG, None])
def test_half_of_pillow_is_no_image(monkeypatch, source):
    """What one thread sees while another imports pillow."""
    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))
    assert not is_pil_image(WRONG[source][0] if source else draw())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ValueError, match="is a pipe, a socket or a device"):
        load_image(tmp_path / "pipe.jpg")


class Unseekable(io.BytesIO):
    def seekable(self):
        return False

    def seek(self, *arguments):
        raise io.UnsupportedOperation


def test_a_stream_is_read_and_one_without_an_end_is_not(boot, monkeypatch):
    np.testing.assert_array_equal(load_image(Unseekable(encoded(draw()).getvalue())), boot)
    monkeypatch.setattr(_reading, "LIMIT", 10_000)
    with open("/dev/zero", "rb", buffering=0) as file:  # noqa: PTH123
        stream = types.SimpleNamespace(read=file.read, seekable=lambda: False)
        with pytest.raises(ValueError, match="too large to be read safely: 10,001 bytes"):
            load_image(stream)


@pytest.mark.parametrize("number", [13, 5])  # permission, input/output
def test_errors_of_the_disk_are_no_damage(tmp_path, monkeypatch, number):
    draw().save(tmp_path / "boot.png")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    class Broken(io.FileIO):
        def readinto(self, _):
            raise OSError(number, os.strerror(number))

        def read(self, _=-1):
            raise OSError(number, os.strerror(number))

    opened = Path.open
    for broken in (lambda path, mode: Broken(path), refuse):
        monkeypatch.setattr(Path, "open", broken)
        with pytest.raises(OSError, match=rf"boot\.png' cannot be read: {os.strerror(number)}\. Check") as caught:
            load_image(tmp_path / "boot.png")
        assert isinstance(caught.value, PermissionError) == (number == 13)
        assert caught.value.errno == number
    monkeypatch.setattr(Path, "open", opened)


def with_corrupt_exif():
    entries = (0x0112, 3, 1, 6 << 16), (0x010F, 2, 255, 255)  # turned; a maker whose name is beyond the end
    exif = b"Exif\0\0" + struct.pack(">2sHLH", b"MM", 42, 8, 2) + b"".join(struct.pack(">HHLL", *e) for e in entries)
    return encoded(draw(), "JPEG", exif=exif)


def with_transparent_palette():
    image = draw(background=(255, 0, 255)).quantize(8)
    return encoded(image, transparency=bytes([0, 200, 255, 255, 255, 255, 255, 255]))


def malformed_mpo():
    content = encoded(draw(), "MPO", save_all=True, append_images=[draw()]).getvalue()
    place = content.index(b"MPF\0") + 4
    return io.BytesIO(content[:place] + b"XX" + content[place + 2 :])


@pytest.mark.parametrize("file", [with_corrupt_exif, with_transparent_palette, malformed_mpo])
def test_warnings_of_pillow_are_for_nobody(file):
    """In these tests warnings are errors, and would be reported as damage."""
    assert load_image(file()).any()


def bomb(kind, **options):
    return encoded(Image.new("RGB", (900, 800)), kind, **options)


def with_large_tiles():
    content = bytearray(bomb("TIFF", compression="tiff_deflate").getvalue())
    with Image.open(io.BytesIO(content)) as image:
        rows = image.tag_v2[278]
    place = content.index((278).to_bytes(2, "little"))
    content[place : place + 2] = (323).to_bytes(2, "little")  # rows in a strip become the length of a tile
    assert rows
    content[place + 8 : place + 12] = (2**31 - 16).to_bytes(4, "little")
    return io.BytesIO(content)


BOMBS = {
    "progressive JPEG": lambda: bomb("JPEG", progressive=True, subsampling=0),
    "PNG": lambda: bomb("PNG"),
    "TIFF": with_large_tiles,
    "WebP": lambda: bomb("WEBP", lossless=True),
}


@pytest.mark.parametrize("case", BOMBS)
def test_what_takes_too_much_memory_is_refused_before_it_is_decoded(monkeypatch, case):
    monkeypatch.setattr(_reading, "LIMIT", 2_000_000)
    monkeypatch.setattr(_reading, "decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=r"900 x 800 pixels take [\d,]+ bytes of memory in this format"):
        load_image(BOMBS[case]())


def test_a_large_baseline_jpeg_takes_little_memory(monkeypatch, boot):
    monkeypatch.setattr(_reading, "LIMIT", 4_000_000)
    assert difference(load_image(encoded(draw(2400, margin=500), "JPEG")), boot) < 5


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_large_images_are_read_in_bands(boot, mode, monkeypatch):
    image = draw(2400, margin=481)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    image = image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    if mode in ("CMYK", "F"):  # as an upright TIFF: pillow 10.0 turns TIFFs twice
        seen = load_image(encoded(image, "TIFF"))
    else:
        seen = load_image(encoded(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif, compress_level=1))
    assert difference(seen, boot) < (40 if mode == "1" else 5)
    if mode == "RGB":
        small = image.copy()
        small.thumbnail((512, 512), Image.Resampling.BOX)
        assert difference(np.asarray(read_photograph(image, ImageConverter())), np.asarray(small)) < 0.01


def test_threads_share_the_memory():
    budget, taken, most, order = _Budget(), [0], [0], []
    lock = threading.Lock()

    def take(amount):
        with budget.reserved(amount):
            with lock:
                taken[0] += amount
                most[0] = max(most[0], taken[0])
                order.append(amount)
            time.sleep(0.002)
            with lock:
                taken[0] -= amount

    amounts = [LIMIT, *[SHARED // 3] * 6, LIMIT] * 3
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, amounts))
    assert len(order) == len(amounts)
    assert most[0] == LIMIT  # one alone
    assert sum(amounts) == sum(order)
    assert taken[0] == 0

"""Photographs: threads that import at once, files that need much memory, a damaged network."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionclf.photographs import _garment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# For a process of its own: pillow's modules and OpenCV are in `sys.modules` half a second before they run.
SLOW_IMPORT = """
import importlib.abc, importlib.machinery, os, sys, time

os.cpu_count = lambda: 4

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in ("PIL.Image", "PIL.ImageOps", "cv2"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def later(module):
            time.sleep(0.5)
            run(module)
        spec.loader.exec_module = later
        return spec

sys.meta_path.insert(0, Slow())
import fashionclf as fc
folder, model = sys.argv[1:]
files = [os.path.join(folder, "Shirt", name) for name in sorted(os.listdir(os.path.join(folder, "Shirt")))]
"""
FIRST_CALLS = {
    "load_folder": "assert len(fc.load_folder(folder)) == 8",
    "an exported model": "assert len(fc.load_exported(model).predict(os.path.dirname(files[0]))) == 8",
    "load_image in threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool: assert len(list(pool.map(fc.load_image, files))) == 8"
    ),
}


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def clothes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clothes")
    (folder / "Shirt").mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        wood = np.repeat(rng.integers(90, 190, (1, 30, 3)), 10, axis=1).repeat(240, axis=0) + rng.integers(
            0, 30, (240, 300, 3)
        )
        wood[60:180, 90:200] = 20
        Image.fromarray(wood.astype(np.uint8)).save(folder / "Shirt" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory, fitted):
    path = tmp_path_factory.mktemp("models") / "model.tflite"
    fitted.export(path)
    return path


@pytest.mark.parametrize("case", FIRST_CALLS)
def test_the_first_call_of_a_process_in_threads(case, clothes, exported):
    run(SLOW_IMPORT + FIRST_CALLS[case], clothes, exported)


PEAK = """
import os, sys, warnings
warnings.simplefilter("ignore")
os.cpu_count = lambda: 8
import numpy as np
import fashionclf as fc
fc.load_image(np.full((60, 60, 3), 9, np.uint8))  # imports what is needed

def kilobytes(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

open("/proc/self/clear_refs", "w").write("5")
before = kilobytes("VmRSS")
try:
    print(len(fc.load_folder(sys.argv[1], on_error="skip")), end=" ")
except ValueError as error:
    print(0, end=" ")
print((kilobytes("VmHWM") - before) // 1024)
"""


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Small files of many pixels, two of each, as `load_folder` reads them in threads."""
    folder = tmp_path_factory.mktemp("bombs")
    (folder / "Shirt").mkdir()
    square = Image.new("RGB", (9400, 9400), (240, 240, 240))
    square.paste((40, 40, 60), (2000, 2000, 6000, 7000))
    clothes = folder / "Shirt"
    square.save(clothes / "0.png", compress_level=1)
    square.convert("L").save(clothes / "0.tif", compression="tiff_deflate")
    nearest = Image.Resampling.NEAREST
    square.resize((13300, 13300), nearest).save(clothes / "0.jpg", progressive=True, subsampling=0)
    square.resize((12000, 9000), nearest).save(clothes / "phone.jpg")  # 108 megapixels
    square.resize((8000, 6000), nearest).save(clothes / "phone48.png", compress_level=1)
    for file in list(clothes.iterdir()):
        shutil.copy(file, file.with_stem(f"{file.stem}_again"))
    square.save(clothes / "lossless.webp", lossless=True, method=0)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_files_take_more_than_a_gigabyte(bombs):
    read, megabytes = map(int, run(PEAK, bombs).split())
    print(f"{read} read, {megabytes} MB at peak")
    assert read == 8  # all but the progressive JPEGs and the WebP
    assert megabytes < 1000


def test_one_wrong_bit_in_the_network_is_noticed(tmp_path, monkeypatch):
    source = ROOT / "fashionclf" / "photographs" / _garment.NETWORK
    content, rng = source.read_bytes(), np.random.default_rng(0)
    network = tmp_path / "finder.onnx"
    Path(f"{network}.sha256").write_bytes(Path(f"{source}.sha256").read_bytes())
    monkeypatch.setattr(_garment, "NETWORK", str(network))
    monkeypatch.setattr(_garment, "_loaded", threading.local())
    monkeypatch.setattr(_garment, "_weights", functools.cache(_garment._weights.__wrapped__))
    pixels = np.zeros((50, 50, 3), np.uint8)
    for _ in range(100):
        altered = bytearray(content)
        altered[rng.integers(len(altered))] ^= 1 << int(rng.integers(8))
        network.write_bytes(altered)
        with pytest.raises(ImportError, match=r"damaged: its sha256 is not the one"):
            _garment._probability(pixels)
    network.write_bytes(content)
    assert _garment._probability(pixels).shape == (96, 96)

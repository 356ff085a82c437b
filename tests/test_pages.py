"""The Python code of README and documentation: each page in a fresh process, block after block, as a reader runs it.

A page runs in a fork of a process that has imported TensorFlow and Keras (`samples/fresh.py` says what is fresh), in a
folder with the photographs that pages name. `load_data` gives 600 and 40 drawn images (`samples/small_data.py`), so
that training takes seconds. What a page prints is not compared: `docs/make_images.py --check` does that, on real data.

A block marked `<!-- not run: reason -->` is left out. One that begins with a future import is a module of its own.
"""

import csv
import functools
import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from samples import fresh, small_data
from samples.first_calls import photograph

from fashionclf.datasets._synthetic import draw_garments

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES_WITH_CODE = [page for page in PAGES if "\n```python\n" in page.read_text(encoding="utf-8")]
INSTALLED = {  # what a block needs beside fashionclf[docs], by a word that is in it
    "model_diagram": shutil.which("dot"),
    "TensorBoard": importlib.util.find_spec("tensorboard"),
}


@functools.cache
def make_images():
    """Import `docs/make_images.py`, which knows what a block is."""
    spec = importlib.util.spec_from_file_location("make_images", ROOT / "docs" / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def modules_of(page):
    """Return the source of a page, each line of code where the page has it, and that of blocks that stand alone."""
    lines = page.read_text(encoding="utf-8").splitlines()
    session, alone = {}, []
    for block in make_images().read_blocks(lines):
        code = "\n".join(block.code)
        if not block.tested or any(word in code and not found for word, found in INSTALLED.items()):
            continue
        numbered = dict(enumerate(block.code, start=block.first + 1))
        if block.code[0].startswith("from __future__"):
            alone.append(numbered)
        else:
            session |= numbered
    return ["\n".join(code.get(i, "") for i in range(len(lines))) for code in (session, *alone) if code]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the pages name: photo.jpg, folder/, photographs/, and clothes/ with a sub-folder per class and a table."""
    folder = tmp_path_factory.mktemp("files")
    images, labels = draw_garments(400)
    rows = []
    for name, label in {"Dress": 3, "Shirt": 6, "T-Shirt": 0, "Polo": 0}.items():
        (folder / "clothes" / name).mkdir(parents=True)
        for number, image in enumerate(images[labels == label][:6]):
            file = f"{name}/{number:04}.jpg"
            photograph(image).save(folder / "clothes" / file)
            rows.append({"image": file, "sender": number})
    with (folder / "clothes" / "clothing.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, ["image", "sender"])
        writer.writeheader()
        writer.writerows(rows)
    for name in ("folder", "photographs"):
        shutil.copytree(folder / "clothes" / "Dress", folder / name)
    shutil.copy(folder / "folder" / "0000.jpg", folder / "photo.jpg")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    small_data.write(data)
    environment = {
        **os.environ,
        "MPLBACKEND": "agg",
        small_data.VARIABLE: str(data),
        "JOBLIB_MULTIPROCESSING": "0",  # `test_pickle` and `test_cross_validation` start its processes
    }
    with fresh.ForkServer(environment, "keras", "tensorflow") as server:
        yield server


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_a_page(page, files, server, tmp_path):
    sources = modules_of(page)
    if not sources:
        pytest.skip("every block of the page is marked as not run")
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    for number, source in enumerate(sources):
        script = tmp_path / f"{page.stem}_{number}.py"
        script.write_text(source, encoding="utf-8")
        code, printed = server.run(small_data.__file__, script, folder=tmp_path)
        assert code == 0, f"{page.relative_to(ROOT)}, lines as in the page:\n{printed}"

"""The Python code of README and documentation: each page in a fresh process, block after block, as a reader runs it.

A page runs in a fork of a process that has imported TensorFlow and Keras (`samples/fresh.py` says what is fresh), in a
folder with the photographs that pages name. It runs on the real data, and prints what it shows: the same words, and
numbers within a tolerance.

The pages of `TRAINING` train on so much that they get 600 and 40 drawn images (`samples/small_data.py`), so that this
takes seconds. So do all pages where the real data is missing. What they print is not compared then:
`docs/make_images.py --check` does that, on real data.

A block marked `<!-- not run: reason -->` is left out. One that begins with a future import is a module of its own.
"""

import csv
import functools
import importlib.util
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from samples import fresh, printed, small_data
from samples.first_calls import photograph

from fashionclf.datasets._synthetic import draw_garments

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES_WITH_CODE = [page for page in PAGES if "\n```python\n" in page.read_text(encoding="utf-8")]
TRAINING = {
    "README",
    "calibrate",
    "cheat-sheet",
    "dense-or-convolution",
    "evaluate",
    "fast-training",
    "from-keras",
    "gallery",
    "index",
    "own-folder",
    "photographs",
    "quickstart",
    "serve",
    "tutorial",
}
INSTALLED = {  # what a block needs beside fashionclf[docs], by a word that is in it
    "model_diagram": shutil.which("dot"),
    "TensorBoard": importlib.util.find_spec("tensorboard"),
    "pd.": importlib.util.find_spec("pandas"),
}
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")


@functools.cache
def make_images():
    """Import `docs/make_images.py`, which knows what a block is."""
    spec = importlib.util.spec_from_file_location("make_images", ROOT / "docs" / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def modules_of(page):
    """Return the sources of a page, each line of code where the page has it, with the text that the page shows.

    The text is that of the blocks, in their order, None where a block has none. A block that stands alone is a source
    of its own.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    session, texts, alone = {}, [], []
    for block in make_images().read_blocks(lines):
        code = "\n".join(block.code)
        if not block.tested or any(word in code and not found for word, found in INSTALLED.items()):
            continue
        numbered = dict(enumerate(block.code, start=block.first + 1))
        if block.code[0].startswith("from __future__"):
            alone.append((numbered, []))
        else:
            session |= numbered
            session[max(numbered) + 1] = f"print({printed.BLOCK!r}, end='', flush=True)"  # where the fence was
            texts.append("\n".join(lines[slice(*block.text)]) if block.text else None)
    return [
        ("\n".join(code.get(i, "") for i in range(len(lines))), shown)
        for code, shown in ((session, texts), *alone)
        if code
    ]


def differences(shown, found):
    """Return what differs: words, or numbers that are further apart than a hundredth, or than a point of percent."""
    shown, found = (re.sub(r"[\d.,]+ (ms|images per second)", r"\1", text) for text in (shown, found))
    words = [" ".join(NUMBER.sub("0", text).split()) for text in (shown, found)]
    if words[0] != words[1]:
        return f"the page shows\n{shown}\nand its code prints\n{found}"
    pairs = zip(*(map(value, NUMBER.findall(text)) for text in (shown, found)), strict=True)
    apart = [pair for pair in pairs if abs(pair[0] - pair[1]) > max(0.01, 0.01 * abs(pair[0]), 1 * (pair[0] > 1))]
    return f"the page shows numbers other than its code prints: {apart}" if apart else ""


def value(text):
    return float(text.replace(",", ""))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the pages name: photo.jpg, folder/, photographs/, clothes/ with a sub-folder per class, and tables."""
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
    with (folder / "fashion-mnist_test.csv").open("w", newline="", encoding="utf-8") as table:
        rows = np.column_stack([labels, images.reshape(len(images), -1)])[:40]
        csv.writer(table).writerows([["label", *(f"pixel{i}" for i in range(1, 785))], *rows.tolist()])
    for name in ("folder", "photographs"):
        shutil.copytree(folder / "clothes" / "Dress", folder / name)
    shutil.copy(make_images().PHOTOGRAPH, folder / "photo.jpg")
    return folder


@pytest.fixture(scope="module")
def server():
    environment = {
        **os.environ,
        "MPLBACKEND": "agg",
        "JOBLIB_MULTIPROCESSING": "0",  # `test_pickle` and `test_cross_validation` start its processes
    }
    environment.pop("FASHIONCLF_DATA_DIR", None)
    with fresh.ForkServer(environment, "keras", "tensorflow") as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A script that lets `load_data` find small data."""
    data = tmp_path_factory.mktemp("data")
    small_data.write(data)
    script = data / "use.py"
    script.write_text(
        f"import os, runpy\nos.environ[{small_data.VARIABLE!r}] = {str(data)!r}\n"
        f"runpy.run_path({small_data.__file__!r}, run_name='__main__')\n"
    )
    return script


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A script that lets `load_data` find the real data, or None."""
    folders = (os.environ.get(small_data.VARIABLE), ROOT.parent / "shared" / "data")
    found = [Path(folder).resolve() for folder in folders if folder and Path(folder, "fashion-mnist").is_dir()]
    if not found:
        return None
    script = tmp_path_factory.mktemp("real") / "use.py"
    script.write_text(f"import os\nos.environ[{small_data.VARIABLE!r}] = {str(found[0])!r}\n")
    return script


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_a_page(page, files, server, small, real, tmp_path):
    sources = modules_of(page)
    if not sources:
        pytest.skip("every block of the page is marked as not run")
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    data = small if real is None or page.stem in TRAINING else real
    for number, (source, texts) in enumerate(sources):
        script = tmp_path / f"{page.stem}_{number}.py"
        script.write_text(source, encoding="utf-8")
        code, log = server.run(data, printed.__file__, script, folder=tmp_path)
        assert code == 0, f"{page.relative_to(ROOT)}, lines as in the page:\n{log}"
        if data is real:
            found = (tmp_path / printed.FILE).read_text(encoding="utf-8").split(printed.BLOCK)
            pairs = zip(texts, found[: len(texts)], strict=True)
            wrong = [differences(text, block) for text, block in pairs if text is not None]
            assert "".join(wrong) == "", "\n\n".join(filter(None, wrong))

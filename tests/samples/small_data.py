"""Small data for the code of the documentation: Fashion-MNIST with a few drawn images in place of 70,000 photographs.

`write` makes the four files. Run as a script, before a page, this module puts their shapes and sums into the table of
published data sets, and makes `"synthetic"` as small. All else that `load_data` does stays.
"""

import dataclasses
import hashlib
import os
from pathlib import Path

from fashionclf.datasets import _load, _sources
from fashionclf.datasets._lookup import VARIABLE
from fashionclf.datasets._synthetic import draw_garments

SMALLER = {60_000: 2_400, 10_000: 100}
SOURCE = _sources.SOURCES["fashion_mnist"]


def small(file):
    """Return the description of a file with fewer images."""
    return dataclasses.replace(file, shape=(SMALLER[file.shape[0]], *file.shape[1:]))


def draw(count, stream=0):
    """Draw garments as the package does, but fewer."""
    return draw_garments(SMALLER[count], stream=stream)


def write(folder):
    """Write the files of the data set below a folder."""
    arrays = (*draw(60_000), *draw(10_000, stream=1))
    (folder / SOURCE.folder).mkdir(parents=True)
    for file, array in zip(map(small, SOURCE.files), arrays, strict=True):
        (folder / SOURCE.folder / file.name).write_bytes(file.header + array.tobytes())


def use(folder):
    """Let `load_data` accept the files that `write` made."""
    files = []
    for file in map(small, SOURCE.files):
        content = (folder / SOURCE.folder / file.name).read_bytes()
        files.append(dataclasses.replace(file, sha256=hashlib.sha256(content).hexdigest()))
    _sources.SOURCES["fashion_mnist"] = dataclasses.replace(SOURCE, files=tuple(files))
    _load.draw_garments = draw


if __name__ == "__main__":
    use(Path(os.environ[VARIABLE]))

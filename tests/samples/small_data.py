"""Small data for the code of the documentation: Fashion-MNIST with a few drawn images in place of 70,000 photographs.

`write` makes the four files. Run as a script, before a page, this module puts their shapes and sums into the table of
published data sets, and makes `"synthetic"` as small. All else that `load_data` does stays. Exports compare fewer
images.
"""

import dataclasses
import hashlib
import os
from pathlib import Path

from fashionclf.datasets import _load, _sources
from fashionclf.datasets._load import VARIABLE
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.serving import _export

SMALLER = {60_000: 600, 10_000: 40}
SOURCE = _sources.SOURCES["fashion_mnist"]


def small(file):
    """Return the description of a file with fewer images."""
    return dataclasses.replace(file, shape=(SMALLER[file.shape[0]], *file.shape[1:]))


def draw_fewer(count, stream=0):
    """Draw a twenty-fifth of the garments of `"synthetic"`: its page leaves 1,000 for validation."""
    return draw_garments(count // 25, stream=stream)


def write(folder):
    """Write the files of the data set below a folder."""
    arrays = (*draw_garments(SMALLER[60_000]), *draw_garments(SMALLER[10_000], stream=1))
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
    _load.draw_garments = draw_fewer
    _export._LEAST = 300  # synthetic images that an export compares
    _export._CALIBRATION = 100  # images that it measures ranges of values on


if __name__ == "__main__":
    use(Path(os.environ[VARIABLE]))

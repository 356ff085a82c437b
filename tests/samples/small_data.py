"""Small data for the code of the documentation: Fashion-MNIST and MNIST with a few drawn images in place of 70,000.

`write` makes the files. Run as a script, before a page, this module puts their shapes and sums into the table of
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
SOURCES = [_sources.SOURCES[name] for name in ("fashion_mnist", "mnist")]


def small(file):
    """Return the description of a file with fewer images."""
    return dataclasses.replace(file, shape=(SMALLER[file.shape[0]], *file.shape[1:]))


def draw_fewer(count, stream=0):
    """Draw a twenty-fifth of the garments of `"synthetic"`: its page leaves 1,000 for validation."""
    return draw_garments(count // 25, stream=stream)


def write(folder):
    """Write the files of the data sets below a folder."""
    for i, source in enumerate(SOURCES):
        arrays = (
            *draw_garments(SMALLER[60_000], stream=2 * i),
            *draw_garments(SMALLER[10_000], stream=2 * i + 1),
        )
        (folder / source.folder).mkdir(parents=True)
        for file, array in zip(map(small, source.files), arrays, strict=True):
            (folder / source.folder / file.name).write_bytes(file.header + array.tobytes())


def use(folder):
    """Let `load_data` accept the files that `write` made."""
    for source in SOURCES:
        files = []
        for file in map(small, source.files):
            content = (folder / source.folder / file.name).read_bytes()
            files.append(dataclasses.replace(file, sha256=hashlib.sha256(content).hexdigest()))
        name = source.folder.replace("-", "_")
        _sources.SOURCES[name] = dataclasses.replace(source, files=tuple(files))
    _load.draw_garments = draw_fewer
    _export._LEAST = 300  # synthetic images that an export compares
    _export._CALIBRATION = 100  # images that it measures ranges of values on


if __name__ == "__main__":
    use(Path(os.environ[VARIABLE]))

from pathlib import Path

import pytest
from PIL import Image

import fashionclf as fc


@pytest.fixture
def catalogue(tmp_path: Path, tiny_dataset: fc.Dataset) -> Path:
    """A folder with photographs of a dress, a coat and a boot on white paper."""
    for label, name in ((3, "dress.png"), (4, "coat.png"), (9, "boot.png")):
        Image.fromarray(255 - tiny_dataset.test.images[label]).resize((140, 140)).save(tmp_path / name)
    return tmp_path

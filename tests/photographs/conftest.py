"""Fixtures for the tests of photographs."""

import pytest
from samples.photographs import draw

from fashionclf.photographs import load_image


@pytest.fixture(scope="module")
def boot():
    return load_image(draw())

"""Fixtures for the tests of explain."""

import pytest
from samples.explain import known, layers

import fashionclf as fc


@pytest.fixture(scope="module")
def averaging():
    return fc.Trainer(known(layers.GlobalAveragePooling2D()))

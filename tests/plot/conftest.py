"""Fixtures for the tests of plot."""

import matplotlib as mpl
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from fashionclf.plot import _fonts


@pytest.fixture(autouse=True)
def clean_slate():
    """Close what a test opened, and forget what it found out about fonts."""
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    _fonts._families.clear()
    _fonts._warn_once.cache_clear()
    assert dict(mpl.rcParams) == before

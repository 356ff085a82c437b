"""The pytest plugin: what `fashionclf.testing` makes, as fixtures.

pytest loads this module in every project of an environment with fashionclf, so that it imports nothing by itself. Turn
it off with `-p no:fashionclf`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fashionclf.datasets import Dataset
    from fashionclf.testing import FakeTrainer
    from fashionclf.trainer import Trainer

# Each fixture imports what it needs: at the top it would slow the start of everyone's tests.


@pytest.fixture
def tiny_dataset() -> "Dataset":
    """60 training and 20 test images of ten classes, drawn by numpy; see `fashionclf.testing.tiny_dataset`."""
    from fashionclf import testing

    return testing.tiny_dataset()


@pytest.fixture
def fake_trainer() -> "Callable[..., FakeTrainer]":
    """Make a Trainer with chosen answers, without TensorFlow; see `fashionclf.testing.fake_trainer`."""
    from fashionclf import testing

    return testing.fake_trainer


@pytest.fixture
def ready_trainer() -> "Trainer":
    """A real Trainer that knows the images of `tiny_dataset`; see `fashionclf.testing.ready_trainer`."""
    from fashionclf import testing

    return testing.ready_trainer()

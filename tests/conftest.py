"""Tiny seeded images, and one fitted trainer that all tests share (and none may fit further)."""

import functools
import gc
import importlib.util
import os
import shutil

# before TensorFlow is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up messages say nothing here
if "PYTEST_XDIST_WORKER" in os.environ:  # processes that share the cores: more threads than cores wait for each other
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

from pathlib import Path

import numpy as np
import pytest

from fashionclf.datasets import _load
from fashionclf.datasets._synthetic import draw_garments

collect_ignore = ["consumer", "typing"]  # a project of its own; read by mypy, never run

HAS_GRAPHVIZ = importlib.util.find_spec("pydot") is not None and shutil.which("dot") is not None
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the option
def pytest_cmdline_main(config):
    """Run the whole suite in two processes, unless `-n` is given. A few files are faster in one."""
    option = config.option
    is_worker = hasattr(config, "workerinput")  # one process of pytest-xdist: it must not start more
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not option.keyword
    watched = option.usepdb or getattr(option, "cov_source", None)  # pytest-cov has to know `-n` from the command line
    if everything and not is_worker and not watched and getattr(option, "numprocesses", 0) is None:
        option.numprocesses = min(2, os.cpu_count() or 1)
        option.dist = "worksteal"  # starts with halves in order, so that most modules and their fixtures stay together


def pytest_collection_finish(session):
    gc.freeze()  # the collector need not go through what was imported, again and again
    _load.draw_garments = _draw_copies  # a dozen examples in docstrings load the synthetic data set


_draw_once = functools.cache(draw_garments)


def _draw_copies(count, *, stream=0):
    return tuple(array.copy() for array in _draw_once(count, stream=stream))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.name.endswith("model_diagram") and isinstance(item, pytest.DoctestItem):
            item.add_marker(pytest.mark.skipif(not HAS_GRAPHVIZ, reason="needs pydot and Graphviz"))


@pytest.fixture(scope="session")
def garments():
    """600 drawn images, uint8 (600, 28, 28), and their labels."""
    images, labels = draw_garments(600)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


@pytest.fixture(scope="session")
def fitted(garments):
    """A small convolutional trainer fitted on the drawn images. Shared: predict and evaluate only."""
    import fashionclf as fc

    model = fc.cnn_model((8, 16), units=(32,), dropout=0.1, seed=0, name="fitted")
    trainer = fc.Trainer(model, recipe=fc.Recipe(learning_rate=0.005, precision="float32"))
    images, labels = garments
    trainer.history = trainer.fit(images, labels, epochs=4, validation_split=0.2, seed=0, verbose=0)
    return trainer


@pytest.fixture
def small_trainer():
    """Return a maker of equal, unfitted trainers of softmax regression."""
    import fashionclf as fc

    def make(**options):
        return fc.Trainer(fc.dense_model(units=(), seed=0), **options)

    return make


@pytest.fixture(scope="session")
def trained():
    """Trains one small model from its beginning at every call. Shared: it keeps what it is called with nowhere."""
    from samples.trainer import Training

    return Training()


@pytest.fixture(scope="session")
def real_data():
    """The folder of the real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("FASHIONCLF_DATA_DIR", SHARED_DATA))
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}")
    return folder


@pytest.fixture(scope="session")
def every_form(garments):
    """The same eight images in every form in which images may come, by name."""
    pixels = garments[0][:8]
    floats = (pixels / 255).astype(np.float32)
    return {
        "uint8 (n, 28, 28)": pixels,
        "uint8 (n, 28, 28, 1)": pixels[..., np.newaxis],
        "uint8 (n, 784)": pixels.reshape(8, 784),
        "int64": pixels.astype(np.int64),
        "int16 nested list": pixels.astype(np.int16).tolist(),
        "float32": floats,
        "float64": pixels / 255,
        "float32 (n, 784)": floats.reshape(8, 784),
        "list of single images": list(pixels),
        "list of mixed images": [pixels[0], floats[1], pixels[2].ravel(), floats[3][..., np.newaxis], *floats[4:]],
        "tuple of rows": tuple(pixels.reshape(8, 784)),
        "not contiguous": np.asfortranarray(pixels),
        "big-endian": pixels.astype(">i4"),
    }

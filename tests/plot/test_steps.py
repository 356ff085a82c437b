"""Plots of photographs and of a model's layers."""

import shutil

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from samples.plots import (
    IMAGES,
)

from fashionclf import plot
from fashionclf.photographs import preprocessing_steps
from fashionclf.plot import _model

STEPS = {"photograph": np.zeros((40, 30, 3)), "mask": np.eye(20, dtype=bool), "grey": IMAGES[0, ..., np.newaxis]}


@pytest.fixture
def graphviz(monkeypatch):
    """Stand in for pydot and Graphviz: files of one colour; return the files that were asked for."""
    import keras

    files = []

    class Graph:
        def write(self, file, *, format):  # noqa: A002  # the name in pydot
            files.append((file, format))
            if format == "png":
                plt.imsave(file, np.zeros((400, 200, 3)))

    monkeypatch.setattr(keras.utils, "model_to_dot", lambda model, **options: Graph())
    monkeypatch.setattr(_model, "_check_graphviz", lambda: None)
    return files


def test_steps_by_name():
    figure = plot.preprocessing_steps(STEPS)
    assert [ax.get_title() for ax in figure.axes] == ["1. photograph", "2. mask", "3. grey"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["40x30", "20x20", "28x28"]
    assert np.allclose(figure.axes[2].images[0].get_array(), IMAGES[0] / 255)


def test_steps_of_a_photograph():
    photograph = np.full((80, 60), 240, np.uint8)
    photograph[20:60, 10:40] = 30
    steps = preprocessing_steps(photograph)
    figure = plot.preprocessing_steps(steps)
    assert len(figure.axes) == 4
    own = Figure()
    other = own.add_subplot(3, 3, 9)
    plot.preprocessing_steps(steps, figure=own)
    assert not other.lines
    left, top, right, bottom = steps.box
    frame = figure.axes[0].lines[0]
    assert (min(frame.get_xdata()), max(frame.get_xdata())) == (left - 0.5, right - 0.5)
    assert (min(frame.get_ydata()), max(frame.get_ydata())) == (top - 0.5, bottom - 0.5)
    assert figure.get_supxlabel() == ""
    empty = preprocessing_steps(np.full((40, 40), 200, np.uint8))
    assert empty.doubts[0] in plot.preprocessing_steps(empty).get_supxlabel()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros(784), ValueError, r"has shape \(784,\)"),
        (np.zeros((4, 4, 2)), ValueError, "1, 3 or 4 colours"),
        (np.full((4, 4), 255.0), ValueError, "holds values from 255.0 to 255.0"),
        (np.full((4, 4), np.nan), ValueError, "holds values from nan"),
        (np.full((4, 4), 256), ValueError, "holds values from 256"),
        (np.full((4, 4), "a"), TypeError, "must hold numbers"),
    ],
)
def test_wrong_steps(image, error, message):
    with pytest.raises(error, match=message):
        plot.preprocessing_steps({"grey": image})


def test_model_diagram(graphviz, small_trainer, tmp_path):
    trainer = small_trainer()
    ax = plot.model_diagram(trainer)
    assert isinstance(ax, Axes)
    assert ax.images[0].get_array().shape[:2] == (400, 200)
    own = Figure().add_subplot()
    assert plot.model_diagram(trainer.model, tmp_path / "model.svg", ax=own) is own
    assert graphviz[1] == (str(tmp_path / "model.svg"), "svg")
    for path, error in (("model.jpg", ValueError), (tmp_path / "no" / "model.png", FileNotFoundError), (3, TypeError)):
        with pytest.raises(error, match="`path`"):
            plot.model_diagram(trainer, path)


def test_no_diagram_of_what_is_no_model(graphviz):
    import keras

    with pytest.raises(TypeError, match=r"must be a Trainer or a keras\.Model"):
        plot.model_diagram("cnn_fast")
    with pytest.raises(ValueError, match="has no shapes yet"):
        plot.model_diagram(keras.Sequential([keras.layers.Dense(1)]))


@pytest.mark.parametrize("missing", ["pydot", "dot"])
def test_a_diagram_says_what_to_install(missing, monkeypatch, small_trainer):
    monkeypatch.setattr(_model.importlib.util, "find_spec", lambda name: None if missing == "pydot" else name)
    monkeypatch.setattr(_model.shutil, "which", lambda name: None if missing == "dot" else name)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[diagram\]".*Graphviz'):
        plot.model_diagram(small_trainer())


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_model_diagram_by_graphviz(small_trainer, tmp_path):
    pytest.importorskip("pydot")
    ax = plot.model_diagram(small_trainer(), tmp_path / "model.svg")
    assert ax.images[0].get_array().shape[0] > 200
    assert "7850" not in (tmp_path / "model.svg").read_text()
    assert "784" in (tmp_path / "model.svg").read_text()

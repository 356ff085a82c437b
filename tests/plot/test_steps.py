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


@pytest.fixture
def graphviz(monkeypatch):
    """Stand in for pydot and Graphviz: a diagram of one colour."""
    import keras

    class Graph:
        def write(self, file, *, format):  # noqa: A002  # the name in pydot
            plt.imsave(file, np.zeros((400, 200, 3)))

    monkeypatch.setattr(keras.utils, "model_to_dot", lambda model, **options: Graph())
    monkeypatch.setattr(_model, "_check_graphviz", lambda: None)


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


def test_no_steps():
    with pytest.raises(TypeError, match="must be PreprocessingSteps"):
        plot.preprocessing_steps({"grey": IMAGES[0]})


def test_model_diagram(graphviz, small_trainer):
    trainer = small_trainer()
    ax = plot.model_diagram(trainer)
    assert isinstance(ax, Axes)
    assert ax.images[0].get_array().shape[:2] == (400, 200)
    own = Figure().add_subplot()
    assert plot.model_diagram(trainer.model, ax=own) is own


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
def test_model_diagram_by_graphviz(small_trainer):
    pytest.importorskip("pydot")
    assert plot.model_diagram(small_trainer()).images[0].get_array().shape[0] > 200

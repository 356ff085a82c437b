"""What all plots have in common: where they are drawn, what they leave behind."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from samples.plots import (
    DRAWINGS,
    IMAGES,
    LABELS,
    LONG,
    NAMES,
    ONE_AXES,
    SEVERAL_AXES,
    y_names,
)

from fashionclf import plot


@pytest.fixture(autouse=True)
def _nothing_is_shown(monkeypatch):
    """Let every test here fail that opens a window."""
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("show was called"))
    monkeypatch.setattr(Figure, "show", lambda *_: pytest.fail("show was called"))


def test_every_drawing_is_tested_here():
    assert {*DRAWINGS, "model_diagram"} == set(plot.__all__)
    assert plot.__all__ == sorted(plot.__all__)


@pytest.mark.parametrize("name", ONE_AXES)
def test_one_axes_is_returned_or_drawn_into(name):
    ax = ONE_AXES[name]()
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert ax.figure.get_layout_engine() is not None
    own = Figure().add_subplot()
    assert ONE_AXES[name](ax=own) is own
    assert len(plt.get_fignums()) == 1
    assert own.has_data()


@pytest.mark.parametrize("name", SEVERAL_AXES)
def test_a_figure_is_returned_or_drawn_into(name):
    figure = SEVERAL_AXES[name]()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == [figure.number]
    own = Figure()
    assert SEVERAL_AXES[name](figure=own) is own
    parts = Figure(layout="constrained").subfigures(1, 2)
    assert SEVERAL_AXES[name](figure=parts[1]) is parts[1].figure
    assert len(own.axes) == len(parts[1].axes) == len(figure.axes)
    assert not parts[0].axes
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("names", [NAMES, LONG], ids=["short names", "long names"])
def test_nothing_is_cut_off(name, names):
    drawn = DRAWINGS[name](names)
    figure = drawn if isinstance(drawn, Figure) else drawn.figure
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0) > -0.01
    assert box.x1 < width + 0.01
    assert box.y1 < height + 0.01
    assert width <= 9


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_matplotlib_one_sentence_says_what_to_install(name, monkeypatch):
    for module in [module for module in sys.modules if module.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[plot\]"'):
        DRAWINGS[name]()


def test_importing_loads_neither_matplotlib_nor_tensorflow():
    code = "import fashionclf.plot, sys; print({'matplotlib', 'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_wrong_place_is_refused_and_no_figure_opened(name):
    place = "ax" if name in ONE_AXES else "figure"
    with pytest.raises(TypeError, match=f"`{place}` must be"):
        DRAWINGS[name](**{place: plt})
    assert not plt.get_fignums()


def test_a_notebook_shows_a_figure_once(monkeypatch):
    figure = plot.images(IMAGES)
    monkeypatch.setattr(mpl, "get_backend", lambda: "inline")
    with pytest.raises(NotImplementedError):  # which tells IPython to show it in its own way
        figure._ipython_display_()
    assert not plt.get_fignums()


def test_a_window_stays_open(monkeypatch):
    figure = plot.images(IMAGES)
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert plt.fignum_exists(figure.number)


def test_a_dollar_is_a_dollar():
    names = ["$5$", "$6", "7"]
    ax = plot.class_distribution(LABELS, names)
    ax.figure.canvas.draw()
    assert y_names(ax) == names
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())


@pytest.mark.parametrize(
    "call",
    [
        lambda: plot.class_distribution([0, 20_000]),
        lambda: plot.confusion_matrix([0], [100_000]),
        lambda: plot.images(IMAGES[:1], [20_000_000]),
    ],
)
def test_a_label_that_is_none_is_refused(call):
    with pytest.raises(ValueError, match="expected below 1,000 where no class names are given"):
        call()


def test_names_may_come_one_by_one():
    ax = plot.confusion_matrix([0, 1], [0, 1], class_names=(name for name in ("Shirt", "Bag")))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Shirt", "Bag"]


def test_flat_drawings_need_flat_axes():
    with pytest.raises(TypeError, match="one flat matplotlib Axes"):
        plot.class_distribution([0, 1], ax=Figure().add_subplot(projection="3d"))


def test_no_label_of_a_scale_is_cut_off():
    maps = {f"conv_{i}": np.random.default_rng(i).random((28 // i, 28 // i, 32 * i)) * 1.3 for i in (1, 2, 4)}
    for figure in (plot.feature_maps(maps), plot.kernels({"a": np.random.default_rng(0).normal(size=(3, 3, 32, 64))})):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        assert max(ax.get_tightbbox(renderer).x1 for ax in figure.axes) <= figure.bbox.x1

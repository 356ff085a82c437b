"""Plots of training runs, shifts, and the inside of a model."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from samples.plots import (
    CORRUPTED,
    HEAT,
    HISTORY,
    IMAGES,
    NAMES,
    shifts,
    texts,
    trainer_of,
)

from fashionclf import explain, plot


def test_history():
    figure = plot.history(HISTORY)
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "accuracy"]
    training, validation = figure.axes[0].lines
    assert list(training.get_xdata()) == [1, 2]
    assert list(validation.get_ydata()) == HISTORY["val_loss"]
    assert training.get_linestyle() != validation.get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "validation"]
    assert [ax.get_ylabel() for ax in plot.history(HISTORY, metrics="accuracy").axes] == ["accuracy"]


def test_history_of_keras_begins_where_the_training_did():
    figure = plot.history(SimpleNamespace(history=HISTORY, epoch=[4, 5]))
    assert list(figure.axes[0].lines[0].get_xdata()) == [5, 6]


def test_histories_by_name():
    runs = {"dense": HISTORY, "cnn": SimpleNamespace(history={"loss": [0.3]}, epoch=[0])}
    figure = plot.history(runs)
    assert [len(ax.lines) for ax in figure.axes] == [3, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "cnn", "training", "validation"]
    colours = {line.get_color() for line in figure.axes[0].lines}
    assert len(colours) == 2


def test_an_epoch_without_a_number_is_left_out():
    figure = plot.history({"loss": [0.5, float("inf"), 0.4], "val_loss": [float("nan"), 0.5, float("nan")]})
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[1, 3], [2]]


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ({}, ValueError, "holds no epoch"),
        ({"loss": []}, ValueError, "holds no epoch"),
        ([0.5], TypeError, "must be what `fit` returned"),
        ({"loss": 0.5}, ValueError, r"has shape \(\), expected \(epochs,\)"),
        ({"loss": ["low"]}, TypeError, "must be numbers"),
        ({0: [0.5]}, TypeError, "the key 0"),
        ({"loss": [0.5, 0.4], "val_loss": [0.5]}, ValueError, "from 1 to 2 numbers"),
        ({"dense": HISTORY, "cnn": [0.5]}, TypeError, r"history\['cnn'\]"),
    ],
)
def test_wrong_history(history, error, message):
    with pytest.raises(error, match=message):
        plot.history(history)


@pytest.mark.parametrize(("metrics", "error"), [("acuracy", ValueError), ([], ValueError), (3, TypeError)])
def test_wrong_metrics(metrics, error):
    with pytest.raises(error, match="metrics"):
        plot.history(HISTORY, metrics=metrics)


def test_shift_robustness():
    ax = plot.shift_robustness({"dense": shifts(1), "cnn": shifts(3)})
    assert [list(line.get_xdata()) for line in ax.lines] == [[0, 1], [0, 1, 2, 3]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dense", "cnn"]
    assert plot.shift_robustness(shifts(1)).get_legend() is None
    with pytest.raises(TypeError, match="shift_robustness returns"):
        plot.shift_robustness({"dense": 0.9})
    with pytest.raises(ValueError, match="is empty"):
        plot.shift_robustness({})


def test_shift_robustness_beside_other_lines():
    ax = Figure().add_subplot()
    ax.axhline(0.5, color="red")
    plot.shift_robustness({"dense": shifts(1), "cnn": shifts(3)}, ax=ax)
    handles = ax.get_legend().legend_handles
    assert [handle.get_color() for handle in handles] == [line.get_color() for line in ax.lines[1:]]


def test_corruption_robustness():
    ax = plot.corruption_robustness({"dense": CORRUPTED, "cnn": CORRUPTED})
    assert [list(line.get_xdata()) for line in ax.lines] == [[0.9, 0.8, 0.7]] * 2
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["no corruption", "fog", "motion blur"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dense", "cnn"]
    assert ax.get_xlabel() == "accuracy, severities 1, 3"
    assert plot.corruption_robustness(CORRUPTED).get_legend() is None
    with pytest.raises(TypeError, match="corruption_robustness returns"):
        plot.corruption_robustness({"dense": 0.9})
    for change in ({"corruptions": ("fog", "rotate")}, {"severities": (3,)}):
        other = SimpleNamespace(**{**vars(CORRUPTED), **change})
        with pytest.raises(ValueError, match="different corruptions or severities"):
            plot.corruption_robustness({"dense": CORRUPTED, "cnn": other})


def test_shift_map():
    ax = plot.shift_map(shifts(1))
    assert texts(ax) == ["89.0"] * 4 + ["90.0"] + ["89.0"] * 4
    assert list(ax.get_xticks()) == [-1, 0, 1]
    assert ax.images[0].get_clim() == pytest.approx((0.8, 0.9))  # 10 points at least
    large = plot.shift_map(shifts(8))
    assert not large.texts
    assert len(large.figure.axes) == 2
    with pytest.raises(TypeError, match="shift_robustness returns"):
        plot.shift_map(shifts(1).accuracies)


def test_feature_maps_lie_side_by_side():
    maps = np.zeros((28, 28, 10))
    maps[..., 9] = 1  # the second of the second row
    figure = plot.feature_maps({"conv2d": maps})
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape == (58, 238)
    assert np.all(sheet[30:, 30:58] == 1)
    assert sheet.mask.sum() == 58 * 238 - 10 * 784
    assert (
        plot.feature_maps({"a": maps, "b": maps}, limit=1).axes[0].get_title(loc="left") == "a: 28x28, 1 of 10 channels"
    )


def test_kernels_are_centred_on_zero():
    weights = np.zeros((3, 3, 2, 5))
    weights[0, 0, 1, 4] = -2  # of the fifth column in the second row
    figure = plot.kernels({"a": weights}, limit=5)
    image = figure.axes[0].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-2, 2)
    rows, columns = np.nonzero(image.get_array() == -2)
    assert (rows.min(), columns.min()) == (32, 4 * 32)
    assert len(plot.kernels({"a": weights, "b": np.ones((1, 1, 1, 1))}).axes) == 4
    nothing = plot.kernels({"a": np.zeros((3, 3, 1, 8))}).axes[0].images[0]
    assert nothing.norm.vmin == -nothing.norm.vmax < 0


def test_grad_cam_names_the_class(monkeypatch):
    trainer, probabilities = trainer_of(NAMES), trainer_of(NAMES).predict(IMAGES[0]).probabilities[0]
    monkeypatch.setattr(explain, "grad_cam", lambda _trainer, _image, name, **_options: HEAT * (name != "Bag"))
    ax = plot.grad_cam(trainer, IMAGES[0])
    assert [image.get_array().shape for image in ax.images] == [(28, 28), (28, 28)]
    assert (ax.get_title(), ax.get_xlabel()) == (
        f"{NAMES[probabilities.argmax()]} {100 * probabilities.max():.1f}%",
        "",
    )
    ax = plot.grad_cam(trainer, IMAGES[0], "Bag")
    assert (ax.get_title(), ax.get_xlabel()) == (f"Bag {100 * probabilities[1]:.1f}%", "no evidence\nfor the class")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plot.grad_cam(trainer_of(NAMES), IMAGES), ValueError, "holds 6 images"),
        (lambda: plot.grad_cam(IMAGES[0], HEAT), TypeError, "must be a Trainer"),
        (lambda: plot.feature_maps({"a": HEAT[..., None] * np.nan}), ValueError, "holds NaN"),
        (lambda: plot.feature_maps(HEAT), TypeError, "must map names to arrays"),
        (lambda: plot.feature_maps({"a": HEAT}), ValueError, r"expected \(height, width, channels\)"),
        (lambda: plot.feature_maps({"a": HEAT[..., None]}, limit=0), ValueError, "`limit`"),
        (lambda: plot.kernels({"a": HEAT}), ValueError, r"expected \(height, width, in, filters\)"),
        (lambda: plot.kernels({"a": [["x"]]}), TypeError, "must hold numbers"),
        (lambda: plot.kernels({"a": [[1], [1, 2]]}), TypeError, "cannot be read as an array"),
    ],
)
def test_wrong_insides(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not plt.get_fignums()

"""Pictures, mostly of hand-made figures: no test here trains, and one alone loads TensorFlow."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fashionclf as fc
from fashionclf import plot
from fashionclf.photographs import preprocessing_steps
from fashionclf.plot import _fonts, _model
from fashionclf.report import evaluate_predictions

PICTURES = np.random.RandomState(0).randint(0, 256, (6, 28, 28)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = ("Shirt", "Bag", "Coat")
LONG = tuple(f"a name of many words, number {i}, that takes a lot of room" for i in range(3))
KOREAN = ("티셔츠", "가방", "앵클 부츠")
ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.9, 0.1, 0.0], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
PREDICTIONS = fc.Predictions(ROWS, NAMES)  # the third is wrong
REPORT = evaluate_predictions(LABELS, PREDICTIONS)
HISTORY = {"accuracy": [0.8, 0.9], "loss": [0.5, 0.4], "val_accuracy": [0.7, 0.8], "val_loss": [0.6, 0.5]}
STEPS = {"photograph": np.zeros((40, 30, 3)), "mask": np.eye(20, dtype=bool), "grey": PICTURES[0, ..., np.newaxis]}
HEAT = np.linspace(0, 1, 784).reshape(28, 28)


def shifts(reach):
    distance = np.abs(np.arange(-reach, reach + 1))
    accuracies = 0.9 - 0.01 * np.maximum.outer(distance, distance)
    curve = 0.9 - 0.01 * np.arange(reach + 1)
    return SimpleNamespace(accuracies=accuracies, max_shift=reach, curve=curve, mean=accuracies.mean(), worst=0.8)


ONE_AXES = {
    "class_distribution": lambda names=NAMES, **place: plot.class_distribution(LABELS, names, **place),
    "comparison": lambda names=NAMES, **place: plot.comparison(dict.fromkeys(names, (0.8, 0.9, 0.91)), **place),
    "confusion_matrix": lambda names=NAMES, **place: plot.confusion_matrix(REPORT, class_names=names, **place),
    "grad_cam": lambda names=NAMES, **place: plot.grad_cam(PICTURES[0], HEAT, **place),
    "prediction": lambda names=NAMES, **place: plot.prediction(PREDICTIONS[0], PICTURES[0], class_names=names, **place),
    "reliability_diagram": lambda names=NAMES, **place: plot.reliability_diagram(REPORT, **place),
    "shift_map": lambda names=NAMES, **place: plot.shift_map(shifts(2), **place),
    "shift_robustness": lambda names=NAMES, **place: plot.shift_robustness(dict.fromkeys(names, shifts(2)), **place),
}
SEVERAL_AXES = {
    "feature_maps": lambda names=NAMES, **place: plot.feature_maps(dict.fromkeys(names, HEAT[..., None]), **place),
    "history": lambda names=NAMES, **place: plot.history(dict.fromkeys(names, HISTORY), **place),
    "images": lambda names=NAMES, **place: plot.images(
        PICTURES, LABELS, predictions=PREDICTIONS, class_names=names, bars=True, **place
    ),
    "kernels": lambda names=NAMES, **place: plot.kernels(dict.fromkeys(names, np.ones((3, 3, 2, 4))), **place),
    "preprocessing_steps": lambda names=NAMES, **place: plot.preprocessing_steps(
        dict.fromkeys(names, PICTURES[0]), **place
    ),
}
DRAWINGS = {**ONE_AXES, **SEVERAL_AXES}


@pytest.fixture(autouse=True)
def clean_slate():
    """Close what a test opened, and forget what it found out about fonts."""
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    _fonts._families.clear()
    _fonts._warn_once.cache_clear()
    assert dict(mpl.rcParams) == before


@pytest.fixture
def no_korean_font(monkeypatch):
    monkeypatch.setattr(_fonts, "search_fonts", lambda characters: {})


def texts(ax):
    return [text.get_text() for text in ax.texts]


def y_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


# -- what all have in common ------------------------------------------------------------------------


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
def test_nothing_is_shown(name, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("show was called"))
    monkeypatch.setattr(Figure, "show", lambda *_: pytest.fail("show was called"))
    DRAWINGS[name]()


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_matplotlib_one_sentence_says_what_to_install(name, monkeypatch):
    for module in [module for module in sys.modules if module.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'fashionclf\[plot\]'"):
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
    figure = plot.images(PICTURES)
    monkeypatch.setattr(mpl, "get_backend", lambda: "inline")
    with pytest.raises(NotImplementedError):  # which tells IPython to show it in its own way
        figure._ipython_display_()
    assert not plt.get_fignums()


def test_a_window_stays_open(monkeypatch):
    figure = plot.images(PICTURES)
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert plt.fignum_exists(figure.number)


# -- images -----------------------------------------------------------------------------------------


def test_images_with_labels():
    figure = plot.images(PICTURES, LABELS, class_names=NAMES, columns=3)
    assert [ax.get_title() for ax in figure.axes] == [NAMES[label] for label in LABELS]
    assert np.array_equal(figure.axes[4].images[0].get_array(), PICTURES[4])


def test_images_mark_right_and_wrong():
    figure = plot.images(PICTURES, LABELS, predictions=PREDICTIONS)
    right, wrong = figure.axes[0], figure.axes[2]
    assert right.get_title() == "✓ Shirt 70.0%"
    assert wrong.get_title() == "✗ Shirt 60.0%\ntrue: Coat"
    assert right.title.get_color() != wrong.title.get_color()
    assert right.spines["top"].get_edgecolor() != wrong.spines["top"].get_edgecolor()
    assert sum(ax.get_title().startswith("✓") for ax in figure.axes) == 5


def test_images_without_labels_are_neither_right_nor_wrong():
    figure = plot.images(PICTURES, predictions=ROWS, class_names=NAMES)
    assert figure.axes[2].get_title() == "Shirt 60.0%"
    assert plot.images(PICTURES).axes[0].get_title() == ""


def test_images_with_bars():
    figure = plot.images(PICTURES, LABELS, predictions=PREDICTIONS, bars=True)
    assert len(figure.axes) == 12
    bars = figure.axes[5]  # below the third picture
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.6, 0.3, 0.1])
    assert texts(bars) == ["Shirt", "60.0%", "Coat", "30.0%", "Bag", "10.0%"]


def test_images_take_every_form(every_form):
    expected = every_form["uint8 (n, 28, 28)"] / 255
    for form, pictures in every_form.items():
        for ax, picture in zip(plot.images(pictures, limit=2, figure=Figure()).axes, expected[:2], strict=True):
            image = ax.images[0]
            assert np.allclose(image.norm(image.get_array()), picture, atol=1e-6), form


def test_images_of_a_split_or_one_picture():
    split = fc.Split(PICTURES, LABELS, class_names=NAMES)
    assert plot.images(split).axes[1].get_title() == "Bag"
    assert plot.images(split, class_names=LONG[::-1]).axes[0].get_title().split() == LONG[2].split()
    assert len(plot.images(PICTURES[0], [9]).axes) == 1
    assert plot.images(PICTURES[0], [9]).axes[0].get_title() == "Ankle boot"


def test_more_images_than_the_limit_are_said_to_be():
    figure = plot.images(np.tile(PICTURES, (5, 1, 1)))
    assert len(figure.axes) == 25
    assert figure.get_supxlabel() == "the first 25 of 30 pictures"
    assert plot.images(PICTURES).get_supxlabel() == ""


def test_images_on_dark_paper_have_bright_marks():
    with plt.style.context("dark_background"):
        dark = plot.images(PICTURES, LABELS, predictions=PREDICTIONS).axes[0].title.get_color()
    assert dark != plot.images(PICTURES, LABELS, predictions=PREDICTIONS).axes[0].title.get_color()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bars": True}, ValueError, "pass `predictions`"),
        ({"bars": 1}, TypeError, "`bars` must be True or False"),
        ({"columns": 0}, ValueError, "`columns` must be an integer of at least 1"),
        ({"labels": LABELS[:2]}, ValueError, "`labels` has 2 rows but there are 6 images"),
        ({"labels": LABELS, "class_names": ["a", "b"]}, ValueError, "expected 0..1"),
        ({"predictions": PREDICTIONS[:2]}, ValueError, "2 predictions but 6 images"),
        ({"predictions": [[0.1, 0.2], [0.3]]}, TypeError, "`probabilities` must be an array of numbers"),
        ({"predictions": PREDICTIONS, "class_names": ["a"]}, ValueError, "1 names but there are 3 classes"),
        ({"x": PICTURES / 1.0}, ValueError, "divide by 255"),
        ({"x": fc.Split(PICTURES, LABELS), "labels": LABELS}, ValueError, "brings its own labels"),
        (
            {"x": fc.Dataset("tiny", *[fc.Split(PICTURES, LABELS, class_names=NAMES)] * 2)},
            TypeError,
            "pass one of its splits",
        ),
    ],
)
def test_wrong_images(arguments, error, message):
    with pytest.raises(error, match=message):
        plot.images(**{"x": PICTURES, **arguments})
    assert not plt.get_fignums()


# -- charts -----------------------------------------------------------------------------------------


def test_class_distribution():
    ax = plot.class_distribution(fc.Split(PICTURES, [0, 1, 1, 1, 2, 2], class_names=NAMES))
    assert [bar.get_width() for bar in ax.patches] == [1, 3, 2]
    assert texts(ax) == ["1", "3", "2"]
    assert y_names(ax) == list(NAMES)
    assert ax.yaxis_inverted()
    assert y_names(plot.class_distribution(np.eye(3))) == list(fc.CLASS_NAMES[:3]) + list(fc.CLASS_NAMES[3:])
    assert len(plot.class_distribution([0, 11]).patches) == 12
    with pytest.raises(ValueError, match=r"expected 0\.\.1"):
        plot.class_distribution(LABELS, ["a", "b"])


def test_prediction():
    ax = plot.prediction(PREDICTIONS[2], PICTURES[2], k=2)
    assert y_names(ax) == ["Shirt", "Coat"]
    assert texts(ax) == ["60.0%", "30.0%"]
    assert np.array_equal(ax.child_axes[0].images[0].get_array(), PICTURES[2])
    assert y_names(plot.prediction(PREDICTIONS[:1])) == list(NAMES)
    assert not plot.prediction(PREDICTIONS[0]).child_axes


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((PREDICTIONS,), ValueError, "holds 6 predictions"),
        ((ROWS[0],), TypeError, "must be a Prediction"),
        ((PREDICTIONS[0], PICTURES), ValueError, "holds 6 images"),
    ],
)
def test_wrong_prediction(arguments, error, message):
    with pytest.raises(error, match=message):
        plot.prediction(*arguments)


def test_comparison():
    results = {"dense": 0.88, "cnn": np.array([0.9, 0.92]), "mine": REPORT, "twice": [REPORT, REPORT]}
    ax = plot.comparison(results)
    assert y_names(ax) == list(results)
    assert texts(ax) == ["88.0%", "91.0% ± 1.4 (2)", "83.3%", "83.3% ± 0.0 (2)"]
    assert [len(line.get_xdata()) for line in ax.lines] == [1, 1, 2, 1, 1, 2]  # a mean and, of several, each


@pytest.mark.parametrize(
    ("results", "error", "message"),
    [
        ([0.9], TypeError, "must map names to accuracies"),
        ({}, ValueError, "is empty"),
        ({1: 0.9}, TypeError, "the key 1"),
        ({"a": 91.2}, ValueError, r"must be a number in \[0, 1\]"),
        ({"a": "high"}, TypeError, r"results\['a'\]` must be a number"),
        ({"a": []}, ValueError, "one accuracy or a list"),
        ({"a": [[0.9], [0.8, 0.7]]}, TypeError, "must be a number"),
        ({"a": np.zeros((2, 2))}, ValueError, r"Received shape \(2, 2\)"),
    ],
)
def test_wrong_comparison(results, error, message):
    with pytest.raises(error, match=message):
        plot.comparison(results)


# -- reports ----------------------------------------------------------------------------------------


def test_confusion_matrix_shows_every_count():
    ax = plot.confusion_matrix(REPORT)
    assert texts(ax) == ["2", "0", "0", "0", "2", "0", "1", "0", "1"]
    assert y_names(ax) == [label.get_text() for label in ax.get_xticklabels()] == list(NAMES)
    assert "83.3%" in ax.get_title()
    assert texts(plot.confusion_matrix(REPORT, normalize="true"))[-3:] == ["50.0", "0.0", "50.0"]
    assert texts(plot.confusion_matrix(REPORT, normalize="predicted"))[::3] == ["66.7", "0.0", "33.3"]


def test_confusion_matrix_of_labels_and_predictions():
    expected = texts(plot.confusion_matrix(REPORT))
    for predictions in (PREDICTIONS, ROWS, PREDICTIONS.labels, PREDICTIONS.labels.tolist()):
        assert texts(plot.confusion_matrix((LABELS, predictions), class_names=NAMES)) == expected
    assert len(plot.confusion_matrix((LABELS, PREDICTIONS.labels)).texts) == 100  # Fashion-MNIST's ten
    assert len(plot.confusion_matrix(([11], [3])).texts) == 144


def test_a_class_without_pictures_is_all_zero():
    ax = plot.confusion_matrix(([0, 0], [0, 0]), class_names=["a", "b"], normalize="true")
    assert texts(ax) == ["100.0", "0.0", "0.0", "0.0"]


def test_too_many_classes_for_counts_get_a_scale():
    ax = plot.confusion_matrix((np.arange(31), np.arange(31)))
    assert not ax.texts
    assert len(ax.figure.axes) == 2


@pytest.mark.parametrize(
    ("report", "options", "error", "message"),
    [
        (PREDICTIONS, {}, TypeError, "EvaluationReport or a pair"),
        ((LABELS, PREDICTIONS[:2]), {}, ValueError, "6 rows but there are 2 predictions"),
        (REPORT, {"normalize": "pred"}, ValueError, "Did you mean 'predicted'"),
        (REPORT, {"class_names": ["a"]}, ValueError, "1 names but there are 3"),
        ((LABELS, [0, 0, 0, 0, 0, 3]), {"class_names": NAMES}, ValueError, "`predictions` holds"),
    ],
)
def test_wrong_confusion_matrix(report, options, error, message):
    with pytest.raises(error, match=message):
        plot.confusion_matrix(report, **options)


def test_reliability_diagram():
    ax = plot.reliability_diagram(REPORT)
    used = [interval for interval in REPORT.calibration_bins if interval.count]
    accuracy, gap = ax.containers
    assert [bar.get_height() for bar in accuracy] == [interval.accuracy for interval in used]
    assert [bar.get_y() + bar.get_height() for bar in gap] == pytest.approx([i.probability for i in used])
    assert texts(ax)[1:] == [str(interval.count) for interval in used]
    assert ax.get_title() == f"expected calibration error {REPORT.expected_calibration_error:.3f}"
    with pytest.raises(TypeError, match="must be an EvaluationReport"):
        plot.reliability_diagram(PREDICTIONS)


# -- training ---------------------------------------------------------------------------------------


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


# -- shifts -----------------------------------------------------------------------------------------


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


def test_shift_map():
    ax = plot.shift_map(shifts(1))
    assert texts(ax) == ["89.0"] * 4 + ["90.0"] + ["89.0"] * 4
    assert list(ax.get_xticks()) == [-1, 0, 1]
    large = plot.shift_map(shifts(8))
    assert not large.texts
    assert len(large.figure.axes) == 2
    with pytest.raises(TypeError, match="shift_robustness returns"):
        plot.shift_map(shifts(1).accuracies)


# -- inside a model ---------------------------------------------------------------------------------


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
    figure = plot.kernels(weights, limit=5)
    image = figure.axes[0].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-2, 2)
    rows, columns = np.nonzero(image.get_array() == -2)
    assert (rows.min(), columns.min()) == (29, 4 * 29)
    assert len(plot.kernels({"a": weights, "b": np.ones((1, 1, 1, 1))}).axes) == 4
    nothing = plot.kernels(np.zeros((3, 3, 1, 8))).axes[0].images[0]
    assert nothing.norm.vmin == -nothing.norm.vmax < 0


def test_grad_cam():
    ax = plot.grad_cam(PICTURES[0], HEAT)
    assert [image.get_array().shape for image in ax.images] == [(28, 28), (28, 28)]
    assert ax.get_xlabel() == ""
    assert plot.grad_cam(PICTURES[0], np.zeros((28, 28))).get_xlabel() == "nothing speaks\nfor the class"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plot.grad_cam(PICTURES, HEAT), ValueError, "holds 6 images"),
        (lambda: plot.grad_cam(PICTURES[0], HEAT[:14]), ValueError, r"shape \(14, 28\)"),
        (lambda: plot.grad_cam(PICTURES[0], HEAT * 2), ValueError, "from 0 to 2"),
        (lambda: plot.grad_cam(PICTURES[0], HEAT * np.nan), ValueError, "holds NaN"),
        (lambda: plot.feature_maps(HEAT), TypeError, "must map names to arrays"),
        (lambda: plot.feature_maps({"a": HEAT}), ValueError, r"expected \(height, width, channels\)"),
        (lambda: plot.feature_maps({"a": HEAT[..., None]}, limit=0), ValueError, "`limit`"),
        (lambda: plot.kernels(HEAT), ValueError, r"expected \(height, width, in, filters\)"),
        (lambda: plot.kernels({"a": [["x"]]}), TypeError, "must hold numbers"),
        (lambda: plot.kernels({"a": [[1], [1, 2]]}), TypeError, "cannot be read as an array"),
    ],
)
def test_wrong_insides(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not plt.get_fignums()


# -- photographs ------------------------------------------------------------------------------------


def test_steps_by_name():
    figure = plot.preprocessing_steps(STEPS)
    assert [ax.get_title() for ax in figure.axes] == ["1. photograph", "2. mask", "3. grey"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["40x30", "20x20", "28x28"]
    assert np.allclose(figure.axes[2].images[0].get_array(), PICTURES[0] / 255)


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
    ("picture", "error", "message"),
    [
        (np.zeros(784), ValueError, r"has shape \(784,\)"),
        (np.zeros((4, 4, 2)), ValueError, "1, 3 or 4 colours"),
        (np.full((4, 4), 255.0), ValueError, "holds values from 255.0 to 255.0"),
        (np.full((4, 4), np.nan), ValueError, "holds values from nan"),
        (np.full((4, 4), 256), ValueError, "holds values from 256"),
        (np.full((4, 4), "a"), TypeError, "must hold numbers"),
    ],
)
def test_wrong_steps(picture, error, message):
    with pytest.raises(error, match=message):
        plot.preprocessing_steps({"grey": picture})


# -- the diagram of a model -------------------------------------------------------------------------


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
    with pytest.raises(ImportError, match=r"pip install 'fashionclf\[diagram\]'.*Graphviz"):
        plot.model_diagram(small_trainer())


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_model_diagram_by_graphviz(small_trainer, tmp_path):
    pytest.importorskip("pydot")
    ax = plot.model_diagram(small_trainer(), tmp_path / "model.svg")
    assert ax.images[0].get_array().shape[0] > 200
    assert "7850" not in (tmp_path / "model.svg").read_text()
    assert "784" in (tmp_path / "model.svg").read_text()


# -- fonts ------------------------------------------------------------------------------------------


def test_korean_names_get_a_font_that_has_them(monkeypatch):
    monkeypatch.setattr(_fonts, "search_fonts", lambda characters: dict.fromkeys(characters, "A Korean Font"))
    ax = plot.confusion_matrix(REPORT, class_names=KOREAN)
    assert y_names(ax) == list(KOREAN)
    assert ax.get_yticklabels()[0].get_fontfamily() == [*mpl.rcParams["font.family"], "A Korean Font"]
    figure = plot.images(PICTURES, LABELS, predictions=PREDICTIONS, class_names=KOREAN)
    assert figure.axes[0].get_title() == "✓ 티셔츠 70.0%"
    assert "A Korean Font" in figure.axes[0].title.get_fontfamily()


def test_without_such_a_font_numbers_are_shown_and_one_warning_given(no_korean_font):
    with pytest.warns(UserWarning, match=r"NanumGothic or Noto Sans CJK") as warned:
        ax = plot.class_distribution(LABELS, [*KOREAN[:2], "Coat"])
    assert len(warned) == 1
    assert y_names(ax) == ["class 0", "class 1", "Coat"]
    assert plot.images(PICTURES, LABELS, class_names=KOREAN).axes[0].get_title() == "class 0"  # without a warning
    ax.figure.canvas.draw()


def test_english_needs_no_search(monkeypatch):
    monkeypatch.setattr(_fonts, "search_fonts", lambda characters: pytest.fail("searched"))
    for draw in DRAWINGS.values():
        draw()


def test_a_sign_that_the_callers_font_lacks_is_found():
    with plt.rc_context({"font.family": ["cmr10"], "axes.formatter.use_mathtext": True}):
        assert _fonts.text_style("✓ Bag")["fontfamily"] == ["cmr10", "DejaVu Sans"]
    assert "fontfamily" not in _fonts.text_style("✓ Bag")


def test_no_font_has_a_character_that_does_not_exist():
    assert _fonts.search_fonts(frozenset("\U0010fffd")) == {}


def test_fonts_installed_since_matplotlib_looked_are_found(monkeypatch, tmp_path):
    from matplotlib.font_manager import fontManager

    dejavu = next(entry.fname for entry in fontManager.ttflist if entry.name == "DejaVu Sans")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    new = str(shutil.copy(dejavu, tmp_path / "new.ttf"))
    monkeypatch.setattr(fontManager, "ttflist", [e for e in fontManager.ttflist if e.name == "cmr10"])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [new, str(tmp_path / "broken.ttf")])
    assert _fonts.search_fonts(frozenset("✓")) == {"✓": "DejaVu Sans"}
    assert new in [entry.fname for entry in fontManager.ttflist]
    assert _fonts._covered(str(tmp_path / "broken.ttf"), frozenset("a")) == frozenset()


def test_a_font_with_boxes_for_everything_is_passed_over():
    assert _fonts._is_blank("Last Resort High-Efficiency")
    assert _fonts._is_blank(".LastResort")
    assert not _fonts._is_blank("NanumGothic")


def test_a_dollar_is_a_dollar():
    names = ["$5$", "$6", "7"]
    ax = plot.class_distribution(LABELS, names)
    ax.figure.canvas.draw()
    assert y_names(ax) == names
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())
    for draw in DRAWINGS.values():
        drawn = draw(["$\\no_such_command$", "$", "a_b"])
        (drawn if isinstance(drawn, Figure) else drawn.figure).canvas.draw()


@pytest.mark.parametrize(
    "call",
    [
        lambda: plot.class_distribution([0, 20_000]),
        lambda: plot.confusion_matrix(([0], [100_000])),
        lambda: plot.images(PICTURES[:1], [20_000_000]),
    ],
)
def test_a_label_that_is_none_is_refused(call):
    with pytest.raises(ValueError, match="expected below 1,000 where no class names are given"):
        call()


def test_names_may_come_one_by_one():
    ax = plot.confusion_matrix(([0, 1], [0, 1]), class_names=(name for name in ("Shirt", "Bag")))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Shirt", "Bag"]


def test_flat_drawings_need_flat_axes():
    with pytest.raises(TypeError, match="one flat matplotlib Axes"):
        plot.class_distribution([0, 1], ax=Figure().add_subplot(projection="3d"))


def test_no_label_of_a_scale_is_cut_off():
    maps = {f"conv_{i}": np.random.default_rng(i).random((28 // i, 28 // i, 32 * i)) * 1.3 for i in (1, 2, 4)}
    for figure in (plot.feature_maps(maps), plot.kernels(np.random.default_rng(0).normal(size=(3, 3, 32, 64)))):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        assert max(ax.get_tightbbox(renderer).x1 for ax in figure.axes) <= figure.bbox.x1

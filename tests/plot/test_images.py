"""Plots of images, charts and reports."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import ExifTags, Image
from samples.plots import (
    IMAGES,
    LABELS,
    LONG,
    NAMES,
    PREDICTIONS,
    REPORT,
    ROWS,
    texts,
    y_names,
)

import fashionclf as fc
from fashionclf import plot


def test_images_with_labels():
    figure = plot.images(IMAGES, LABELS, class_names=NAMES, columns=3)
    assert [ax.get_title() for ax in figure.axes] == [NAMES[label] for label in LABELS]
    assert np.array_equal(figure.axes[4].images[0].get_array(), IMAGES[4])


def test_images_mark_right_and_wrong():
    figure = plot.images(IMAGES, LABELS, predictions=PREDICTIONS)
    right, wrong = figure.axes[0], figure.axes[2]
    assert right.get_title() == "✓ Shirt 70.0%"
    assert wrong.get_title() == "✗ Shirt 60.0%\ntrue: Coat"
    assert right.title.get_color() != wrong.title.get_color()
    assert right.spines["top"].get_edgecolor() != wrong.spines["top"].get_edgecolor()
    assert sum(ax.get_title().startswith("✓") for ax in figure.axes) == 5


def test_images_without_labels_are_neither_right_nor_wrong():
    figure = plot.images(IMAGES, predictions=ROWS, class_names=NAMES)
    assert figure.axes[2].get_title() == "Shirt 60.0%"
    assert plot.images(IMAGES).axes[0].get_title() == ""


def test_images_with_bars():
    figure = plot.images(IMAGES, LABELS, predictions=PREDICTIONS, bars=True)
    assert len(figure.axes) == 12
    bars = figure.axes[5]  # below the third image
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.6, 0.3, 0.1])
    assert texts(bars) == ["Shirt", "60.0%", "Coat", "30.0%", "Bag", "10.0%"]


def test_images_take_every_form(every_form):
    expected = every_form["uint8 (n, 28, 28)"] / 255
    for form, images in every_form.items():
        for ax, pixels in zip(plot.images(images, limit=2, figure=Figure()).axes, expected[:2], strict=True):
            shown = ax.images[0]
            assert np.allclose(shown.norm(shown.get_array()), pixels, atol=1e-6), form


def test_images_of_a_split_or_one_image():
    split = fc.Split(IMAGES, LABELS, class_names=NAMES)
    assert plot.images(split).axes[1].get_title() == "Bag"
    assert plot.images(split, class_names=LONG[::-1]).axes[0].get_title().split() == LONG[2].split()
    assert len(plot.images(IMAGES[0], [9]).axes) == 1
    assert plot.images(IMAGES[0], [9]).axes[0].get_title() == "Ankle boot"


def test_photographs_are_shown_whole_and_upright(tmp_path):
    sideways = Image.Exif()
    sideways[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (1200, 600), "navy").save(tmp_path / "1.jpg", exif=sideways)
    Image.new("L", (40, 30)).save(tmp_path / "2.png")
    expected = [(512, 256, 3), (30, 40, 3)]
    for given in ([tmp_path / "1.jpg", str(tmp_path / "2.png")], tmp_path, [Image.open(tmp_path / "1.jpg"), IMAGES[0]]):
        figure = plot.images(given, [0, 1], predictions=PREDICTIONS[:2])
        shapes = [ax.images[0].get_array().shape for ax in figure.axes]
        assert shapes == (expected if figure.axes[1].images[0].get_array().ndim == 3 else [expected[0], (28, 28)])
    assert len(plot.images([tmp_path / "2.png"] * 9 + [tmp_path / "missing.png"], limit=9).axes) == 9  # reads no more


def test_mistakes_are_named_by_file_or_position():
    assert [ax.get_xlabel() for ax in plot.mistakes(REPORT, IMAGES).axes] == ["image 2"]
    assert plot.mistakes(REPORT, IMAGES, language="ko").axes[0].get_xlabel() == "이미지 2"
    named = fc.Predictions(np.eye(3)[[1, 1, 2, 0, 1, 0]], NAMES, sources=[f"{i}.jpg" for i in range(6)])
    figure = plot.mistakes(fc.evaluate_predictions(LABELS, named), list(IMAGES), limit=1, language="ko")
    assert [(ax.get_title(), ax.get_xlabel()) for ax in figure.axes] == [("✗ Bag 100.0%\n정답: Shirt", "0.jpg")]
    assert np.array_equal(figure.axes[0].images[0].get_array(), IMAGES[0])
    assert plot.mistakes(fc.evaluate_predictions([0, 1], np.eye(2)), IMAGES[:2]).get_supxlabel() == "no mistakes"
    with pytest.raises(ValueError, match="6 predictions but 2 images"):
        plot.mistakes(REPORT, IMAGES[:2])


def test_more_images_than_the_limit_are_said_to_be():
    figure = plot.images(np.tile(IMAGES, (5, 1, 1)))
    assert len(figure.axes) == 25
    assert figure.get_supxlabel() == "the first 25 of 30 images"
    assert plot.images(IMAGES).get_supxlabel() == ""


def test_images_on_dark_paper_have_bright_marks():
    with plt.style.context("dark_background"):
        dark = plot.images(IMAGES, LABELS, predictions=PREDICTIONS).axes[0].title.get_color()
    assert dark != plot.images(IMAGES, LABELS, predictions=PREDICTIONS).axes[0].title.get_color()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bars": True}, ValueError, "pass `predictions`"),
        ({"bars": 1}, TypeError, "`bars` must be True or False"),
        ({"columns": 0}, ValueError, "`columns` must be an integer of at least 1"),
        ({"labels": LABELS[:2]}, ValueError, "`labels` has 2 rows but there are 6 images"),
        ({"labels": LABELS, "class_names": ["a", "b"]}, ValueError, "expected 0..1"),
        ({"predictions": PREDICTIONS[:2]}, ValueError, "2 predictions but 6 images"),
        ({"predictions": [[0.1, 0.2], [0.3]]}, TypeError, "`probabilities` cannot be read as an array"),
        ({"predictions": PREDICTIONS, "class_names": ["a"]}, ValueError, "1 names but there are 3 classes"),
        ({"x": IMAGES / 1.0}, ValueError, "divide by 255"),
        ({"x": fc.Split(IMAGES, LABELS), "labels": LABELS}, ValueError, "has its own labels"),
        (
            {"x": fc.Dataset("tiny", *[fc.Split(IMAGES, LABELS, class_names=NAMES)] * 2)},
            TypeError,
            "pass one of its splits",
        ),
    ],
)
def test_wrong_images(arguments, error, message):
    with pytest.raises(error, match=message):
        plot.images(**{"x": IMAGES, **arguments})
    assert not plt.get_fignums()


def test_class_distribution():
    ax = plot.class_distribution(fc.Split(IMAGES, [0, 1, 1, 1, 2, 2], class_names=NAMES))
    assert [bar.get_width() for bar in ax.patches] == [1, 3, 2]
    assert texts(ax) == ["1", "3", "2"]
    assert y_names(ax) == list(NAMES)
    assert ax.yaxis_inverted()
    assert y_names(plot.class_distribution(np.eye(3))) == list(fc.CLASS_NAMES[:3]) + list(fc.CLASS_NAMES[3:])
    assert len(plot.class_distribution([0, 11]).patches) == 12
    with pytest.raises(ValueError, match=r"expected 0\.\.1"):
        plot.class_distribution(LABELS, ["a", "b"])


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
        assert texts(plot.confusion_matrix(LABELS, predictions, class_names=NAMES)) == expected
    assert len(plot.confusion_matrix(LABELS, PREDICTIONS.labels).texts) == 100  # Fashion-MNIST's ten
    assert len(plot.confusion_matrix([11], [3]).texts) == 144


def test_a_class_without_images_is_all_zero():
    ax = plot.confusion_matrix([0, 0], [0, 0], class_names=["a", "b"], normalize="true")
    assert texts(ax) == ["100.0", "0.0", "0.0", "0.0"]


def test_too_many_classes_for_counts_get_a_scale():
    ax = plot.confusion_matrix(np.arange(31), np.arange(31))
    assert not ax.texts
    assert len(ax.figure.axes) == 2


@pytest.mark.parametrize(
    ("report", "options", "error", "message"),
    [
        (LABELS, {}, TypeError, "or true labels with `predictions`. Received: ndarray without"),
        (REPORT, {"predictions": PREDICTIONS}, TypeError, "Received: EvaluationReport with predictions"),
        (LABELS, {"predictions": PREDICTIONS[:2]}, ValueError, "6 rows but there are 2 predictions"),
        (REPORT, {"normalize": "pred"}, ValueError, "Did you mean 'predicted'"),
        (REPORT, {"class_names": ["a"]}, ValueError, "1 names but there are 3"),
        (LABELS, {"predictions": [0, 0, 0, 0, 0, 3], "class_names": NAMES}, ValueError, "`predictions` holds"),
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

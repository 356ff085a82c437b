"""Fonts for class names in Korean."""

import warnings

import matplotlib as mpl

mpl.use("Agg")
from samples.plots import IMAGES, LABELS, PREDICTIONS, REPORT, y_names

from fashionclf import plot
from fashionclf.plot import _fonts

KOREAN = ("티셔츠", "가방", "앵클 부츠")


def test_korean_names_get_fonts_that_have_them(monkeypatch):
    monkeypatch.setattr(_fonts, "_installed", lambda: ["DejaVu Sans", "A Korean Font"])
    families = [*mpl.rcParams["font.family"], "DejaVu Sans", "A Korean Font"]
    ax = plot.confusion_matrix(REPORT, class_names=KOREAN)
    assert y_names(ax) == list(KOREAN)
    assert ax.get_yticklabels()[0].get_fontfamily() == families
    figure = plot.images(IMAGES, LABELS, predictions=PREDICTIONS, class_names=KOREAN)
    assert figure.axes[0].get_title() == "✓ 티셔츠 70.0%"
    assert figure.axes[0].title.get_fontfamily() == families
    assert "fontfamily" not in _fonts.text_style("Bag")


def test_signs_are_written_in_a_font_that_comes_with_matplotlib():
    with mpl.rc_context({"font.family": ["cmr10"], "axes.formatter.use_mathtext": True}), warnings.catch_warnings():
        warnings.simplefilter("error")  # of a missing glyph
        plot.images(IMAGES, LABELS, predictions=PREDICTIONS).canvas.draw()

"""Fonts for class names in any script."""

import shutil

import matplotlib as mpl
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import font_manager
from samples.plots import (
    DRAWINGS,
    IMAGES,
    LABELS,
    PREDICTIONS,
    REPORT,
    y_names,
)

from fashionclf import plot
from fashionclf.plot import _fonts

KOREAN = ("티셔츠", "가방", "앵클 부츠")


@pytest.fixture
def no_korean_font(monkeypatch):
    monkeypatch.setattr(_fonts, "search_fonts", lambda characters: {})


def test_korean_names_get_a_font_that_has_them(monkeypatch):
    monkeypatch.setattr(_fonts, "search_fonts", lambda characters: dict.fromkeys(characters, "A Korean Font"))
    ax = plot.confusion_matrix(REPORT, class_names=KOREAN)
    assert y_names(ax) == list(KOREAN)
    assert ax.get_yticklabels()[0].get_fontfamily() == [*mpl.rcParams["font.family"], "A Korean Font"]
    figure = plot.images(IMAGES, LABELS, predictions=PREDICTIONS, class_names=KOREAN)
    assert figure.axes[0].get_title() == "✓ 티셔츠 70.0%"
    assert "A Korean Font" in figure.axes[0].title.get_fontfamily()


def test_without_such_a_font_numbers_are_shown_and_one_warning_given(no_korean_font):
    with pytest.warns(UserWarning, match=r"NanumGothic or Noto Sans CJK") as warned:
        ax = plot.class_distribution(LABELS, [*KOREAN[:2], "Coat"])
    assert len(warned) == 1
    assert y_names(ax) == ["class 0", "class 1", "Coat"]
    assert plot.images(IMAGES, LABELS, class_names=KOREAN).axes[0].get_title() == "class 0"  # without a warning
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

"""Drawings: strokes of one colour, such as digits from a canvas."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from samples.photographs import draw

from fashionclf.photographs import load_image, preprocessing_steps

SEVEN = [(70, 60), (210, 60), (120, 230)]
FOUR = [(150, 50), (70, 170), (220, 170), (180, 170), (180, 110), (180, 235)]


def strokes(points, width):
    """Return how much ink there is, uint8 `(280, 280)`."""
    image = Image.new("L", (1120, 1120))
    ImageDraw.Draw(image).line([(4 * x, 4 * y) for x, y in points], 255, 4 * width, joint="curve")
    return np.asarray(image.resize((280, 280), Image.Resampling.BOX))


def canvas(ink, kind):
    nothing, full = np.zeros_like(ink), np.full_like(ink, 255)
    return {
        "dark on white": lambda: 255 - ink,
        "white on black": lambda: ink,
        "black on transparent": lambda: np.dstack([nothing, nothing, nothing, ink]),
        "white on transparent": lambda: np.dstack([full, full, full, ink]),
        "blue on white": lambda: np.dstack([255 - ink, 255 - ink, full]),
        "opaque": lambda: np.dstack([255 - ink, 255 - ink, 255 - ink, full]),
    }[kind]()


@pytest.mark.parametrize("width", [2, 4, 8, 16, 30])
@pytest.mark.parametrize(
    "kind",
    ["dark on white", "white on black", "black on transparent", "white on transparent", "blue on white", "opaque"],
)
def test_a_drawing_arrives_whole(kind, width):
    """As in MNIST: 20 pixels long, the centre of mass in the middle, no faint strokes."""
    for points in (SEVEN, FOUR):
        ink = strokes(points, width)
        image = load_image(canvas(ink, kind)).astype(float)
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        mass = image / image.sum()
        assert abs(mass.sum(axis=1) @ np.arange(28) - 13.5) <= 0.6
        assert abs(mass.sum(axis=0) @ np.arange(28) - 13.5) <= 0.6
        left, top = min(x for x, _ in points), min(y for _, y in points)
        longest = max(max(x for x, _ in points) - left, max(y for _, y in points) - top)
        for x, y in points:  # every corner of it is there
            column = round(columns[0] + (x - left) / longest * 18)
            row = round(rows[0] + (y - top) / longest * 18)
            assert image[row - 1 : row + 3, column - 2 : column + 3].max() > 100


def test_cloth_is_no_drawing():
    ink = strokes(SEVEN, 20)
    cloth = np.random.default_rng(0).integers(0, 60, ink.shape)  # a belt has many shades
    wide = Image.fromarray(255 - strokes([(140, 60), (140, 220)], 60))  # and a sleeve is not so narrow
    dots = draw().convert("1")
    for image in (np.where(ink > 127, cloth, 255).astype(np.uint8), wide, dots):
        rows = np.flatnonzero(preprocessing_steps(image).image.any(axis=1))
        assert np.ptp(rows) + 1 == 28


def test_handwriting_on_paper_is_not_torn():
    """Lines are removed beside a garment, but kept where there is nothing else."""
    rng = np.random.default_rng(0)
    paper = np.where(strokes(FOUR, 4) > 127, 60, 225) + rng.normal(0, 2, (280, 280))
    left, top, right, bottom = preprocessing_steps(paper.clip(0, 255).astype(np.uint8)).box
    assert max(abs(left - 68), abs(top - 48), abs(right - 222), abs(bottom - 237)) <= 6

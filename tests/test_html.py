"""The tables that notebooks show."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import fashionclf as fc
from fashionclf._html import thumbnail

EVIL = ("<script>alert(1)</script>", "a & b", "\"x\" onload='y'")


class Reader(HTMLParser):
    """Collect texts, and the names and attributes of elements."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.elements = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


def made():
    images = np.zeros((3, 28, 28), np.uint8)
    split = fc.Split(images, [0, 1, 2], class_names=EVIL)
    trainer = fc.testing.fake_trainer({EVIL[0]: 0.5, EVIL[1]: 0.3, EVIL[2]: 0.2}, class_names=EVIL)
    with pytest.warns(fc.DoubtfulImageWarning):
        predictions = trainer.predict(images)
    own = fc.Predictions(np.eye(3), EVIL, sources=EVIL, doubts=[[EVIL[0]]] * 3)
    return predictions, own, fc.EvaluationReport([0, 1, 1], own), fc.Dataset("tiny", split, split)


@pytest.mark.filterwarnings("ignore::fashionclf.DoubtfulImageWarning")
@pytest.mark.parametrize("shown", range(4))
def test_names_are_escaped_and_nothing_comes_from_elsewhere(shown):
    html = Reader(made()[shown]._repr_html_())
    assert {tag for tag, _ in html.elements} <= {"div", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert {name for _, attributes in html.elements for name in attributes} <= {"style", "alt", "src"}
    for _, attributes in html.elements:
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert "url(" not in attributes.get("style", "")
    assert all(any(name in text for text in html.texts) for name in EVIL)


@pytest.mark.parametrize("shape", [(28, 28), (28, 20, 1), (112, 60, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_picture_shows_the_pixels(shape, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    html = thumbnail(pixels if dtype == np.uint8 else pixels / np.float32(255))
    read = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', html)[1])))
    step = 2 if shape[0] > 56 else 1
    np.testing.assert_array_equal(np.asarray(read), pixels[::step, ::step].squeeze())


def test_predictions_keep_the_first_images():
    images = np.random.default_rng(0).integers(0, 200, (30, 28, 28), dtype=np.uint8)
    predictions = fc.testing.fake_trainer("Bag").predict(images)
    again = images[:4].copy()
    images[:] = 0  # the caller's array is not kept
    html = predictions._repr_html_()
    assert html.count("<img") == html.count("<tr>") - 1 == 10
    assert "30 images, 10 classes, the first 10" in html
    assert predictions[[3, 1]]._repr_html_().count("<img") == 2
    assert predictions[5:15]._repr_html_().count("<img") == 0  # the images of some are not known
    assert fc.testing.fake_trainer("Bag").predict(iter(again))._repr_html_().count("<img") == 4


def test_a_trainer(fitted):
    html = fitted._repr_html_()
    assert "28x28x1" in html
    assert "Ankle boot" in html

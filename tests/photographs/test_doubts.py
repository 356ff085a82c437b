"""Images that may be misread."""

import io

import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc


def test_negatives_masks_and_blanks(fitted, garments):
    images = garments[0][:5].copy()
    images[1], images[2], images[3] = 255 - images[1], images[2] > 100, 0
    frozen = fitted.compile_predictor()
    for predict in (fitted.predict, frozen.predict):
        with pytest.warns(fc.DoubtfulImageWarning, match=r"3 of 5 images") as caught:
            predictions = predict(images)
        assert [w.filename for w in caught] == [__file__]
        assert [bool(doubts) for doubts in predictions.doubts] == [False, True, True, True, False]
        assert "255 - image" in predictions[1].doubts[0]
        assert "mask * 255" in predictions[2].doubts[0]
        assert predictions[3].doubts == ("it is blank",)
        assert predictions[1:3].doubts == predictions.doubts[1:3]
        assert [each.doubts for each in predictions] == list(predictions.doubts)
        assert [record["doubts"] for record in predictions.to_records()] == list(map(list, predictions.doubts))
    for proba in (fitted.predict_proba, frozen.predict_proba):
        with pytest.warns(fc.DoubtfulImageWarning) as caught:
            proba(images)
        assert [w.filename for w in caught] == [__file__]


def test_every_blank_upload_is_named(fitted):
    from PIL import Image

    def upload():
        content = io.BytesIO()
        Image.new("RGB", (90, 60), "white").save(content, "PNG")
        return content

    with pytest.warns(fc.DoubtfulImageWarning, match=r"3 of 3 .*x\[0\].*x\[1\].*x\[2\]") as caught:
        predictions = fitted.predict([upload(), upload(), upload()])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert all(predictions.doubts)
    with pytest.warns(fc.DoubtfulImageWarning) as caught:
        fc.load_image(upload())
    assert caught[0].filename == __file__


def test_training_on_negatives_is_warned_of(garments, small_trainer):
    for call in (small_trainer().evaluate, lambda *data: small_trainer().fit(*data, **QUIET)):
        with pytest.warns(fc.DoubtfulImageWarning, match="255 - images") as caught:
            call(255 - garments[0], garments[1])
        assert caught[0].filename == __file__


def test_an_array_of_colours_is_a_photograph(fitted):
    from PIL import Image

    photograph = np.full((200, 150, 3), 240, np.uint8)
    photograph[40:160, 50:100] = (60, 30, 30)
    expected = fitted.predict_proba(Image.fromarray(photograph))
    np.testing.assert_array_equal(fitted.predict_proba(photograph), expected)
    np.testing.assert_allclose(fitted.predict_proba([photograph] * 2), np.repeat(expected, 2, axis=0), atol=1e-6)
    for wrong in (photograph[..., 0], photograph[np.newaxis]):
        with pytest.raises(ValueError, match="load_image"):
            fitted.predict(wrong)


def test_rounding_and_channels(fitted, garments):
    floats = (garments[0][:4] / 255).astype(np.float64)
    floats[0, 0, 0], floats[0, 1, 1] = 0, 1
    off = floats.copy()
    off[0, 0, 0], off[0, 1, 1] = -1e-8, 1.0000001
    np.testing.assert_allclose(fitted.predict_proba(off), fitted.predict_proba(floats), atol=1e-5)
    assert fc.prepare_images(off).max() <= 1
    with pytest.raises(ValueError, match=r"to 1\.0001"):
        fc.prepare_images(floats * 1.0001)
    with pytest.raises(ValueError, match="channels come last"):
        fc.prepare_images(floats[:, np.newaxis])

"""Photographs of what is unlike all classes."""

import pickle
import warnings

import pytest
from samples.photographs import draw
from samples.trainer import QUIET

import fashionclf as fc

REASON = "it is unlike all classes"


@pytest.fixture
def unsure(fitted):
    """A classifier of which every photograph is doubtful: a second Trainer on the shared model."""
    trainer = fc.Trainer(fitted.model)
    trainer.unfamiliarity_threshold = 0
    return trainer


def test_photographs_beyond_the_threshold_are_doubtful(unsure, garments):
    frozen = unsure.compile_predictor()
    for predict in (unsure.predict, frozen.predict, pickle.loads(pickle.dumps(frozen)).predict):
        with pytest.warns(fc.DoubtfulImageWarning, match=REASON) as caught:
            predictions = predict(draw())
        assert [w.filename for w in caught] == [__file__]
        assert predictions[0].doubts == (REASON,)
    with pytest.warns(fc.DoubtfulImageWarning, match=REASON):
        score = fc.Predictions(unsure.predict_proba(draw()), fc.CLASS_NAMES).unfamiliarity[0]
    with pytest.warns(fc.DoubtfulImageWarning, match=r"1 of 2 images may be misread. x\[1\]"):
        assert unsure.predict([garments[0][0], draw()]).doubts == ((), (REASON,))
    unsure.unfamiliarity_threshold = score  # exactly at it passes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unsure.predict(draw()).doubts == ((),)
        unsure.unfamiliarity_threshold = 0.0
        unsure.predict(garments[0][:3])  # images of a data set are not judged


def test_it_comes_after_other_doubts(unsure):
    from PIL import Image

    with pytest.warns(fc.DoubtfulImageWarning):
        (doubts,) = unsure.predict(Image.new("RGB", (90, 60), "white")).doubts
    assert len(doubts) == 2
    assert doubts[-1] == REASON


def test_without_a_threshold_none_is(fitted):
    assert fitted.unfamiliarity_threshold is None
    assert fitted.predict(draw()).doubts == ((),)


def test_it_is_saved(unsure, tmp_path):
    unsure.unfamiliarity_threshold = 0.25
    unsure.save(tmp_path / "a.keras")
    assert fc.Trainer.load(tmp_path / "a.keras").unfamiliarity_threshold == 0.25


def test_it_does_not_outlive_the_probabilities(small_trainer, garments):
    trainer = small_trainer()
    changes = (
        lambda: trainer.fit(*garments, **QUIET),
        lambda: fc.calibrate(trainer, *garments),
    )
    for change in changes:
        trainer.unfamiliarity_threshold = 0.5
        change()
        assert trainer.unfamiliarity_threshold is None
    trainer.unfamiliarity_threshold = 0.5
    with pytest.raises(ValueError, match="epochs"):
        trainer.fit(*garments, epochs=0)
    assert trainer.unfamiliarity_threshold == 0.5  # nothing was fitted


@pytest.mark.parametrize(("value", "error"), [(1.1, ValueError), (float("nan"), ValueError), ("0.9", TypeError)])
def test_it_is_a_number_from_0_to_1(unsure, value, error):
    with pytest.raises(error, match=r"`unfamiliarity_threshold` must be a number in \[0, 1\]"):
        unsure.unfamiliarity_threshold = value

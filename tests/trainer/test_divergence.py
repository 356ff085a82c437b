"""Training that diverges."""

import keras
import pytest


def test_fit_stops_and_predict_says_so(garments, small_trainer):
    trainer = small_trainer(optimizer=keras.optimizers.SGD(1e38))
    with pytest.warns(RuntimeWarning, match="diverged") as caught:
        history = trainer.fit(*garments, epochs=50, seed=0, verbose=0)
    assert caught[0].filename == __file__
    assert len(history.epoch) < 50
    for method in (trainer.predict, trainer.predict_proba, lambda _: trainer.compile_predictor()):
        with pytest.raises(ValueError, match="diverged"):
            method(garments[0])

"""The package as a guest: global states, warnings, logging and processes of others."""

import os
import random
import warnings

import keras
import numpy as np
import pytest
from samples.processes import run
from samples.trainer import QUIET

import fashionclf as fc


def test_builders_leave_global_random_states_alone():
    def states():
        generator = keras.src.random.seed_generator.global_seed_generator().state
        return random.getstate(), np.random.get_state()[1].tobytes(), generator.numpy().tobytes()

    before = states()
    for name in fc.list_presets():
        fc.Trainer.from_preset(name, seed=0)
    fc.Trainer.from_preset("cnn_fast", pretrained=True)
    for options in ({}, {"batch_norm": True, "dropout": 0.5, "num_classes": 1}):
        fc.dense_model((8,), seed=0, **options)
        fc.flip_averaged(fc.cnn_model((4,), pooling="average", seed=0, **options))
        fc.cnn_model((4,), **options)
    assert states() == before


@pytest.mark.slow
def test_channels_first_as_the_global_setting():
    run("""
        import keras, numpy as np, tempfile
        keras.config.set_image_data_format("channels_first")
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        images, labels = draw_garments(60)
        for name in fc.list_presets():
            trainer = fc.Trainer.from_preset(name, seed=0)
            trainer.predict(np.resize(images, (2, *trainer.image_shape)))
        trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model((4,), seed=0)))
        trainer.fit(images, labels, epochs=1, verbose=0)
        with tempfile.TemporaryDirectory() as folder:
            trainer.save(folder + "/a.keras")
            fc.Trainer.load(folder + "/a.keras").predict(images)
    """)


@pytest.mark.slow
def test_nothing_configures_logging_or_warnings():
    printed = run("""
        import logging, os, warnings
        import keras, tensorflow  # what other libraries set when they are imported is theirs
        before = list(warnings.filters), dict(os.environ), list(logging.getLogger().handlers)
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        images, labels = draw_garments(60)
        trainer = fc.Trainer(fc.dense_model((), seed=0))
        trainer.fit(images, labels, epochs=1, verbose=0)
        trainer.predict(images)
        trainer.compile_predictor()
        assert (list(warnings.filters), dict(os.environ), list(logging.getLogger().handlers)) == before
        logging.basicConfig(level="INFO", format="mine %(message)s", stream=__import__("sys").stdout)
        logging.info("heard")
    """)
    assert "mine heard" in printed


@pytest.mark.slow
def test_downstream_tests_may_turn_warnings_into_errors():
    run(
        """
        import warnings
        import tempfile
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        images, labels = draw_garments(120)
        fc.Trainer, fc.calibrate  # what other libraries warn of when they are imported is theirs
        warnings.simplefilter("error")
        recipe = fc.Recipe(schedule="one_cycle", augmentation=fc.Augmentation(), label_smoothing=0.1)
        trainer = fc.Trainer(fc.cnn_model((4,), units=(), batch_norm=True, seed=0), recipe=recipe)
        with tempfile.TemporaryDirectory() as folder:
            trainer.fit(
                images, labels, epochs=2, validation_split=0.3, early_stopping=1, seed=0, verbose=0,
                checkpoint=folder + "/best.keras", resume=folder + "/run.npz",
            )
            trainer.save(folder + "/a.keras")
            fc.Trainer.load(folder + "/a.keras").fit(images, labels, epochs=1, verbose=0)
        trainer.evaluate(images, labels)
        trainer.report(images, labels)
        fc.calibrate(trainer, images, labels)
        fc.Trainer.from_preset("cnn_fast", pretrained=True).predict(images[:2])
        """
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_what_to_do():
    printed = run("""
        import multiprocessing
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        images, labels = draw_garments(8)
        trainer = fc.Trainer(fc.dense_model((), seed=0))
        trainer.predict(images)
        frozen = trainer.compile_predictor()

        def child(_):
            told = []
            for call in (lambda: trainer.predict(images), lambda: trainer.evaluate(images, labels),
                         lambda: trainer.fit(images, labels, epochs=1), lambda: fc.Trainer(trainer.model)):
                try:
                    call()
                except RuntimeError as error:
                    told.append("compile_predictor" in str(error))
            return told, frozen.predict(images).labels.tolist()

        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(pool.map_async(child, [0]).get(60)[0] == ([True] * 4, trainer.predict(images).labels.tolist()))
    """)
    assert "True" in printed


def test_a_very_large_image(tmp_path):
    from PIL import Image

    Image.new("1", (12_000, 12_000)).save(tmp_path / "huge.png")
    with pytest.raises(ValueError, match=r"huge\.png.*144,000,000 pixels"):
        fc.load_image(tmp_path / "huge.png")
    image = Image.new("L", (12_000, 12_000), 255)
    image.paste(0, (4000, 2000, 8000, 10_000))
    image.save(tmp_path / "huge.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fc.load_image(tmp_path / "huge.jpg")[14, 14] > 200  # a JPEG is decoded at an eighth of its size


def test_the_error_of_a_split_in_fit_names_options_of_fit(garments, small_trainer):
    with pytest.raises(ValueError, match="validation_split") as caught:
        small_trainer().fit(garments[0][:30], garments[1][:30], validation_split=0.1, **QUIET)
    assert "stratify=" not in str(caught.value)
    assert "validation_size" not in str(caught.value)

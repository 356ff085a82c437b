"""Classifier files: save and load."""

import os
import random

import keras
import numpy as np
import pytest
from samples.processes import run

import fashionclf as fc


class TestSaveAndLoad:
    @pytest.mark.slow
    def test_round_trip_in_a_fresh_process(self, fitted, garments, tmp_path):
        path = tmp_path / "boots.keras"
        fitted.save(path)
        np.save(tmp_path / "images.npy", garments[0][:20])
        script = f"""
            import numpy as np, sys
            import fashionclf as fc
            trainer = fc.Trainer.load({str(path)!r})
            assert trainer.class_names == fc.CLASS_NAMES
            images = np.load({str(tmp_path / "images.npy")!r})
            np.save({str(tmp_path / "fashionclf.npy")!r}, trainer.predict_proba(images))
        """
        plain = f"""
            import os, sys
            sys.modules["fashionclf"] = None  # as if it were not installed
            import keras, numpy as np
            model = keras.models.load_model({str(path)!r})
            images = np.load({str(tmp_path / "images.npy")!r})[..., None] / np.float32(255)
            np.save({str(tmp_path / "plain.npy")!r}, model(images.astype("float32")))
        """
        for code in (script, plain):
            run(code)
        expected = fitted.predict_proba(garments[0][:20])
        np.testing.assert_array_equal(np.load(tmp_path / "fashionclf.npy"), expected)
        np.testing.assert_allclose(np.load(tmp_path / "plain.npy"), expected, atol=1e-6)

    def test_recipe_names_and_evaluation_survive(self, garments, tmp_path):
        recipe = fc.Recipe(learning_rate=0.01, schedule="one_cycle", epochs=2, augmentation=fc.Augmentation())
        trainer = fc.Trainer(
            fc.dense_model((), seed=0),
            class_names=fc.class_names("fashion_mnist", "ko"),
            recipe=recipe,
            metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(3, name="top_3")],
        )
        trainer.fit(*garments, seed=0, verbose=0)
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        assert again.recipe == recipe
        assert again.evaluate(*garments) == trainer.evaluate(*garments)
        history = again.fit(*garments, seed=1, verbose=0).history
        assert set(history) == {"loss", "accuracy", "top_3"}
        assert again.class_names[8] == "가방"

    def test_a_loaded_trainer_goes_on_like_the_saved_one(self, garments, small_trainer, tmp_path):
        trainer = small_trainer()
        trainer.fit(*garments, epochs=1, seed=0, verbose=0)
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        for each in (trainer, again):
            each.fit(*garments, epochs=1, seed=1, verbose=0)
        np.testing.assert_array_equal(trainer.model.get_weights()[0], again.model.get_weights()[0])

    def test_an_untrained_classifier(self, small_trainer, garments, tmp_path):
        trainer = small_trainer()
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        np.testing.assert_array_equal(again.predict_proba(garments[0]), trainer.predict_proba(garments[0]))

    def test_what_was_asked_for_survives_before_the_first_fit(self, garments, small_trainer, tmp_path):
        small_trainer(optimizer=keras.optimizers.SGD(0.5), loss="mse", metrics=["mae"]).save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        assert set(again.fit(*garments, epochs=1, verbose=0).history) == {"loss", "mae"}
        assert isinstance(again.model.optimizer, keras.optimizers.SGD)
        assert float(again.model.optimizer.learning_rate) == 0.5

    def test_numpy_numbers_in_a_recipe_are_saved(self, small_trainer, tmp_path):
        recipe = fc.Recipe(
            epochs=np.int64(3), learning_rate=np.float32(0.5), augmentation=fc.Augmentation(max_shift=np.int8(1))
        )
        small_trainer(recipe=recipe).save(tmp_path / "a.keras")
        assert fc.Trainer.load(tmp_path / "a.keras").recipe == recipe

    def test_tampered_metadata_is_named(self, small_trainer, tmp_path):
        import json
        import zipfile

        for i, metadata in enumerate([{"format": 1}, {"format": 99}, [], {"format": 1, "class_names": {}, "recipe": [],
                                      "compilation": {}}]):  # fmt: skip
            path = tmp_path / f"{i}.keras"
            small_trainer().model.save(path)
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("fashionclf.json", json.dumps(metadata))
            with pytest.raises(ValueError, match=rf"{i}\.keras"):
                fc.Trainer.load(path)

    def test_a_lambda_layer_is_refused(self, tmp_path):
        layers = [keras.layers.Lambda(lambda x: x), keras.layers.Dense(10, activation="softmax")]
        with pytest.raises(ValueError, match="Lambda"):
            fc.Trainer(keras.Sequential([keras.Input((784,)), *layers])).save(tmp_path / "a.keras")
        assert not list(tmp_path.iterdir())

    def test_a_plain_keras_file_needs_names(self, tmp_path):
        fc.dense_model((), num_classes=2).save(tmp_path / "plain.keras")
        with pytest.raises(ValueError, match="pass `class_names`"):
            fc.Trainer.load(tmp_path / "plain.keras")
        assert fc.Trainer.load(tmp_path / "plain.keras", class_names=["a", "b"]).class_names == ("a", "b")

    def test_damaged_and_missing_files(self, small_trainer, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.keras"):
            fc.Trainer.load(tmp_path / "none.keras")
        (tmp_path / "text.keras").write_text("not a zip file")
        with pytest.raises(ValueError, match=r"text\.keras.*not a \.keras file"):
            fc.Trainer.load(tmp_path / "text.keras")
        small_trainer().save(tmp_path / "whole.keras")
        content = (tmp_path / "whole.keras").read_bytes()
        (tmp_path / "half.keras").write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match=r"half\.keras"):
            fc.Trainer.load(tmp_path / "half.keras")

    def test_a_failing_save_leaves_the_old_file(self, small_trainer, tmp_path, monkeypatch):
        trainer = small_trainer()
        trainer.save(tmp_path / "a.keras")
        before = (tmp_path / "a.keras").read_bytes()
        monkeypatch.setattr(keras.Sequential, "save", lambda self, path: os.fspath(1 / 0))
        with pytest.raises(ZeroDivisionError):
            trainer.save(tmp_path / "a.keras")
        assert (tmp_path / "a.keras").read_bytes() == before
        assert len(list(tmp_path.iterdir())) == 1

    def test_loading_leaves_pythons_random_state(self, tmp_path):
        model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
        fc.Trainer(model).save(tmp_path / "a.keras")
        before = random.getstate()
        fc.Trainer.load(tmp_path / "a.keras")
        assert random.getstate() == before


def test_a_recipe_of_other_versions():
    assert fc.Recipe.from_dict({"epochs": 3}) == fc.Recipe(epochs=3)
    with pytest.raises(TypeError, match="'warp'"):
        fc.Recipe.from_dict({"warp": 9})
    for name in fc.list_presets():
        recipe = fc.get_preset(name).recipe
        assert fc.Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_classifier_of_other_versions(small_trainer, tmp_path):
    import json
    import zipfile

    def rewritten(name, **changes):
        small_trainer(class_names=list("abcdefghij")).save(tmp_path / "whole.keras")
        with (
            zipfile.ZipFile(tmp_path / "whole.keras") as source,
            zipfile.ZipFile(tmp_path / name, "w") as target,
        ):
            for member in source.namelist():
                content = source.read(member)
                if member == "fashionclf.json":
                    values = {**json.loads(content), **changes}
                    content = json.dumps({k: v for k, v in values.items() if v != "gone"})
                target.writestr(member, content)
        return tmp_path / name

    with pytest.raises(ValueError, match="newer version"):
        fc.Trainer.load(rewritten("new.keras", format=99))
    for name, changes in (
        ("a.keras", {"format": "x"}),
        ("b.keras", {"class_names": "gone"}),
        ("d.keras", {"recipe": "gone"}),
    ):
        with pytest.raises(ValueError, match="damaged"):
            fc.Trainer.load(rewritten(name, **changes))
    with pytest.raises(ValueError, match=r"c\.keras.*'warp'"):
        fc.Trainer.load(rewritten("c.keras", recipe={"warp": 9}))

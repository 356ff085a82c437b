"""`Trainer.fit`: data, options, what it learns."""

import dataclasses
import sys

import keras
import numpy as np
import pytest

import fashionclf as fc


def test_it_learns(fitted):
    history = fitted.history.history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len(history["loss"]) == 4
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["val_accuracy"][-1] > 0.6


@pytest.mark.parametrize(
    ("model_options", "labels", "loss"),
    [
        ({}, "integers", "sparse_categorical_crossentropy"),
        ({}, "one_hot", "categorical_crossentropy"),
        ({"num_classes": 2}, "two", "sparse_categorical_crossentropy"),
        ({"num_classes": 1}, "two", "binary_crossentropy"),
        ({"num_classes": 1}, "two_one_hot", "binary_crossentropy"),
    ],
)
def test_loss_is_read_off_output_and_labels(garments, model_options, labels, loss):
    images, integers = garments[0][:60], garments[1][:60]
    forms = {
        "integers": integers,
        "one_hot": fc.one_hot(integers),
        "two": integers % 2,
        "two_one_hot": fc.one_hot(integers % 2, 2),
    }
    names = None if not model_options else ["even", "odd"]
    trainer = fc.Trainer(fc.dense_model((), seed=0, **model_options), class_names=names)
    trainer.fit(images, forms[labels], epochs=1, seed=0, verbose=0)
    assert trainer.model.loss == loss
    for form in ("integers", "one_hot") if not names else ("two", "two_one_hot"):
        figures = trainer.evaluate(images, forms[form])  # any form, whatever it was trained on
        assert figures["accuracy"] == pytest.approx(
            np.mean(trainer.predict(images).labels == (integers % 2 if names else integers)), abs=1e-6
        )


def test_every_form_of_images_trains_the_same(every_form, garments, trained):
    labels = garments[1][:8]
    results = [(form, trained(images, labels, epochs=2, batch_size=4)) for form, images in every_form.items()]
    for form, weights in results[1:]:
        np.testing.assert_allclose(weights, results[0][1], atol=1e-5, err_msg=form)


def test_a_split_brings_labels_and_names(garments, small_trainer):
    digits = fc.Split(*garments, class_names=fc.class_names("mnist"))
    trainer = small_trainer()
    trainer.fit(digits, epochs=1, validation_data=digits[:50], seed=0, verbose=0)
    assert trainer.class_names == fc.class_names("mnist")
    assert trainer.predict(garments[0][0])[0].class_name in "0123456789"
    assert trainer.evaluate(digits) == trainer.evaluate(*garments)
    given = small_trainer(class_names=fc.class_names("fashion_mnist", "ko"))
    given.fit(digits, epochs=1, seed=0, verbose=0)
    assert given.class_names[8] == "가방"


def test_fitting_again_goes_on(garments, small_trainer):
    trainer = small_trainer()
    first = trainer.fit(*garments, epochs=1, seed=0, verbose=0).history["loss"]
    assert trainer.fit(*garments, epochs=2, seed=1, verbose=0).history["loss"][-1] < first[0]
    assert int(trainer.model.optimizer.iterations) == 3 * 19  # the optimizer went on too
    trainer.recipe = fc.Recipe(optimizer="sgd", momentum=0.5, weight_decay=0.01)  # another takes effect
    trainer.fit(*garments, epochs=1, verbose=0)
    assert isinstance(trainer.model.optimizer, keras.optimizers.SGD)
    assert trainer.model.optimizer.momentum == 0.5
    assert trainer.model.optimizer.nesterov
    assert trainer.model.optimizer.weight_decay == 0.01


def test_a_schedule_starts_afresh(garments, small_trainer):
    trainer = small_trainer(recipe=fc.Recipe(schedule="one_cycle", learning_rate=0.01, epochs=2))
    for seed in (0, 1):
        trainer.fit(*garments, seed=seed, verbose=0)
        assert int(trainer.model.optimizer.iterations) == 2 * 19
        assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0, abs=1e-6)


def test_validation_split_is_not_trained_on(garments, trained):
    seen = []

    class Steps(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(self.params["steps"])

    for share in (0.5, 0):
        trained(*garments, validation_split=share, callbacks=[Steps()])
        assert ("val_loss" in trained.history) == bool(share)
    assert seen == [10, 19]


def test_early_stopping_and_a_checkpoint_give_the_best_weights(garments, small_trainer, tmp_path):
    trainer = small_trainer(optimizer="sgd", recipe=fc.Recipe(learning_rate=30.0), class_names=list("abcdefghij"))
    held_out = (garments[0][:100], garments[1][:100])
    path, options = tmp_path / "best.keras", {"validation_data": held_out, "seed": 0, "verbose": 0}
    losses = trainer.fit(*garments, epochs=30, early_stopping=1, checkpoint=path, **options).history["val_loss"]
    assert 1 < len(losses) < 30  # it bounces
    best = fc.Trainer.load(path)
    assert best.class_names == tuple("abcdefghij")
    for each in (trainer, best):
        assert each.evaluate(*held_out)["loss"] == pytest.approx(min(losses), rel=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["best.keras"]


def test_weights_of_examples_and_classes(garments, trained):
    images, labels = garments
    boots = labels == 9
    trainer = trained.trainer
    choices = (
        {"class_weight": dict.fromkeys(range(9), 0.0)},
        {"sample_weight": boots.astype(float)},
        {"class_weight": dict.fromkeys(fc.CLASS_NAMES[:9], 0)},
    )
    found = [trained(images, labels, **options) for options in choices]
    np.testing.assert_array_equal(found[1:], found[:1] * 2)
    only_boots = trainer.evaluate(images[boots], labels[boots])
    assert only_boots["accuracy"] == 1
    weighted = trainer.evaluate(images, labels, sample_weight=boots)
    assert weighted["loss"] == pytest.approx(only_boots["loss"] * boots.mean(), rel=1e-4)  # a mean over all


def test_balanced_weights_are_scikit_learns(garments):
    from sklearn.utils.class_weight import compute_class_weight

    from fashionclf.inputs import collect_labelled

    labels = np.repeat([0, 1, 2], [10, 20, 30])
    data = collect_labelled(garments[0][:60], labels, converter=None, num_classes=3)
    weights = data.with_class_weight("balanced", None, 3).weights
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)[labels]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize("option", [{"label_smoothing": 0.2}, {"cutmix": 1.0}], ids=str)
def test_what_acts_in_training_only(garments, small_trainer, option):
    trainer = small_trainer(recipe=fc.Recipe(**option, epochs=6, learning_rate=0.01))
    history = trainer.fit(*garments, validation_data=garments, seed=0, verbose=0).history
    assert history["loss"][-1] > history["val_loss"][-1] + 0.2


def test_label_smoothing_keeps_metrics_true(garments):
    """What the loss learns from is smoothed; accuracy and the like are counted on the labels themselves."""
    images, labels = garments[0], garments[1] % 2
    model = fc.dense_model((), num_classes=1, seed=0)
    trainer = fc.Trainer(model, class_names=["even", "odd"], recipe=fc.Recipe(label_smoothing=0.1))
    history = trainer.fit(images, labels, epochs=8, seed=0, verbose=0).history
    assert history["accuracy"][-1] > 0.6
    assert trainer.evaluate(images, labels)["loss"] < history["loss"][-1]


def test_cutmix_with_other_options(garments):
    """One sigmoid unit, soft labels, weights, smoothing, augmentation: what it must get along with."""
    images, labels = garments[0][:100], garments[1][:100] % 2
    recipe = fc.Recipe(cutmix=0.5, label_smoothing=0.1, augmentation=fc.Augmentation(noise=0.1))
    options = {"sample_weight": np.arange(100), "class_weight": {1: 2}, "epochs": 2, "seed": 0, "verbose": 0}
    for units, targets in ((1, labels), (2, labels), (2, fc.one_hot(labels, 2) * 0.8 + 0.1)):
        trainer = fc.Trainer(fc.dense_model((), num_classes=units, seed=0), class_names=["a", "b"], recipe=recipe)
        assert np.isfinite(trainer.fit(images, targets, **options).history["loss"]).all()


def test_optimizers_by_name(garments, small_trainer):
    from fashionclf.recipe import OPTIMIZERS
    from fashionclf.trainer._compilation import make_optimizer

    for name, optimizer in OPTIMIZERS.items():
        assert type(make_optimizer(fc.Recipe(optimizer=name), 10)) is optimizer
    trainer = small_trainer(optimizer="Adagrad")
    trainer.fit(garments[0][:40], garments[1][:40], epochs=1, verbose=0)
    assert type(trainer.model.optimizer) is keras.optimizers.Adagrad


def test_instances_of_optimizer_loss_and_metrics(garments, small_trainer):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    trainer = small_trainer(
        optimizer=optimizer,
        loss=keras.losses.CategoricalFocalCrossentropy(),
        metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(3, name="top_3")],
    )
    history = trainer.fit(*garments, epochs=2, seed=0, verbose=0).history
    assert trainer.model.optimizer is optimizer
    assert set(history) == {"loss", "accuracy", "top_3"}
    assert set(trainer.evaluate(*garments)) == {"loss", "accuracy", "top_3"}


def test_nothing_keeps_the_images_alive(garments, trained):
    import gc
    import weakref

    images = garments[0].copy()
    gone = weakref.ref(images)
    trained(images, garments[1])
    del images
    gc.collect()
    assert gone() is None


def test_a_model_is_fitted_once_at_a_time(garments, trained):
    from concurrent.futures import ThreadPoolExecutor

    trainer, refused = trained.trainer, []

    class Second(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            with ThreadPoolExecutor(1) as pool:
                refused.append(pool.submit(trainer.fit, *garments, epochs=1, verbose=0).exception())
            try:
                trainer.fit(*garments, epochs=1, verbose=0)
            except RuntimeError as error:
                refused.append(error)

    trained(*garments, callbacks=[Second()])
    assert [type(error) for error in refused] == [RuntimeError, RuntimeError]
    trained(*garments)


def test_a_compiled_model_keeps_its_compilation(garments):
    model = fc.dense_model((), seed=0)
    model.compile(optimizer="sgd", loss="categorical_crossentropy", metrics=["mae"])
    optimizer = model.optimizer
    trainer = fc.Trainer(model)
    trainer.fit(*garments, epochs=1, verbose=0)
    assert model.optimizer is optimizer
    assert set(trainer.evaluate(*garments)) == {"loss", "mae"}


def test_augmentation_is_applied_and_can_be_turned_off(garments, trained, monkeypatch):
    shifts, nothing = fc.Augmentation(max_shift=3), fc.Augmentation(horizontal_flip=False, max_shift=0)
    monkeypatch.setattr(trained.trainer, "recipe", dataclasses.replace(trained.trainer.recipe, augmentation=shifts))
    choices = {"recipe": None, "on": True, "off": False, "none": nothing}
    weights = {name: trained(*garments, augment=augment) for name, augment in choices.items()}
    np.testing.assert_array_equal(weights["recipe"], weights["on"])
    np.testing.assert_array_equal(weights["off"], weights["none"])
    assert (weights["on"] != weights["off"]).any()


def test_user_callbacks_see_every_batch_and_epoch(garments, trained):
    calls = {"batch": 0, "epoch": 0}

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls["batch"] += 1

        def on_epoch_end(self, epoch, logs=None):
            calls["epoch"] += 1

    trained(*garments, epochs=2, batch_size=100, callbacks=[Count()])
    assert calls == {"batch": 12, "epoch": 2}


def test_output_that_is_no_terminal_gets_two_lines_per_epoch(garments, trained, capsys, monkeypatch):
    """Its number, and its figures. On a terminal Keras redraws a progress bar."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # another test may have imported it
    trained(*garments, epochs=3, batch_size=8, verbose="auto")
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("Epoch") for line in lines] == [True, False] * 3
    assert "accuracy: " in lines[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    trained(*garments, batch_size=8, verbose="auto")
    assert "━" in capsys.readouterr().out

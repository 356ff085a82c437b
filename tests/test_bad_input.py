"""Every public function against wrong input, in one table: each mistake is named, and leaves nothing behind."""

import dataclasses
import re

import keras
import numpy as np
import pytest
from samples.bad_calls_of_trainer import ROWS_OF_TRAINER
from samples.bad_input import (
    BAD_ARRAYS,
    BAD_LABELS,
    IMAGES,
    LABELS,
    NAMES,
    OUT_OF_RANGE,
    SOME_BAD_ARRAYS,
    SOME_BAD_LABELS,
    SOME_BAD_PHOTOGRAPHS,
    SOME_BAD_PIXELS,
    World,
    with_images,
    with_labels,
)

import fashionclf as fc


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(shared_world):
    before = shared_world.state()
    yield shared_world
    assert shared_world.state() == before


VALUE, TYPE = ValueError, TypeError
TABLE = {
    "prepare_images": with_images(lambda w, x: fc.prepare_images(x), BAD_ARRAYS),
    "scale": with_images(lambda w, x: fc.scale(x), SOME_BAD_PIXELS),
    "flatten": with_images(lambda w, x: fc.flatten(x), SOME_BAD_ARRAYS),
    "Augmentation()": [
        *with_images(lambda w, x: fc.Augmentation()(x), SOME_BAD_ARRAYS),
        ("seed", lambda w: fc.Augmentation()(IMAGES, seed=-1), VALUE, "`seed` must be an integer of at least 0"),
    ],
    "Augmentation": [
        ("shift", lambda w: fc.Augmentation(max_shift=28)(IMAGES), VALUE,
         "shorter edge of the images, which are 28x28"),
        ("shift type", lambda w: fc.Augmentation(max_shift=1.5), TYPE, "integer"),
        ("flip", lambda w: fc.Augmentation(horizontal_flip="yes"), TYPE, "True or False"),
        ("erasing", lambda w: fc.Augmentation(erasing=1.5), VALUE, r"\[0, 1\]"),
        ("erasing NaN", lambda w: fc.Augmentation(erasing=float("nan")), VALUE, r"\[0, 1\]"),
        ("erasing type", lambda w: fc.Augmentation(erasing="0.5"), TYPE, "number"),
        *((name, lambda w, name=name, value=value: fc.Augmentation(**{name: value}), VALUE, f"`{name}` must be a n")
          for name, value in {"noise": -0.1, "rotation": 181, "zoom": 1, "contrast": 1.1, "blur": 3.5}.items()),
        ("noise type", lambda w: fc.Augmentation(noise=True), TYPE, "number"),
    ],
    "one_hot": [
        ("range", lambda w: fc.one_hot([3], 3), VALUE, r"expected 0\.\.2"),
        ("classes", lambda w: fc.one_hot([0], 1), VALUE, "at least 2"),
        ("fractions", lambda w: fc.one_hot([0.5]), VALUE, "fractions"),
        ("text", lambda w: fc.one_hot(["Bag"]), TYPE, "class_names.index"),
    ],
    "train_validation_split": [
        *with_images(lambda w, x: fc.train_validation_split(x, LABELS), SOME_BAD_PIXELS),
        *with_labels(lambda w, y: fc.train_validation_split(IMAGES, y), SOME_BAD_LABELS),
        ("one image", lambda w: fc.train_validation_split(IMAGES[0], [1]), VALUE, "single image"),
        ("groups", lambda w: fc.train_validation_split(IMAGES, LABELS, groups=[1]), VALUE, "one integer or string"),
        ("one group", lambda w: fc.train_validation_split(IMAGES, LABELS, groups=[1] * 20), VALUE, "too few"),
        ("size", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size=1.0), VALUE, r"\(0, 1\)"),
        ("size 0", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size=0), VALUE, "at least 1"),
        ("all", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size=20), VALUE, "no training image"),
        ("size type", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size="2"), TYPE, "number"),
        ("size True", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size=True), TYPE, "number"),
        ("too small to stratify", lambda w: fc.train_validation_split(IMAGES, LABELS, validation_size=5), VALUE,
         "stratify=False"),
        ("seed", lambda w: fc.train_validation_split(IMAGES, LABELS, seed=2**32), VALUE, "at most 4,294,967,295"),
        ("seed type", lambda w: fc.train_validation_split(IMAGES, LABELS, seed=1.0), TYPE, "integer"),
        ("stratify", lambda w: fc.train_validation_split(IMAGES, LABELS, stratify=1), TYPE, "True or False"),
    ],
    "class_names": [
        ("dataset", lambda w: fc.class_names("fashion"), VALUE, "Did you mean 'fashion_mnist'"),
        ("dataset type", lambda w: fc.class_names(None), TYPE, "must be a string"),
        ("language", lambda w: fc.class_names("mnist", "de"), VALUE, "'en', 'ko'"),
    ],
    "load_data": [
        ("name", lambda w: fc.load_data("fashion_mnst"), VALUE, "Did you mean 'fashion_mnist'"),
        ("name type", lambda w: fc.load_data(3), TYPE, "must be a string"),
        ("folder type", lambda w: fc.load_data("mnist", data_dir=3), TYPE, "path"),
        ("download", lambda w: fc.load_data("mnist", download="no"), TYPE, "True or False"),
    ],
    "Split": [
        *with_images(lambda w, x: fc.Split(x, LABELS, class_names=fc.CLASS_NAMES), SOME_BAD_ARRAYS),
        *with_labels(lambda w, y: fc.Split(IMAGES, y, class_names=fc.CLASS_NAMES), BAD_LABELS),
        *[(f"names: {name}", lambda w, bad=bad: fc.Split(IMAGES, LABELS, class_names=bad), error, "class|labels")
          for name, (bad, error, _) in NAMES.items()],
    ],
    "dense_model": [
        ("units", lambda w: fc.dense_model((0,)), VALUE, r"`units\[0\]`"),
        ("units type", lambda w: fc.dense_model((1.5,)), TYPE, "integer"),
        ("units text", lambda w: fc.dense_model("128"), TYPE, "integer"),
        ("flatten", lambda w: fc.dense_model(flatten="befor"), VALUE, "Did you mean 'before'"),
        ("activation", lambda w: fc.dense_model(activation="rellu"), VALUE, "Did you mean 'relu'"),
        ("dropout", lambda w: fc.dense_model(dropout=1.0), VALUE, r"\[0, 1\)"),
        ("dropout NaN", lambda w: fc.dense_model(dropout=np.nan), VALUE, r"\[0, 1\)"),
        ("batch_norm", lambda w: fc.dense_model(batch_norm="no"), TYPE, "True or False"),
        ("num_classes", lambda w: fc.dense_model(num_classes=0), VALUE, "at least 1"),
        ("seed", lambda w: fc.dense_model(seed="0"), TYPE, "integer"),
        ("name", lambda w: fc.dense_model(name=""), VALUE, "empty name"),
    ],
    "cnn_model": [
        ("filters", lambda w: fc.cnn_model(()), VALUE, "at least 1 and at most 4"),
        ("too deep", lambda w: fc.cnn_model((1,) * 5), VALUE, "at most 4: each block halves the 28x28 pixels"),
        ("kernel", lambda w: fc.cnn_model(kernel_size=(3, 3, 3)), VALUE, "one or two sizes"),
        ("kernel size", lambda w: fc.cnn_model(kernel_size=29), VALUE, "up to the 28x28 pixels"),
        ("pooling", lambda w: fc.cnn_model(pooling="mean"), VALUE, "'max', 'average'"),
        ("pooling type", lambda w: fc.cnn_model(pooling=None), TYPE, "string"),
        ("dropout", lambda w: fc.cnn_model(dropout=-0.1), VALUE, r"\[0, 1\)"),
        ("activation", lambda w: fc.cnn_model(activation=None), TYPE, "string"),
    ],
    "Recipe": [
        ("optimizer", lambda w: fc.Recipe(optimizer="adm"), VALUE, "Did you mean 'adam'"),
        ("rate", lambda w: fc.Recipe(learning_rate=0), VALUE, r"\(0, 1000\]"),
        ("momentum", lambda w: fc.Recipe(momentum=1.0), VALUE, r"\[0, 1\)"),
        ("momentum of adam", lambda w: fc.Recipe(momentum=0.9), VALUE, "'sgd'"),
        ("weight decay", lambda w: fc.Recipe(weight_decay=-0.1), VALUE, r"\[0, 1\)"),
        ("schedule", lambda w: fc.Recipe(schedule="onecycle"), VALUE, "Did you mean 'one_cycle'"),
        ("epochs", lambda w: fc.Recipe(epochs=0), VALUE, "at least 1"),
        ("freeze epochs", lambda w: fc.Recipe(freeze_epochs=-1), VALUE, "at least 0"),
        ("batch size", lambda w: fc.Recipe(batch_size=2.5), TYPE, "integer"),
        ("augmentation", lambda w: fc.Recipe(augmentation=True), TYPE, "Augmentation"),
        ("smoothing", lambda w: fc.Recipe(label_smoothing=1), VALUE, r"\[0, 1\)"),
        ("cutmix", lambda w: fc.Recipe(cutmix=1.5), VALUE, r"\[0, 1\]"),
        ("precision", lambda w: fc.Recipe(precision="bf16"), VALUE, "'bfloat16'"),
        ("patience", lambda w: fc.Recipe(early_stopping=-1), VALUE, "at least 0"),
        ("split", lambda w: fc.Recipe(validation_split=1.0), VALUE, r"\[0, 1\)"),
    ],
    "get_preset": [
        ("name", lambda w: fc.get_preset("cnn_droput"), VALUE, "Did you mean 'cnn_dropout'"),
        ("type", lambda w: fc.get_preset(1), TYPE, "string"),
    ],
    "load_image": [
        *[(f"array: {name}", lambda w, bad=bad: fc.load_image(bad), error, text) for name, bad, error, text in (
            ("colours", np.zeros((9, 9, 2), np.uint8), VALUE, r"\(9, 9, 2\), expected one image"),
            ("many", IMAGES, VALUE, "expected one image"),
            ("empty", np.zeros((0, 4), np.uint8), VALUE, "empty"),
            ("NaN", np.full((9, 9), np.nan), VALUE, "NaN"),
            ("floats to 255", np.full((9, 9), 255.0), VALUE, "divide by 255"),
        )],
        ("missing", lambda w: fc.load_image(w.folder / "no.png"), FileNotFoundError, "no image"),
        ("folder", lambda w: fc.load_image(w.folder), VALUE, "is a folder"),
        ("bytes", lambda w: fc.load_image(b"abc"), TYPE, "BytesIO"),
        ("nothing", lambda w: fc.load_image(None), TYPE, "one image"),
    ],
    "load_folder": [
        ("missing", lambda w: fc.load_folder(w.folder / "no"), FileNotFoundError, "no folder"),
        ("empty", lambda w: fc.load_folder(w.folder), VALUE, "no sub-folders"),
        ("type", lambda w: fc.load_folder(3), TYPE, "must be a path"),
        ("on_error", lambda w: fc.load_folder(w.folder, on_error="no"), VALUE, "Unknown on_error"),
    ],
    "preprocessing_steps": [("folder", lambda w: fc.preprocessing_steps(w.folder), VALUE, "is a folder")],
    "flip_averaged": [
        ("type", lambda w: fc.flip_averaged(w.trainer), TYPE, "keras.Model"),
        ("rows", lambda w: fc.flip_averaged(keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)])), VALUE,
         r"\(None, 784\)"),
        ("not built", lambda w: fc.flip_averaged(keras.Sequential([keras.layers.Flatten()])), VALUE, "must be built"),
        ("name", lambda w: fc.flip_averaged(w.trainer.model, name=3), TYPE, "must be a string"),
    ],
    "list_presets": [("pretrained", lambda w: fc.list_presets(pretrained="yes"), TYPE, "True or False")],
    "evaluate_predictions": [
        *with_labels(lambda w, y: fc.evaluate_predictions(y, np.eye(10)[LABELS]),
                     {key: row for key, row in (BAD_LABELS | OUT_OF_RANGE).items() if key != "too few"}),
        ("too few", lambda w: fc.evaluate_predictions(LABELS[:-1], np.eye(10)[LABELS]), VALUE,
         "19 rows but there are 20 predictions"),
        ("scores", lambda w: fc.evaluate_predictions([0], [[3.0, -1.0]]), VALUE, r"in \[0, 1\]"),
        ("one row", lambda w: fc.evaluate_predictions([0], [0.5, 0.5]), VALUE, r"shape \(2,\)"),
        ("zeros", lambda w: fc.evaluate_predictions([0], [[0.0, 0.0]]), VALUE, "sum to 1"),
        ("text", lambda w: fc.evaluate_predictions([0], "Bag"), TYPE, "numbers"),
        ("names twice", lambda w: fc.evaluate_predictions([0], fc.Predictions(np.eye(2)[:1], "ab"), class_names="ab"),
         (VALUE, TYPE), "class_names|class names"),
        ("names", lambda w: fc.evaluate_predictions([0], np.eye(2)[:1], class_names=["a"]), VALUE, "1 names"),
    ],
    "EvaluationReport": [
        ("top k", lambda w: w.report.top_k_accuracy(0), VALUE, "`k`"),
        ("most confused", lambda w: w.report.most_confused(1.5), TYPE, "`k`"),
        ("mistakes", lambda w: w.report.mistakes(0), VALUE, "`k`"),
        ("language", lambda w: w.report.describe("Korean"), VALUE, "Unknown language 'Korean'"),
    ],
    "shift_robustness": [
        *with_images(lambda w, x: fc.shift_robustness(w.trainer, x, LABELS)),
        *with_labels(lambda w, y: fc.shift_robustness(w.trainer, IMAGES, y), SOME_BAD_LABELS | OUT_OF_RANGE),
        ("trainer", lambda w: fc.shift_robustness(w.trainer.model, IMAGES, LABELS), TYPE, "must be a Trainer"),
        ("shift", lambda w: fc.shift_robustness(w.trainer, IMAGES, LABELS, max_shift=28), VALUE, "below 28"),
        ("shift type", lambda w: fc.shift_robustness(w.trainer, IMAGES, LABELS, max_shift=1.5), TYPE, "max_shift"),
    ],
    "corruption_robustness": [
        ("trainer", lambda w: fc.corruption_robustness(w.trainer.model, IMAGES, LABELS), TYPE, "must be a Trainer"),
        ("name", lambda w: fc.corruption_robustness(w.trainer, IMAGES, LABELS, corruptions=["snow"]), VALUE, "fog"),
        ("level", lambda w: fc.corruption_robustness(w.trainer, IMAGES, LABELS, severities=[6]), VALUE, "at most 5"),
        ("text", lambda w: fc.corruption_robustness(w.trainer, IMAGES, LABELS, corruptions="fog"), TYPE, "sequence"),
    ],
    "calibrate": [
        *with_images(lambda w, x: fc.calibrate(w.trainer, x, LABELS)),
        *with_labels(lambda w, y: fc.calibrate(w.trainer, IMAGES, y), SOME_BAD_LABELS | OUT_OF_RANGE),
        ("trainer", lambda w: fc.calibrate(w.trainer.model, IMAGES, LABELS), TYPE, "must be a Trainer"),
        ("no dense layer", lambda w: fc.calibrate(fc.Trainer(keras.Sequential([keras.Input((784,)), keras.layers.Dense(
            10), keras.layers.Softmax()])), IMAGES, LABELS), VALUE, "must end in one Dense layer"),
    ],
    "distance_aware": [
        *with_images(lambda w, x: fc.distance_aware(w.trainer, x, LABELS)),
        *with_labels(lambda w, y: fc.distance_aware(w.trainer, IMAGES, y), SOME_BAD_LABELS | OUT_OF_RANGE),
        ("trainer", lambda w: fc.distance_aware(w.trainer.model, IMAGES, LABELS), TYPE, "must be a Trainer"),
        ("a class", lambda w: fc.distance_aware(w.trainer, IMAGES[:9], LABELS[:9]), VALUE, "There are no images of"),
    ],
    "load_exported": [
        ("missing", lambda w: fc.load_exported(w.folder / "a.tflite"), FileNotFoundError, r"a\.tflite"),
        ("ending", lambda w: fc.load_exported(__file__), VALUE, r"ending in '\.tflite' or '\.onnx'"),
        ("threads", lambda w: fc.load_exported(w.folder / "a.onnx", num_threads=0), VALUE, "`num_threads`"),
        ("many", lambda w: fc.load_exported(w.folder / "a.onnx", num_threads=10**12), VALUE, "at most 1,024"),
        ("threads of a folder", lambda w: fc.load_exported(w.folder, num_threads=1), VALUE, "tf.config.threading"),
        ("type", lambda w: fc.load_exported(3), TYPE, "path"),
    ],
    "FrozenPredictor.predict": with_images(lambda w, x: w.frozen.predict(x), SOME_BAD_PHOTOGRAPHS),
    "FrozenPredictor.predict_proba": with_images(lambda w, x: w.frozen.predict_proba(x), SOME_BAD_PHOTOGRAPHS),
    "Predictions": [
        ("axes", lambda w: fc.Predictions([0.5, 0.5], ["a", "b"]), VALUE, r"shape \(2,\)"),
        ("one column", lambda w: fc.Predictions([[1.0]], ["a"]), VALUE, "at least 2"),
        ("range", lambda w: fc.Predictions([[2.0, -1.0]], ["a", "b"]), VALUE, r"\[0, 1\]"),
        ("NaN", lambda w: fc.Predictions([[np.nan, 0.5]], ["a", "b"]), VALUE, "NaN"),
        ("names", lambda w: fc.Predictions([[0.5, 0.5]], ["a"]), VALUE, "1 names but there are 2 classes"),
        ("top", lambda w: fc.Predictions([[0.5, 0.5]], ["a", "b"]).top(0), VALUE, "`k`"),
        ("text", lambda w: fc.Predictions([["x", "y"]], ["a", "b"]), (VALUE, TYPE), "probabilities"),
    ],
    "Prediction": [
        ("many", lambda w: w.report.predictions.class_name, AttributeError, "each.class_name for each in"),
        ("top", lambda w: fc.Predictions([[0.5, 0.5]], ["a", "b"])[0].top(1.5), TYPE, "`k`"),
    ],
    "cross_validate": [
        *with_images(lambda w, x: fc.cross_validate("softmax", x, LABELS, folds=2), SOME_BAD_ARRAYS),
        *with_labels(lambda w, y: fc.cross_validate("softmax", IMAGES, y, folds=2), SOME_BAD_LABELS),
        ("name", lambda w: fc.cross_validate("sofmax", IMAGES, LABELS), VALUE, "Did you mean 'softmax'"),
        ("groups", lambda w: fc.cross_validate("softmax", IMAGES, LABELS, folds=2, groups=[1]), VALUE, "per image"),
        ("one", lambda w: fc.cross_validate("softmax", IMAGES, LABELS, folds=2, groups=[1] * 20), VALUE, "1 groups"),
        ("trainer", lambda w: fc.cross_validate(w.trainer, IMAGES, LABELS), TYPE, "lambda: Trainer"),
        ("function", lambda w: fc.cross_validate(lambda: 3, IMAGES, LABELS, folds=2), TYPE, "must build a Trainer"),
        ("model", lambda w: fc.cross_validate(3, IMAGES, LABELS), TYPE, "scikit-learn classifier"),
        ("folds", lambda w: fc.cross_validate("softmax", IMAGES, LABELS, folds=1), VALUE, "at least 2"),
        ("rare class", lambda w: fc.cross_validate("softmax", IMAGES, LABELS, folds=5), VALUE, "rarest class has 2"),
    ],
    **ROWS_OF_TRAINER,
}  # fmt: skip
ROWS = [
    pytest.param(*row[1:], id=f"{function} {row[0]}".replace(" ", "_"))
    for function, rows in TABLE.items()
    for row in rows
]


@pytest.mark.parametrize(("call", "error", "message"), ROWS)
def test_mistakes_are_named(world, call, error, message):
    with pytest.raises(error) as caught:
        call(world)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_every_public_name_is_in_the_table():
    covered = {name.removesuffix("()").split(".")[0] for name in TABLE}
    # Constants cannot be called wrongly.
    made_by_the_library = {
        *("CalibrationBin", "Confusion", "CorruptionRobustness", "Dataset", "DoubtfulImageWarning", "Preset"),
        *("ExportReport", "PreprocessingSteps", "PretrainedWeights", "ShiftRobustness", "UnreadableImageWarning"),
    }
    modules = set(fc._PUBLIC_MODULES) & set(fc.__all__)
    assert set(fc.__all__) - covered == {"CLASS_NAMES", "__version__", *made_by_the_library, *modules}


def test_every_option_of_fit_and_recipe_is_in_the_table():
    import inspect

    tested = " ".join(row[0] for row in TABLE["Trainer.fit"]).replace("stopping", "early_stopping")
    for option in set(inspect.signature(fc.Trainer.fit).parameters) - {"self", "x", "y"}:
        assert any(word in tested for word in (option, option.split("_")[0], option.replace("_", " "))), option
    tested = inspect.getsource(inspect.getmodule(test_mistakes_are_named))
    for field in dataclasses.fields(fc.Recipe):
        assert f"fc.Recipe({field.name}=" in tested

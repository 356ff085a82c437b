"""A script for every public name, whose first call it is after `import fashionclf as fc`; and files for them."""

import inspect
from types import ModuleType

import fashionclf as fc

PREDICTIONS = 'fc.Predictions([[0.9, 0.1], [0.2, 0.8]], ["Shirt", "Bag"])'
REPORT = 'fc.evaluate_predictions([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], class_names=["Shirt", "Bag"])'
FAKE = 'fc.testing.fake_trainer("Shirt")'
FOLDER = 'assert {}.sources == ("boot.jpg", "shirt.jpg", "shirt.png")'

WITHOUT_TENSORFLOW = {
    "class_names": 'assert fc.class_names("mnist", "ko")[0]',
    # arrays
    "prepare_images": "assert fc.prepare_images([[0] * 28] * 28).shape == (1, 28, 28, 1)",
    "scale": "assert fc.scale([[255] * 784]).max() == 1",
    "flatten": "assert fc.flatten([[0] * 28] * 28).shape == (1, 784)",
    "one_hot": "assert fc.one_hot([3, 9]).shape == (2, 10)",
    "train_validation_split": "fc.train_validation_split(*fc.testing.tiny_dataset().train, validation_size=0.5)",
    "Augmentation": "fc.Augmentation(rotation=10, zoom=0.1, erasing=0.5, blur=1)([[0] * 28] * 28, seed=0)",
    "Augmentation.apply": (
        "import numpy as np\nfc.Augmentation().apply(np.zeros((1, 28, 28, 1), np.uint8), np.random.default_rng(0))"
    ),
    # data sets
    "load_data": 'assert len(fc.load_data("synthetic").train) == 60_000',
    "Split": "assert len(fc.Split([[[0] * 28] * 28] * 2, [3, 9], class_names=fc.CLASS_NAMES)[:1]) == 1",
    "Split.train_validation_split": (
        "assert len(fc.testing.tiny_dataset().train.train_validation_split(seed=0)[1]) == 12"
    ),
    "Dataset": 'assert fc.Dataset("mine", *fc.testing.tiny_dataset()).class_names == fc.CLASS_NAMES',
    "Dataset.describe": "assert 'Dress' in fc.testing.tiny_dataset().describe()",
    # photographs
    "photographs.ImageConverter": (
        "from fashionclf.photographs import ImageConverter\nassert ImageConverter((32, 32, 3)).find_garment is False"
    ),
    "photographs.ImageConverter.from_dict": (
        "from fashionclf.photographs import ImageConverter\n"
        "ImageConverter.from_dict(ImageConverter((32, 32, 3)).to_dict())"
    ),
    "photographs.ImageConverter.to_dict": "import fashionclf.photographs as p\nassert p.ImageConverter().to_dict()",
    "load_image": 'assert fc.load_image("boot.jpg").shape == (28, 28)',
    "load_folder": 'assert fc.load_folder("clothes/").class_names == ("Boot", "Shirt")',
    "preprocessing_steps": 'assert fc.preprocessing_steps("boot.jpg").doubts == ()',
    "PreprocessingSteps": 'assert isinstance(fc.preprocessing_steps("boot.jpg"), fc.PreprocessingSteps)',
    "DoubtfulImageWarning": """
        import warnings
        with warnings.catch_warnings(record=True, action="always", category=fc.DoubtfulImageWarning) as caught:
            fc.load_image("empty.png")
        assert "empty.png" in str(caught[0].message)
    """,
    "UnreadableImageWarning": f"""
        import pathlib, warnings
        pathlib.Path("photographs", "broken.jpg").write_bytes(b"no image")
        with warnings.catch_warnings(record=True, action="always", category=fc.UnreadableImageWarning) as caught:
            {FAKE}.predict("photographs", on_error="skip")
        assert "broken.jpg" in str(caught[0].message)
    """,
    # predictions and reports
    "Predictions": f"assert {PREDICTIONS}.labels.tolist() == [0, 1]",
    "Predictions.top": f'assert {PREDICTIONS}.top(1)[1][0][0] == "Bag"',
    "Predictions.grouped": f'assert {PREDICTIONS}.grouped({{"Bag": "Other"}}).class_names == ("Shirt", "Other")',
    "Predictions.to_records": f"{PREDICTIONS}.to_records()",
    "Prediction": f"found = {PREDICTIONS}[0]\nassert isinstance(found, fc.Prediction) and 'Shirt 90.0%' in str(found)",
    "Prediction.top": f'assert {PREDICTIONS}[1].top(1)[0][0] == "Bag"',
    "Prediction.to_dict": f'assert {PREDICTIONS}[1].to_dict()["class_name"] == "Bag"',
    "evaluate_predictions": f"assert 'accuracy' in str({REPORT})",
    "EvaluationReport": f"assert isinstance({REPORT}, fc.EvaluationReport)",
    "EvaluationReport.top_k_accuracy": f"assert {REPORT}.top_k_accuracy(2) == 1",
    "EvaluationReport.most_confused": f"{REPORT}.most_confused(1)",
    "EvaluationReport.mistakes": f'assert {REPORT}.mistakes(1)[0]["index"] == 1',
    "EvaluationReport.describe": f"assert '정확도' in {REPORT}.describe('ko')",
    "EvaluationReport.to_dict": f"{REPORT}.to_dict()",
    "Confusion": f"assert isinstance({REPORT}.most_confused()[0], fc.Confusion)",
    "CalibrationBin": f"assert isinstance({REPORT}.calibration_bins[0], fc.CalibrationBin)",
    # plots; savefig draws them
    "plot.images": 'fc.plot.images(fc.testing.tiny_dataset().test[:4]).savefig("plot.png")',
    "plot.class_distribution": 'fc.plot.class_distribution(fc.testing.tiny_dataset().train).figure.savefig("plot.png")',
    "plot.mistakes": f'fc.plot.mistakes({REPORT}, [[[0] * 28] * 28] * 3).savefig("plot.png")',
    "plot.history": 'fc.plot.history({"loss": [0.5, 0.4], "accuracy": [0.8, 0.9]}).savefig("plot.png")',
    "plot.confusion_matrix": f'fc.plot.confusion_matrix({REPORT}).figure.savefig("plot.png")',
    "plot.reliability_diagram": f'fc.plot.reliability_diagram({REPORT}).figure.savefig("plot.png")',
    "plot.comparison": 'fc.plot.comparison({"a": 0.8, "b": [0.9, 0.92]}).figure.savefig("plot.png")',
    "plot.preprocessing_steps": ('fc.plot.preprocessing_steps(fc.preprocessing_steps("boot.jpg")).savefig("plot.png")'),
    "plot.feature_maps": 'fc.plot.feature_maps({"conv_1": [[[0.5, 1.0]] * 28] * 28}).savefig("plot.png")',
    "plot.kernels": """
        import numpy as np
        fc.plot.kernels({"conv_1": np.ones((3, 3, 1, 4))}).savefig("plot.png")
    """,
    # exported models
    "load_exported": FOLDER.format('fc.load_exported("boots.tflite").predict("photographs/")'),
    "FrozenPredictor": 'assert isinstance(fc.load_exported("boots.onnx"), fc.FrozenPredictor)',
    "FrozenPredictor.predict": FOLDER.format('fc.load_exported("boots.onnx").predict("photographs/")'),
    "FrozenPredictor.predict_proba": 'fc.load_exported("boots.tflite").predict_proba("boot.jpg")',
    # tests of a project
    "testing.tiny_dataset": "fc.testing.tiny_dataset()",
    "testing.fake_trainer": FOLDER.format(f'{FAKE}.predict("photographs/")'),
    "testing.FakeTrainer": f"assert isinstance({FAKE}, fc.testing.FakeTrainer)",
    "testing.FakeTrainer.predict": 'fc.testing.fake_trainer("Dress").predict("boot.jpg")',
    "testing.FakeTrainer.predict_proba": 'fc.testing.fake_trainer("Dress").predict_proba(["boot.jpg", "shirt.jpg"])',
    "testing.FakeTrainer.report": 'fc.testing.fake_trainer("Dress").report(fc.testing.tiny_dataset().test)',
}

PRETRAINED = 'fc.Trainer.from_preset("cnn_fast", pretrained=True)'
NEW = "fc.Trainer(fc.dense_model(units=(), seed=0))"
TEST = "fc.testing.tiny_dataset().test"
# The first call of several names: each has to come after the same other one.
ESTIMATOR = """
from fashionclf.sklearn import FashionClassifier
images, labels = fc.testing.tiny_dataset().train
classifier = FashionClassifier("softmax", epochs=1, random_state=0).fit(images, labels)
assert classifier.predict_proba(images[:2]).argmax(axis=1).tolist() == classifier.predict(images[:2]).tolist()
"""
SHIFTED = f"""
shifted = fc.shift_robustness({NEW}, {TEST}, max_shift=1)
assert shifted.accuracies.shape == (3, 3)
fc.plot.shift_map(shifted).figure.savefig("map.png")
fc.plot.shift_robustness({{"a": shifted}}).figure.savefig("plot.png")
"""
CORRUPTED = f"""
corrupted = fc.corruption_robustness({NEW}, {TEST}, corruptions=["fog"], severities=[3])
assert isinstance(corrupted, fc.CorruptionRobustness) and set(corrupted.at(3)) == {{"fog"}}
fc.plot.corruption_robustness(corrupted).figure.savefig("plot.png")
"""

WITH_TENSORFLOW = {
    # models and presets
    "dense_model": "assert fc.dense_model((16,), batch_norm=True, seed=0).count_params() > 0",
    "cnn_model": "assert fc.cnn_model((4,), seed=0).count_params() > 0",
    "flip_averaged": f"fc.Trainer(fc.flip_averaged(fc.cnn_model((4,), seed=0))).predict({TEST})",
    "list_presets": 'assert "cnn_fast" in fc.list_presets(pretrained=True)',
    "get_preset": 'assert fc.get_preset("cnn_fast").parameters > 0',
    "Preset": 'assert isinstance(fc.get_preset("cnn_fast"), fc.Preset)',
    "Preset.build": 'fc.get_preset("cnn_dropout").build(0)',
    "PretrainedWeights": 'assert isinstance(fc.get_preset("cnn_fast").pretrained, fc.PretrainedWeights)',
    "PretrainedWeights.read": 'assert fc.get_preset("cnn_fast").pretrained.read()',
    "Recipe": 'fc.Recipe(optimizer="adamw", schedule="one_cycle", augmentation=fc.Augmentation())',
    "Recipe.to_dict": 'assert fc.Recipe(epochs=3).to_dict()["epochs"] == 3',
    "Recipe.from_dict": 'assert fc.Recipe.from_dict({"epochs": 3}) == fc.Recipe(epochs=3)',
    # Trainer
    "Trainer": f"assert len({NEW}.predict({TEST})) == 20",
    "Trainer.from_preset": PRETRAINED,
    "Trainer.load": 'assert fc.Trainer.load("boots.keras").num_classes == 10',
    "Trainer.save": f'{NEW}.save("mine.keras")',
    "Trainer.summary": f"{NEW}.summary()",
    "Trainer.fit": f"""
        {NEW}.fit(
            fc.testing.tiny_dataset().train, epochs=2, validation_split=0.5, augment=True, early_stopping=1,
            checkpoint="best.keras", resume="state.npz", seed=0, verbose=0,
        )
    """,
    "Trainer.evaluate": f'assert set({PRETRAINED}.evaluate({TEST})) == {{"accuracy", "loss"}}',
    "Trainer.report": f"{PRETRAINED}.report({TEST})",
    "Trainer.predict": FOLDER.format('fc.Trainer.load("boots.keras").predict("photographs/")'),
    "Trainer.predict_batches": 'assert len(next(fc.Trainer.load("boots.keras").predict_batches("photographs/"))) == 3',
    "Trainer.predict_proba": 'assert fc.Trainer.load("boots.keras").predict_proba(["boot.jpg"] * 2).shape == (2, 10)',
    "Trainer.compile_predictor": f'assert len({NEW}.compile_predictor().predict("boot.jpg")) == 1',
    "Trainer.export": f'{NEW}.export("mine.tflite")',
    "ExportReport": f'assert isinstance({NEW}.export("mine.onnx", "onnx"), fc.ExportReport)',
    "load_exported of a SavedModel": 'assert len(fc.load_exported("boots").predict("photographs/")) == 3',
    # evaluation
    "calibrate": f"fc.calibrate({PRETRAINED}, {TEST})",
    "distance_aware": f"fc.distance_aware({PRETRAINED}, {TEST})",
    "cross_validate": 'fc.cross_validate("softmax", *fc.load_data("synthetic").test[:200], folds=2, seed=0)',
    **dict.fromkeys(("shift_robustness", "plot.shift_map", "plot.shift_robustness"), SHIFTED),
    **dict.fromkeys(
        ("corruption_robustness", "CorruptionRobustness", "CorruptionRobustness.at", "plot.corruption_robustness"),
        CORRUPTED,
    ),
    "ShiftRobustness": "import numpy as np\nassert fc.ShiftRobustness(np.full((3, 3), 0.5), max_shift=1).mean == 0.5",
    "evaluation.corrupt": f'fc.evaluation.corrupt({TEST}.images, "motion_blur", severity=3)',
    # the inside of a model
    "explain.kernels": f"fc.explain.kernels({PRETRAINED})",
    "explain.feature_maps": f"fc.explain.feature_maps({PRETRAINED}, [[0] * 28] * 28)",
    "explain.grad_cam": f"fc.explain.grad_cam({PRETRAINED}, [[0] * 28] * 28)",
    "plot.grad_cam": f'fc.plot.grad_cam({PRETRAINED}, {TEST}.images[9]).figure.savefig("plot.png")',
    "plot.model_diagram": """
        import shutil
        if shutil.which("dot"):
            fc.plot.model_diagram(fc.cnn_model((4,), seed=0)).figure.savefig("a.png")
    """,
    # elsewhere
    "testing.ready_trainer": f"fc.testing.ready_trainer().predict({TEST})",
    **dict.fromkeys(
        (
            *("sklearn.FashionClassifier", "sklearn.FashionClassifier.fit"),
            *("sklearn.FashionClassifier.predict", "sklearn.FashionClassifier.predict_proba"),
        ),
        ESTIMATOR,
    ),
}
OTHER_CALLS = ("load_exported of a SavedModel",)  # no public names


def public_names():
    """Return all names that can be called, with a point before what belongs to a module or a class."""
    names = set()
    for name in {*fc.__all__, *fc._MODULES}:
        value = getattr(fc, name)
        if not isinstance(value, ModuleType):
            names |= _names(name, value)
            continue
        again = () if name in fc._PUBLIC_MODULES else fc.__all__  # fc.datasets.Split is fc.Split
        for member in set(getattr(value, "__all__", ())) - set(again):
            names |= _names(f"{name}.{member}", getattr(value, member))
    return names


def _names(name, value):
    """Return a name if it can be called, and those of its methods if it is a class of this package."""
    if not inspect.isclass(value):
        return {name} if callable(value) else set()
    methods = {
        member
        for member, method in inspect.getmembers(value, callable)
        if not member.startswith("_") and getattr(method, "__module__", "").partition(".")[0] == "fashionclf"
    }
    return {name, *(f"{name}.{method}" for method in methods)}


def photograph(garment):
    """Return a garment, bright on black, as a photograph of it on white paper."""
    from PIL import Image

    picture = Image.new("RGB", (300, 400), "white")
    picture.paste(Image.fromarray(255 - garment).resize((210, 210)), (45, 100))
    return picture


def make_folder(folder):
    """Make photographs and files of a classifier, as a user may have them."""
    from PIL import Image

    images, labels = fc.testing.tiny_dataset().test
    for name, label in {"boot.jpg": 9, "shirt.jpg": 6, "shirt.png": 6}.items():
        for place in ("", "photographs", "clothes/Boot" if label == 9 else "clothes/Shirt"):
            (folder / place).mkdir(parents=True, exist_ok=True)
            photograph(images[labels == label][0]).save(folder / place / name)
    Image.new("RGB", (300, 400), (240, 240, 240)).save(folder / "empty.png")
    trainer = fc.testing.ready_trainer()
    trainer.save(folder / "boots.keras")
    for name, kind in {"boots.tflite": "litert", "boots.onnx": "onnx", "boots": "saved_model"}.items():
        trainer.export(folder / name, kind)

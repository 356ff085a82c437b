"""`Trainer.export`: what is written, what it says of itself, and that nothing wrong is kept."""

import json
import zipfile

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf.photographs import ImageConverter
from fashionclf.serving import _export

IMAGE_SHAPE = (28, 28, 1)
CONVERTER = ImageConverter(IMAGE_SHAPE)


@pytest.fixture
def trainer():
    return fc.Trainer(fc.dense_model((), seed=0))


def two_classes():
    layers = [keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    return fc.Trainer(keras.Sequential([keras.Input((28, 28)), *layers]), class_names=["top", "rest"])


def test_the_report_is_true(exports, kind, fitted, exported, garments):
    report = exports[kind]
    assert (report.format, report.quantize) == kind
    assert report.num_images == (1700 if kind[1] == "int8" else 2000)
    assert report.latency_ms > 0
    assert report.images_per_second > 0
    compared = _export.divided(_export.prepared_images(garments[0], CONVERTER), kind[1], IMAGE_SHAPE).compared
    images = np.concatenate([part for _, part, _ in compared])
    found, expected = exported.predict_proba(images), fitted.predict_proba(images)
    assert report.largest_difference == pytest.approx(np.abs(found - expected).max(), rel=1e-3, abs=1e-6)
    assert report.equal_labels == (found.argmax(axis=1) == expected.argmax(axis=1)).mean()
    assert str(report).startswith(report.path.name)
    assert f"{report.num_bytes:,} bytes" in str(report)
    files = [report.path] if report.path.is_file() else [file for file in report.path.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) == report.num_bytes


def test_quantization_makes_files_smaller(exports):
    for name in ("litert", "onnx"):
        sizes = [exports[name, quantize].num_bytes for quantize in (None, "float16", "int8")]
        assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


def test_exported_models_agree(exports, kind, exported, fitted, garments):
    found, expected = exported.predict_proba(garments[0]), fitted.predict_proba(garments[0])
    same = (found.argmax(axis=1) == expected.argmax(axis=1)).mean()
    if kind[1] is None:
        assert same == 1
        np.testing.assert_allclose(found, expected, atol=1e-5)
    elif kind[1] == "float16":
        assert same >= 0.999
        np.testing.assert_allclose(found, expected, atol=0.02)
    else:
        labels = garments[1]
        lost = (expected.argmax(axis=1) == labels).mean() - (found.argmax(axis=1) == labels).mean()
        assert lost <= 0.005  # 3 of 600 images
        assert 1e-5 < np.abs(found - expected).max() < 0.3  # it does compute in 8 bits
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(found)) > 1000  # probabilities themselves are not rounded to 8 bits


def test_litert_files_open_as_zip_archives(exports):
    with zipfile.ZipFile(exports["litert", "int8"].path) as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(fc.CLASS_NAMES)
        values = json.loads(archive.read("fashionclf.json"))
    assert values["format"] == 3
    assert values["class_names"] == list(fc.CLASS_NAMES)
    assert values["versions"]["fashionclf"] == fc.__version__
    assert values["quantize"] == "int8"


def test_other_programs_can_use_the_files(exports, garments):
    """By the runtimes alone: names of input and output, pixels in, class names out, and any batch size."""
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    session = onnxruntime.InferenceSession(str(exports["onnx", None].path))
    for size in (1, 3):
        (found,) = session.run(["probabilities"], {"images": garments[0][:size]})
        assert found.shape == (size, 10)
    labels = session.get_modelmeta().custom_metadata_map["labels.txt"]
    assert labels.splitlines() == list(fc.CLASS_NAMES)
    runner = Interpreter(str(exports["litert", None].path)).get_signature_runner()
    np.testing.assert_allclose(runner(images=garments[0][:3])["probabilities"], found, atol=1e-5)
    loaded = keras.layers.TFSMLayer(str(exports["saved_model", None].path), call_endpoint="serve")
    np.testing.assert_allclose(loaded(garments[0][:3])["probabilities"], found, atol=1e-5)


@pytest.mark.parametrize(("name", "suffix"), [("litert", ".tflite"), ("onnx", ".onnx"), ("saved_model", "")])
def test_two_classes_of_one_unit_with_their_metadata(tmp_path, garments, name, suffix):
    trainer = two_classes()
    trainer.class_names = ["윗옷", "ein anderes"]
    trainer.unfamiliarity_threshold = 0.25
    predictor = fc.load_exported(trainer.export(tmp_path / f"two{suffix}", name).path)
    assert predictor.class_names == ("윗옷", "ein anderes")
    assert predictor.unfamiliarity_threshold == 0.25
    images = garments[0][:9]
    np.testing.assert_allclose(predictor.predict_proba(images), trainer.predict_proba(images), atol=1e-5)
    if name == "litert":
        with zipfile.ZipFile(tmp_path / "two.tflite") as archive:
            assert archive.read("labels.txt").decode() == "윗옷\nein anderes\n"


@pytest.fixture(scope="module")
def flipped(garments):
    """A trained network with normalisation and test-time augmentation."""
    model = fc.cnn_model((4,), units=(16,), batch_norm=True, dropout=0.0, seed=0)
    fc.Trainer(model).fit(*garments, epochs=2, seed=0, verbose=0)
    return fc.Trainer(fc.flip_averaged(model))


@pytest.mark.parametrize(
    ("name", "suffix", "quantize"),
    [("litert", ".tflite", "int8"), ("onnx", ".onnx", "int8"), ("onnx", ".onnx", None)],
)
def test_test_time_augmentation_and_normalisation(flipped, tmp_path, garments, name, suffix, quantize):
    report = flipped.export(tmp_path / f"flips{suffix}", name, quantize=quantize, images=garments[0])
    mirrored = fc.load_exported(report.path).predict_proba(garments[0][:20, :, ::-1])
    np.testing.assert_allclose(mirrored, flipped.predict_proba(garments[0][:20]), atol=0.3 if quantize else 1e-5)


def test_a_file_is_replaced_in_one_step(tmp_path, trainer, garments):
    file = tmp_path / "a.tflite"
    trainer.export(file)
    before, predictor = file.read_bytes(), fc.load_exported(file)
    fc.Trainer(fc.dense_model((), seed=1)).export(file)
    assert file.read_bytes() != before
    np.testing.assert_allclose(  # what was loaded stays
        predictor.predict_proba(garments[0][:3]), trainer.predict_proba(garments[0][:3]), atol=1e-6
    )
    assert [each.name for each in tmp_path.iterdir()] == ["a.tflite"]


def test_a_link_to_nothing_is_not_taken_for_a_free_place(tmp_path, trainer):
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="exists already"):
        trainer.export(tmp_path / "a", "saved_model")


def test_a_folder_without_permission_is_named(tmp_path, trainer, monkeypatch):
    def refuse(dir, **options):  # noqa: A002
        raise PermissionError(13, "Permission denied", f"{dir}/.fashionclf-1")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(PermissionError, match=r"^The exported model '.*/a\.onnx' could not be written: Perm"):
        trainer.export(tmp_path / "a.onnx", "onnx")


@pytest.mark.parametrize("name", ["litert", "onnx", "saved_model"])
def test_a_model_that_differs_is_not_kept(tmp_path, fitted, monkeypatch, name):
    """The weights change between conversion and comparison, as if a converter made a mistake."""
    write = _export._write
    other = fc.Trainer(fc.cnn_model((8, 16), units=(32,), seed=1, name="other"))

    def wrong(source, *rest):
        write(source._replace(model=other.model), *rest)

    monkeypatch.setattr(_export, "_write", wrong)
    file = tmp_path / {"litert": "a.tflite", "onnx": "a.onnx", "saved_model": "a"}[name]
    if name != "saved_model":
        file.write_bytes(b"what was there before")
    with pytest.raises(
        ValueError, match=r"differs from the Trainer, and is not kept: [\d.]+ % of 1,000 synthetic images"
    ):
        fitted.export(file, name)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([b"what was there before"] * (name != "saved_model"))


@pytest.mark.parametrize("tolerance", [*_export.TOLERANCES.values(), _export.SYNTHETIC_IN_INT8])
def test_tolerances(tolerance):
    rng = np.random.default_rng(0)
    expected = rng.dirichlet(np.full(10, 0.1), 1000).astype(np.float32)
    _export.check_tolerance(expected, expected, tolerance, "images")
    with pytest.raises(ValueError, match="is not kept"):
        _export.check_tolerance(np.roll(expected, 1, axis=1), expected, tolerance, "images")
    wrong = expected.copy()  # a sixth get another class
    wrong[:170] = np.roll(wrong[:170], 1, axis=1)
    with pytest.raises(ValueError, match=r"8\d\.\d+ % of 1,000 images get the same class"):
        _export.check_tolerance(wrong, expected, tolerance, "images")


def test_a_tie_may_be_decided_either_way():
    expected = np.full((1000, 2), 0.5, np.float32)
    _export.check_tolerance(expected + np.float32([-1e-5, 1e-5]), expected, _export.TOLERANCES[None], "images")


def test_few_images_are_filled_up(garments):
    compared = _export.prepared_images(garments[0][:7] / 255, CONVERTER)
    assert compared.shape == (1000, 28, 28, 1)
    np.testing.assert_array_equal(compared[:7, ..., 0], garments[0][:7])
    assert len(np.unique(compared, axis=0)) > 100
    np.testing.assert_array_equal(compared, _export.prepared_images(garments[0][:7], CONVERTER))


def test_what_ranges_are_measured_on_is_not_compared(garments):
    given = np.arange(1000, dtype=np.uint8)[:, None, None, None] * np.ones((1, 28, 28, 1), np.uint8)
    given[:, 0, 0, 0], given[:, 0, 1, 0] = np.divmod(np.arange(1000), 256)  # each has its own number
    measured, [(_, synthetic, loose), (_, own, strict)] = _export.divided(given, "int8", IMAGE_SHAPE)
    as_sets = [set(map(bytes, images)) for images in (measured, own, synthetic)]
    assert [len(each) for each in as_sets] == [300, 700, 1000]
    assert set(map(bytes, given)) == as_sets[0] | as_sets[1]
    assert (loose, strict) == (_export.SYNTHETIC_IN_INT8, _export.TOLERANCES["int8"])
    assert [len(images) for _, images, _ in _export.divided(given, "float16", IMAGE_SHAPE).compared] == [1000, 1000]
    assert [len(images) for _, images, _ in _export.divided(None, None, IMAGE_SHAPE).compared] == [1000]


@pytest.mark.parametrize(("name", "doubt"), [("a.tflite", "blank"), ("a.onnx", r"pass `mask \* 255`")])
def test_useless_images_are_doubted_and_what_they_give_is_not_kept(tmp_path, fitted, garments, name, doubt):
    """The 8-bit model agrees with the Trainer on these images, but not on garments."""
    useless = np.zeros((300, 28, 28), np.uint8) if doubt == "blank" else (garments[0][:300] > 127).astype(np.uint8)
    with (
        pytest.warns(fc.DoubtfulImageWarning, match=doubt),
        pytest.raises(ValueError, match="1,000 synthetic images get the same class"),
    ):
        fitted.export(tmp_path / name, "onnx" if name == "a.onnx" else "litert", quantize="int8", images=useless)
    assert not list(tmp_path.iterdir())


def test_own_layers_that_a_runtime_lacks(tmp_path):
    import tensorflow as tf

    class Bessel(keras.layers.Layer):
        def call(self, inputs):
            return tf.math.special.bessel_j0(inputs)

        def compute_output_spec(self, inputs):
            return keras.KerasTensor(inputs.shape, inputs.dtype)

    layers = [Bessel(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
    for name in ("a.tflite", "a.onnx"):
        with pytest.raises(ValueError, match="model"):
            trainer.export(tmp_path / name, "onnx" if name == "a.onnx" else "litert")
    assert not list(tmp_path.iterdir())


def test_a_diverged_model_is_not_exported(tmp_path, trainer):
    trainer.model.layers[-1].bias.assign(np.full(10, np.nan))
    with pytest.raises(ValueError, match="diverged"):
        trainer.export(tmp_path / "a.onnx", "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cnn_fast", ("litert", "float16")),
        ("cnn_fast", ("onnx", "int8")),
        ("cnn_fast", ("saved_model", None)),
        ("cnn_robust", ("litert", "int8")),  # cnn_accurate has the network of cnn_robust
        ("cnn_fast", ("onnx", None)),
    ],
)
def test_pretrained_classifiers_on_the_real_test_images(tmp_path, name, kind, real_data):
    dataset = fc.load_data("fashion_mnist", data_dir=real_data)
    runtime, quantize = kind
    test = dataset.test[:1000]
    trainer = fc.Trainer.from_preset(name, pretrained=True)
    suffix = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}[runtime]
    report = trainer.export(tmp_path / f"a{suffix}", runtime, quantize=quantize, images=dataset.train.images[:1000])
    found = fc.load_exported(report.path).predict_proba(test)
    expected = trainer.predict_proba(test)
    same = (found.argmax(axis=1) == expected.argmax(axis=1)).mean()
    if quantize == "int8":
        right = [(each.argmax(axis=1) == test.labels).mean() for each in (expected, found)]
        assert right[0] - right[1] <= 0.003
    elif quantize is None:
        assert same == 1
        assert np.abs(found - expected).max() < 1e-4
    else:
        assert same >= 0.999

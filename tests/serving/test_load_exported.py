"""`load_exported`: the same predictions as the Trainer's, from a file, without TensorFlow."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples.exports import with_right_sums

import fashionclf as fc

FILES = [("litert", None), ("onnx", None)]


def run(script, *arguments):
    """Run a script in a process of its own and return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_form_predicts_the_same(exported, every_form):
    expected = exported.predict(every_form["uint8 (n, 28, 28)"])
    for form, images in every_form.items():
        predictions = exported.predict(images)
        np.testing.assert_allclose(predictions.probabilities, expected.probabilities, atol=1e-6, err_msg=form)
    assert expected.class_names == fc.CLASS_NAMES
    assert exported.predict(fc.Split(every_form["int64"], np.zeros(8, int))) == expected
    one = exported.predict(every_form["float32"][0])  # a batch of one may be rounded otherwise
    np.testing.assert_allclose(one.probabilities, expected.probabilities[:1], atol=1e-6)


def test_one_image_or_many(exported, garments):
    many = exported.predict_proba(garments[0][:77])
    assert many.dtype == np.float32
    one_by_one = np.concatenate([exported.predict_proba(image) for image in garments[0][:77]])
    np.testing.assert_allclose(many, one_by_one, atol=0.06 if "int8" in repr(exported) else 1e-2)


def test_photographs_doubts_and_errors(exported, tmp_path):
    image = np.full((90, 60, 3), 255, np.uint8)
    image[20:70, 15:45] = 40
    Image.fromarray(image).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.warns(fc.UnreadableImageWarning, match=r"b\.png"):
        predictions = exported.predict(tmp_path, on_error="skip")
    assert predictions.sources == ("a.png",)
    with pytest.raises(ValueError, match=r"b\.png"):
        exported.predict(tmp_path)
    with pytest.warns(fc.DoubtfulImageWarning, match="blank"):
        assert exported.predict(np.zeros((28, 28), np.uint8))[0].doubts


def test_the_threshold_is_applied(tmp_path, small_trainer):
    trainer = small_trainer()
    trainer.unfamiliarity_threshold = 0.0
    predictor = fc.load_exported(trainer.export(tmp_path / "a.tflite").path)
    image = np.full((90, 60, 3), 255, np.uint8)
    image[20:70, 15:45] = 40
    with pytest.warns(fc.DoubtfulImageWarning, match="unlike"):
        predictor.predict(image)


def test_threads_share_one(exported, garments):
    expected = exported.predict_proba(garments[0][:40])
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: exported.predict_proba(garments[0][i]), range(40)))
    np.testing.assert_allclose(np.concatenate(results), expected, atol=0.06)


def test_pickles(exported, garments):
    content = pickle.dumps(exported)
    assert b"fashionclf.serving._" not in content
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict_proba(garments[0][:3]), exported.predict_proba(garments[0][:3]))
    assert repr(again) == repr(exported)
    assert "10 classes" in repr(exported)


@pytest.mark.parametrize("kind", FILES, indirect=True)
def test_a_fresh_process_needs_no_tensorflow(exports, kind):
    run(
        """
        import sys
        import fashionclf as fc
        predictor = fc.load_exported(sys.argv[1], num_threads=1)
        predictor.predict([[0] * 28] * 27 + [[255] * 28])
        assert not {"tensorflow", "keras", "onnx", "urllib.request"} & set(sys.modules)
        """,
        exports[kind].path,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", FILES, indirect=True)
def test_forked_processes(exports, kind):
    printed = run(
        """
        import multiprocessing, sys
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments

        images, _ = draw_garments(30)
        predictor = fc.load_exported(sys.argv[1], num_threads=2)
        expected = predictor.predict(images).labels.tolist()

        def child(_):
            return predictor.predict(images).labels.tolist()

        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map_async(child, [0, 1]).get(60) == [expected] * 2)
        """,
        exports[kind].path,
    )
    assert "True" in printed


def test_a_forked_saved_model_is_told_what_to_do(exports, monkeypatch, garments):
    from fashionclf import _validation

    predictor = fc.load_exported(exports["saved_model", None].path)
    monkeypatch.setattr(_validation, "_OWNER", [-1])
    with pytest.raises(RuntimeError, match="forked"):
        predictor.predict(garments[0][0])


class TestDamage:
    @pytest.fixture(params=[".tflite", ".onnx"])
    def file(self, request, exports, tmp_path):
        kind = {".tflite": "litert", ".onnx": "onnx"}[request.param]
        copy = tmp_path / f"a{request.param}"
        copy.write_bytes(exports[kind, None].path.read_bytes())
        return copy

    def test_a_truncated_file(self, file):
        content = file.read_bytes()
        for size in (0, 100, len(content) // 2, len(content) - 30):
            file.write_bytes(content[:size])
            with pytest.raises(ValueError, match=rf"a\{file.suffix}' (is damaged|was not written)"):
                fc.load_exported(file)

    def test_a_newer_format(self, file):
        content = file.read_bytes().replace(b'"format": 3', b'"format": 9')
        assert content != file.read_bytes()
        file.write_bytes(with_right_sums(content))
        with pytest.raises(ValueError, match="newer version of fashionclf, in format 9"):
            fc.load_exported(file)

    @pytest.mark.parametrize("place", [0.001, 0.3, 0.8, 0.999])
    def test_one_bit(self, file, place):
        content = bytearray(file.read_bytes())
        content[int(place * len(content))] ^= 16
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"a\{file.suffix}' is damaged: its checksum is wrong"):
            fc.load_exported(file)

    def test_a_model_that_does_not_fit_its_metadata(self, file, garments):
        """With a valid checksum, which anyone who edits a file can write."""
        content = file.read_bytes().replace(b'"Ankle boot"', b'"Ankle", "b"')  # eleven names in as many bytes
        file.write_bytes(with_right_sums(content))
        predictor = fc.load_exported(file)
        with pytest.raises(RuntimeError, match=r"shape \(3, 10\), expected \(3, 11\), one for each class name"):
            predictor.predict(garments[0][:3])

    def test_not_of_this_library(self, exports, tmp_path):
        import onnx

        content = exports["litert", None].path.read_bytes()
        (tmp_path / "a.tflite").write_bytes(content[: content.index(b"PK\x03\x04")])
        model = onnx.load(exports["onnx", None].path)
        del model.metadata_props[:]
        onnx.save(model, tmp_path / "a.onnx")
        (tmp_path / "a").mkdir()
        for name in ("a.tflite", "a.onnx", "a"):
            with pytest.raises(ValueError, match=r"was not written by `Trainer\.export`"):
                fc.load_exported(tmp_path / name)

    def test_wrong_metadata(self):
        from fashionclf.serving._metadata import Metadata

        good = json.dumps(
            {
                "format": 3,
                "class_names": ["a", "b"],
                "unfamiliarity_threshold": None,
                "image_converter": {"image_shape": [28, 28, 1], "find_garment": True, "crop_to_aspect_ratio": False},
                "quantize": None,
            }
        )
        assert Metadata.read(good, Path("a.onnx")).class_names == ("a", "b")
        for bad in ("", "[]", "{}", good.replace("null", "7", 1), good.replace('"b"', "3"), good.replace("quan", "x")):
            with pytest.raises(ValueError, match=r"a\.onnx' is damaged"):
                Metadata.read(bad, Path("a.onnx"))
        for bad in ("[" * 100_000, good + " " * 1_000_000):
            with pytest.raises(ValueError, match=r"a\.onnx' is damaged: its fashionclf\.json .*(too deeply|than 1 MB)"):
                Metadata.read(bad, Path("a.onnx"))

    def test_a_damaged_saved_model(self, exports, tmp_path):
        folder = shutil.copytree(exports["saved_model", None].path, tmp_path / "a")
        (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"what TensorFlow Serving looks for")
        fc.load_exported(folder)
        variables = folder / "variables" / "variables.data-00000-of-00001"
        content = bytearray(variables.read_bytes())
        content[1000] ^= 1
        variables.write_bytes(content)
        with pytest.raises(ValueError, match=r"is damaged: variables/variables\.data.* is not what was written"):
            fc.load_exported(folder)
        (folder / "saved_model.pb").unlink()
        with pytest.raises(ValueError, match=r"is damaged: saved_model\.pb is not"):
            fc.load_exported(folder)
        (folder / "assets.extra" / "fashionclf.sha256").unlink()
        with pytest.raises(ValueError, match=r"is damaged: fashionclf\.sha256 is not"):
            fc.load_exported(folder)

    def test_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "a.tflite")
        with pytest.raises(ValueError, match="is a pipe"):
            fc.load_exported(tmp_path / "a.tflite")
        with pytest.raises(FileNotFoundError, match="there is no file"):
            fc.load_exported(tmp_path / "b.tflite")

    def test_a_runtime_that_fails(self, exported, garments, monkeypatch):
        """For example, a graph that computes one image and not several."""

        def fail(images):
            raise UnheardError("Got invalid dimensions\nmore of it")

        monkeypatch.setattr(exported, "_model", Failing(exported._model, fail))
        with pytest.raises(RuntimeError, match=r"cannot be computed on .*: Got invalid dimensions$"):
            exported.predict(garments[0][:20])


class UnheardError(Exception):
    """What a runtime raises."""


class Failing:
    def __init__(self, model, call):
        self.title, self.dtype, self._call = model.title, model.dtype, call

    def __call__(self, images):
        return self._call(images)


@pytest.mark.parametrize(("module", "kind"), [("ai_edge_litert", "litert"), ("onnxruntime", "onnx")])
def test_a_missing_runtime_is_said_in_one_sentence(exports, monkeypatch, module, kind):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "fashionclf\[{kind}\]"'):
        fc.load_exported(exports[kind, None].path)


def test_a_missing_converter_is_said_in_one_sentence(fitted, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[onnx\]"'):
        fitted.export(tmp_path / "a.onnx", "onnx")
    assert not list(tmp_path.iterdir())

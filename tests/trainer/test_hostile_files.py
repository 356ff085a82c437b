"""Classifier files from others: damaged, edited, made to fill the memory, of other kinds."""

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

import fashionclf as fc


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a classifier file, by name."""
    path = tmp_path_factory.mktemp("whole") / "a.keras"
    fc.Trainer(fc.dense_model(units=(), seed=0)).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refused(path, members, compression=zipfile.ZIP_STORED):
    """Return the sentence with which a file of these members is refused."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=rf"^'{path}' [^\n]*$") as caught:
        fc.Trainer.load(path)
    assert len(str(caught.value)) < 700
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["fashionclf.json", "metadata.json", "config.json", "model.weights.h5", "assets/a.txt"]
)
def test_members_that_fill_the_memory(members, name, tmp_path, monkeypatch):
    monkeypatch.setattr("fashionclf.trainer._file._ANY", 1_000_000)
    bomb = members.get(name, b"") + b" " * 20_000_000  # a thousandth of it in the file
    assert f"its member {name} is longer than" in refused(
        tmp_path / "a.keras", {**members, name: bomb}, zipfile.ZIP_DEFLATED
    )


def weights_with(change, whole):
    """Return the content of an HDF5 file after a change."""
    content = io.BytesIO(whole)
    with h5py.File(content, "r+") as file:
        change(file)
    return content.getvalue()


def vast(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", shape=(10**12,), dtype="f4", chunks=(1000,))


def elsewhere(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def outside(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", (784, 10), "f4", external=[("/etc/passwd", 0, 31360)])


@pytest.mark.parametrize(
    ("change", "words"),
    [(vast, "declare 4,000,0"), (elsewhere, "link in place of 'layers/dense/vars/0'"), (outside, "declare")],
    ids=["vast", "elsewhere", "outside"],
)
def test_weights_that_declare_what_they_do_not_hold(members, change, words, tmp_path):
    changed = weights_with(change, members["model.weights.h5"])
    assert words in refused(tmp_path / "a.keras", {**members, "model.weights.h5": changed})


def edited(*keys_and_value):
    """Return a function that changes one value of a configuration."""
    *keys, last, value = keys_and_value

    def change(config):
        inner = config
        for key in keys:
            inner = inner[key]
        inner[last] = value

    return change


DENSE = ("config", "layers", -1)
EDITED = {
    "units": edited(*DENSE, "config", "units", -3),
    "more units": edited(*DENSE, "config", "units", 11),
    "class": edited(*DENSE, "class_name", "Nothing"),
    "module": edited(*DENSE, "module", "os"),
    "no config": edited(*DENSE, "config", None),
    "a list": edited("config", []),
    "numbers": edited("config", "layers", [1, 2]),
    "dtype": edited(*DENSE, "config", "dtype", {"class_name": 3}),
    "initializer": edited(*DENSE, "config", "kernel_initializer", {"class_name": "Zeros", "config": {"a": 1}}),
    "lambda": edited(
        *DENSE, "config", "activation", {"class_name": "__lambda__", "config": {"value": ["", None, None]}}
    ),
}


@pytest.mark.parametrize("name", EDITED)
def test_edited_configurations(members, name, tmp_path):
    config = json.loads(members["config.json"])
    EDITED[name](config)
    refused(tmp_path / "a.keras", {**members, "config.json": json.dumps(config)})


def test_texts_that_are_no_configuration(members, tmp_path):
    for text in ("", "[]", "3", "{", "\xff", "[" * 200_000):
        refused(tmp_path / "a.keras", {**members, "config.json": text})
        refused(tmp_path / "a.keras", {**members, "fashionclf.json": text})


def test_wrong_values_of_metadata(members, tmp_path):
    metadata = json.loads(members["fashionclf.json"])
    for changes in (
        {"class_names": 3},
        {"class_names": {"given": ["a"]}},
        {"class_names": {"learnt": 7}},
        {"class_names": {"chosen": None}},
        {"unfamiliarity_threshold": "high"},
        {"recipe": None},
        {"recipe": {"epochs": -1}},
        {"compilation": []},
        {"compilation": {**metadata["compilation"], "loss": {"class_name": "os.system", "config": "ls"}}},
        {"compilation": {**metadata["compilation"], "metrics": 5}},
        {"format": "6"},
    ):
        refused(tmp_path / "a.keras", {**members, "fashionclf.json": json.dumps({**metadata, **changes})})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m.h5", r"Trainer\(keras\.models\.load_model\(path\), class_names=\[\.\.\.\]\)"),
        ("m.hdf5", r"keras\.models\.load_model"),
        ("m.weights.h5", r"model\.load_weights\(path\)"),
        ("m.tflite", r"load_exported\(path\)"),
        ("m.onnx", r"load_exported\(path\)"),
        ("https://example.org/m.keras", "is a URL.*download it first"),
        ("m", r"must end in '\.keras'"),
    ],
)
def test_files_of_other_kinds_name_the_way(name, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        fc.Trainer.load(name if ":" in name else tmp_path / name)


def test_the_way_of_keras_2_works(garments, tmp_path):
    model = fc.dense_model((), seed=0)
    model.save(tmp_path / "m.h5")
    trainer = fc.Trainer(keras.models.load_model(tmp_path / "m.h5"), class_names=fc.CLASS_NAMES)
    images = garments[0][:3]
    np.testing.assert_array_equal(trainer.predict_proba(images), fc.Trainer(model).predict_proba(images))
    (tmp_path / "m.h5").rename(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"m\.keras' is an HDF5 file.*Rename it to '\.h5'"):
        fc.Trainer.load(tmp_path / "m.keras")


def test_folders_pipes_and_devices(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match=r"is a SavedModel.*load_exported.*Keras 2"):
        fc.Trainer.load(tmp_path / "saved")
    (tmp_path / "folder.keras").mkdir()
    os.mkfifo(tmp_path / "pipe.keras")
    for name in ("folder.keras", "pipe.keras"):
        with pytest.raises(ValueError, match=r"Expected a \.keras file\. .* is a "):
            fc.Trainer.load(tmp_path / name)
        with pytest.raises(ValueError, match="is a "):
            fc.Trainer(fc.dense_model((), seed=0)).save(tmp_path / name)

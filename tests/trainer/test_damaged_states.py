"""Damaged and hostile states of a fit. All of a state is checked before anything changes."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from samples.trainer import Interrupt

import fashionclf as fc

FIT = {"epochs": 4, "seed": 0, "early_stopping": 3, "verbose": 0}


@pytest.fixture(scope="module")
def parts(garments, tmp_path_factory):
    """The values and arrays of the state of an interrupted fit, and the arguments of `fit`."""
    images, labels = garments
    fit = {"x": images[:40], "y": labels[:40], "validation_data": (images[40:60], labels[40:60]), **FIT}
    path = tmp_path_factory.mktemp("state") / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        fc.Trainer(fc.dense_model((), seed=0)).fit(resume=path, callbacks=[Interrupt(2)], **fit)
    with np.load(path) as stored:
        arrays = dict(stored)
    return json.loads(str(arrays.pop("values"))), arrays, fit


def refused(parts, path, trainer):
    """Return the sentence with which a state is refused."""
    trainer.class_names = [f"kind {i}" for i in range(10)]
    before = [variable.numpy() for variable in trainer.model.variables]
    with pytest.raises(ValueError, match=rf"'{path}'.*Delete it to start over") as caught:
        trainer.fit(resume=path, **parts[2])
    for value, variable in zip(before, trainer.model.variables[: len(before)], strict=True):
        np.testing.assert_array_equal(value, variable.numpy())
    assert trainer.class_names[0] == "kind 0"
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"early_stopping": {}}, "its early_stopping is {}"),
        ({"early_stopping": None}, "its early_stopping is None"),
        ({"history": None}, "its history is None"),
        ({"history": {"loss": ["much"]}}, "its history is"),
        ({"next_epoch": 5}, "its next_epoch is 5"),
        ({"next_epoch": "2"}, "its next_epoch is '2'"),
        ({"run": {"epochs": 4}}, "its run is"),
        ({"run": []}, r"its run is \[\]"),
        ({"arrays": None}, "arrays"),
    ],
    ids=str,
)
def test_wrong_values(parts, changes, words, tmp_path, small_trainer):
    path = tmp_path / "run.npz"
    np.savez(path, values=json.dumps({**parts[0], **changes}), **parts[1])
    assert re.search(words, refused(parts, path, small_trainer()))


def test_missing_and_wrong_arrays(parts, tmp_path, small_trainer):
    path, (values, arrays, _) = tmp_path / "run.npz", parts
    for name in ("variable_1", "best_0"):
        np.savez(path, values=json.dumps(values), **{key: arrays[key] for key in arrays if key != name})
        assert "lacks arrays" in refused(parts, path, small_trainer())
    without_best = {key: arrays[key] for key in arrays if not key.startswith("best")}
    np.savez(path, values=json.dumps({**values, "arrays": sorted(without_best)}), **without_best)
    assert "best_0" in refused(parts, path, small_trainer())
    for changed in (arrays["variable_1"][:-1], arrays["variable_1"].astype(int)):
        np.savez(path, values=json.dumps(values), **{**arrays, "variable_1": changed})
        assert "do not fit the model" in refused(parts, path, small_trainer())


def test_hostile_files(parts, tmp_path, small_trainer):
    path, (values, arrays, _) = tmp_path / "run.npz", parts

    def written(content, compression=zipfile.ZIP_STORED):
        """Refuse a state whose member `variable_1` has this content."""
        np.savez(path, values=json.dumps(values), **{key: arrays[key] for key in arrays if key != "variable_1"})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("variable_1.npy", content, compression)
        return refused(parts, path, small_trainer())

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
    assert "shape (1000000000000,)" in written(header.getvalue())
    assert "longer than" in written(b"\0" * 10**7, zipfile.ZIP_DEFLATED)
    assert "damaged" in written(b"not an array")
    deep = header.getvalue()[:10] + b"(" * (len(header.getvalue()) - 10)
    assert "damaged" in written(deep)
    for text in ("[" * 100_000, "3", "[]", "{"):
        np.savez(path, values=text, **arrays)
        assert "damaged" in refused(parts, path, small_trainer())
    path.write_bytes(b"not an archive")
    assert "damaged" in refused(parts, path, small_trainer())


def test_another_checkpoint_is_another_fit(parts, tmp_path, small_trainer):
    path = tmp_path / "run.npz"
    np.savez(path, values=json.dumps(parts[0]), **parts[1])
    with pytest.raises(ValueError, match="another fit: its `checkpoint` is False, here it is True"):
        small_trainer().fit(resume=path, checkpoint=tmp_path / "a.keras", **parts[2])

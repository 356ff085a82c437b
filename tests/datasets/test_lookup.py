"""Where data sets are found, verified and named when they are not."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from samples.datasets import split

from fashionclf.datasets import Dataset, _download, _idx, _sources, load_data

SHARED = Path(os.environ.get("FASHIONCLF_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")


SHAPES = {
    "train-images-idx3-ubyte": (6, 28, 28),
    "train-labels-idx1-ubyte": (6,),
    "t10k-images-idx3-ubyte": (3, 28, 28),
    "t10k-labels-idx1-ubyte": (3,),
}


def fake_source(folder, seed, npz=None):
    """A tiny data set under the real file names, and its content by file name."""
    rng = np.random.default_rng(seed)
    arrays = {n: rng.integers(0, 256 if len(s) == 3 else 10, s, dtype=np.uint8) for n, s in SHAPES.items()}
    blank = [_sources.IdxFile(name, shape, "") for name, shape in SHAPES.items()]
    content = {file.name: file.header + arrays[file.name].tobytes() for file in blank}
    files = tuple(_sources.IdxFile(f.name, f.shape, hashlib.sha256(content[f.name]).hexdigest()) for f in blank)
    mirrors = ("https://one.example/", "https://two.example/")
    return _sources.Source(f"Tiny {folder}", folder, files, mirrors, npz), content, arrays


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Both published data sets replaced by tiny ones; no network, and an empty Keras cache."""
    made = {
        "fashion_mnist": fake_source("fashion-mnist", 1),
        "mnist": fake_source("mnist", 2, npz="mnist.npz"),
    }
    for name, (source, _, _) in made.items():
        monkeypatch.setitem(_sources.SOURCES, name, source)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("FASHIONCLF_DATA_DIR", raising=False)
    monkeypatch.setattr(_download, "_OPENER", Web(no_network))
    return made


class Web:
    """A fake internet: `answer` returns the content of a file."""

    def __init__(self, answer):
        self.asked = []
        self._answer = answer

    def open(self, url, timeout):
        self.asked.append(url)
        response = io.BytesIO(self._answer(url.rpartition("/")[2]))
        response.length = None
        return response


def no_network(name):
    raise URLError(OSError(101, "Network is unreachable"))


def put(place, content, *, folder="fashion-mnist", compressed=True):
    home = place / folder
    home.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        if compressed:
            (home / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (home / name).write_bytes(data)
    return home


EMPTY = _idx.Reading(None, (), "nothing")


def save_npz(folder, arrays):
    np.savez(
        folder / "mnist.npz", **dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays.values(), strict=True))
    )


IMAGES = "train-images-idx3-ubyte"


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def npz_of_the_other_set(folder, arrays):
    save_npz(folder, {name: 255 - array for name, array in arrays.items()})


def npz_of_floats(folder, arrays):
    save_npz(folder, {name: array / 255 for name, array in arrays.items()})


def npz_that_lacks_one(folder, arrays):
    np.savez(folder / "mnist.npz", x_train=arrays[IMAGES])


def npz_of_other_shape(folder, arrays):
    save_npz(folder, {name: array[1:] for name, array in arrays.items()})


def npz_of_bare_bytes(folder, arrays):
    with zipfile.ZipFile(folder / "mnist.npz", "w") as archive:
        for key in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(key, b"123")


def npz_of_words(folder, arrays):
    (folder / "mnist.npz").write_bytes(b"this is no archive")


@pytest.mark.parametrize("chunk", [1 << 18, 1000])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_it_reads_idx_files_compressed_or_not(tiny, tmp_path, monkeypatch, name, compressed, chunk):
    monkeypatch.setattr(_idx, "_CHUNK", chunk)
    source, content, arrays = tiny[name]
    put(tmp_path / "data", content, folder=source.folder, compressed=compressed)
    (x_train, y_train), (x_test, y_test) = load_data(name, data_dir=tmp_path / "data", download=False)
    for array, expected in zip((x_train, y_train, x_test, y_test), arrays.values(), strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == np.uint8
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_places_are_asked_in_order(tiny, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("fashionclf.datasets._load.read_place", lambda path, *_, **__: asked.append(path) or EMPTY)
    monkeypatch.setenv("FASHIONCLF_DATA_DIR", str(tmp_path / "variable"))
    with pytest.raises(FileNotFoundError):
        load_data(data_dir=str(tmp_path / "argument"), download=False)
    assert asked == [tmp_path / "argument", tmp_path / "variable", tmp_path / "keras" / "datasets"]


@pytest.mark.parametrize("place", ["argument", "variable", "keras/datasets"])
def test_each_place_alone_is_enough(tiny, tmp_path, monkeypatch, place):
    put(tmp_path / place, tiny["fashion_mnist"][1])
    monkeypatch.setenv("FASHIONCLF_DATA_DIR", str(tmp_path / "variable"))
    dataset = load_data(data_dir=tmp_path / "argument", download=False)
    assert (len(dataset.train), len(dataset.test)) == (6, 3)


def test_the_keras_cache_is_keras_s(monkeypatch, tmp_path):
    from fashionclf.datasets._load import _keras_cache

    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _keras_cache() == tmp_path / ".keras" / "datasets"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert _keras_cache() == Path("/tmp/.keras/datasets")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    assert _keras_cache() == tmp_path / "elsewhere" / "datasets"


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_files_may_lie_right_in_a_folder_that_was_named(tiny, tmp_path, monkeypatch, way):
    home = put(tmp_path, tiny["fashion_mnist"][1], folder="anything")
    if way == "variable":
        monkeypatch.setenv("FASHIONCLF_DATA_DIR", str(home))
    assert len(load_data(data_dir=home if way == "argument" else None, download=False).train) == 6


def test_but_not_right_in_the_keras_cache(tiny, tmp_path):
    put(tmp_path / "keras", tiny["fashion_mnist"][1], folder="datasets")
    with pytest.raises(FileNotFoundError):
        load_data(download=False)


def test_mnist_as_keras_keeps_it(tiny, tmp_path):
    arrays = tiny["mnist"][2]
    save_npz(tmp_path, arrays)
    (x_train, _), (_, y_test) = load_data("mnist", data_dir=tmp_path, download=False)
    np.testing.assert_array_equal(x_train, arrays["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(y_test, arrays["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: gzip.compress(data)[:-20], "truncated: its compressed data ends too early"),
        (lambda data: gzip.compress(data[:-1]), "truncated: it holds 4,719 of 4,720 bytes"),
        (lambda data: gzip.compress(data[:3]), "truncated"),
        (lambda data: gzip.compress(data + b"x"), "too long: it continues after the expected 4,720 bytes"),
        (
            lambda data: gzip.compress(flipped(data)),
            r"was altered: the sha256 of its content is \w{64}, expected \w{64}",
        ),
        (lambda data: gzip.compress(b"\x00\x00\x0d\x03" + data[4:]), "does not begin like"),
        (lambda data: gzip.compress(b"\x00\x00\x0d\x03" + data[4:16]), "does not begin like"),
        (lambda data: gzip.compress(data[:7] + b"\x05" + data[8:]), r"shape \(5, 28, 28\), expected \(6, 28, 28\)"),
        (lambda _: b"<html>Not found</html>", "not an intact gzip file"),
        (lambda _: b"", "truncated"),
        (lambda data: gzip.compress(data)[:10] + b"\xff" * 50, "corrupt compressed data"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tiny, tmp_path, damage, reason):
    content = tiny["fashion_mnist"][1]
    bad = put(tmp_path, content) / f"{IMAGES}.gz"
    bad.write_bytes(damage(content[IMAGES]))
    with pytest.raises(ValueError, match=reason) as caught:
        load_data(data_dir=tmp_path, download=False)
    assert str(bad) in str(caught.value)


def test_damage_is_named_in_uncompressed_files_too(tiny, tmp_path):
    content = tiny["fashion_mnist"][1]
    put(tmp_path, {**content, IMAGES: flipped(content[IMAGES])}, compressed=False)
    with pytest.raises(ValueError, match=rf"{IMAGES} was altered"):
        load_data(data_dir=tmp_path, download=False)


def test_mnist_never_passes_for_fashion_mnist(tiny, tmp_path):
    put(tmp_path, tiny["mnist"][1], folder="fashion-mnist")
    with pytest.raises(ValueError, match=rf"{IMAGES}.gz holds Tiny mnist's {IMAGES}"):
        load_data("fashion_mnist", data_dir=tmp_path, download=False)


def test_an_unreadable_file_is_named(tiny, tmp_path, monkeypatch):
    bad = put(tmp_path, tiny["fashion_mnist"][1]) / f"{IMAGES}.gz"
    really_open = gzip.open

    def refuse(path, *args):
        if path == bad:
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, *args)

    monkeypatch.setattr(gzip, "open", refuse)
    with pytest.raises(ValueError, match=rf"{bad} cannot be read: Permission denied"):
        load_data(data_dir=tmp_path, download=False)


@pytest.mark.parametrize("name", SHAPES)
def test_a_missing_file_is_named(tiny, tmp_path, name):
    (put(tmp_path, tiny["fashion_mnist"][1]) / f"{name}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} \(lacks {name}\)"):
        load_data(data_dir=tmp_path, download=False)


def test_all_that_a_folder_has_is_noted(tiny, tmp_path):
    source, content, arrays = tiny["mnist"]
    assert _idx.read_place(tmp_path, source, direct=False) == _idx.Reading(None, (), "no Tiny mnist files in it")
    assert _idx.read_place(tmp_path / "none", source, direct=False).note == "no such folder"
    (tmp_path / "file").touch()
    assert _idx.read_place(tmp_path / "file", source, direct=False).note == "not a folder"
    npz_of_words(tmp_path, arrays)
    assert _idx.read_place(tmp_path, source, direct=False).note == "mnist.npz is damaged"
    images, labels, *rest = content
    (put(tmp_path, dict.fromkeys(rest, b""), folder="mnist", compressed=False) / labels).write_bytes(content[labels])
    reading = _idx.read_place(tmp_path, source, direct=False)
    assert reading.note == f"mnist.npz is damaged; lacks {images}; {rest[0]} is damaged; {rest[1]} is damaged"
    assert [error.path.name for error in reading.damaged] == ["mnist.npz", *rest]
    put(tmp_path, {images: content[images]}, folder="mnist")
    assert _idx.read_place(tmp_path, source, direct=False).note.count("lacks") == 0
    (tmp_path / "mnist" / labels).unlink()
    (tmp_path / "mnist" / f"{images}.gz").unlink()
    assert f"lacks {images}, {labels};" in _idx.read_place(tmp_path, source, direct=False).note


def test_an_archive_runs_no_code(tiny, tmp_path):
    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    save_npz(tmp_path, {name: np.array([Code()]) for name in SHAPES})
    with pytest.raises(ValueError, match=r"mnist\.npz is not the published mnist\.npz"):
        load_data("mnist", data_dir=tmp_path, download=False)
    assert not (tmp_path / "ran").exists()


def test_files_beside_an_intact_npz_are_not_read(tiny, tmp_path):
    source, content, arrays = tiny["mnist"]
    save_npz(tmp_path, arrays)
    put(tmp_path, dict.fromkeys(content, b""), folder="mnist")
    assert _idx.read_place(tmp_path, source, direct=False).damaged == ()


def test_an_archive_that_ends_too_early_is_damaged(tiny, tmp_path, monkeypatch):
    npz_of_words(tmp_path, None)

    def ends(*_, **__):
        raise EOFError  # without a word, as zipfile does

    monkeypatch.setattr(np, "load", ends)
    (error,) = _idx.read_place(tmp_path, tiny["mnist"][0], direct=False).damaged
    assert str(error) == f"{tmp_path / 'mnist.npz'} is not the published mnist.npz: EOFError"


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (npz_of_the_other_set, r"array 'x_train' was altered: the sha256 of its content is \w{64}, expected \w{64}"),
        (npz_of_floats, "not of unsigned bytes"),
        (npz_that_lacks_one, "y_train"),
        (npz_of_other_shape, r"array 'x_train' has shape \(5, 28, 28\), expected \(6, 28, 28\)"),
        (npz_of_bare_bytes, "array 'x_train' is not of unsigned bytes"),
        (npz_of_words, "is not the published mnist.npz"),
    ],
)
def test_a_damaged_npz_is_named_and_idx_files_beside_it_are_used(tiny, tmp_path, write, reason):
    source, content, arrays = tiny["mnist"]
    write(tmp_path, arrays)
    with pytest.raises(ValueError, match=reason) as caught:
        load_data("mnist", data_dir=tmp_path, download=False)
    assert str(tmp_path / "mnist.npz") in str(caught.value)
    put(tmp_path, content, folder=source.folder)
    with pytest.warns(UserWarning, match="mnist.npz"):
        assert len(load_data("mnist", data_dir=tmp_path, download=False).train) == 6


def test_a_damaged_copy_is_passed_over_with_a_warning(tiny, tmp_path):
    content = tiny["fashion_mnist"][1]
    bad = put(tmp_path / "data", content) / f"{IMAGES}.gz"
    bad.write_bytes(b"")
    put(tmp_path / "keras" / "datasets", content)
    with pytest.warns(UserWarning, match="Passed over a damaged copy") as record:
        load_data(data_dir=tmp_path / "data", download=False)
    assert str(bad) in str(record[0].message)
    assert record[0].filename == __file__


def test_a_damaged_file_is_replaced_by_a_verified_download(tiny, tmp_path, monkeypatch):
    content = tiny["fashion_mnist"][1]
    bad = put(tmp_path, content) / f"{IMAGES}.gz"
    bad.write_bytes(b"")
    web = Web(lambda name: gzip.compress(content[name.removesuffix(".gz")]))
    monkeypatch.setattr(_download, "_OPENER", web)
    load_data(data_dir=tmp_path)
    assert web.asked == [f"https://one.example/{IMAGES}.gz"]
    load_data(data_dir=tmp_path, download=False)


@pytest.mark.parametrize("given", [True, False])
def test_a_download_goes_to_data_dir_or_keras_s_cache(tiny, tmp_path, monkeypatch, given):
    content = tiny["mnist"][1]
    web = Web(lambda name: gzip.compress(content[name.removesuffix(".gz")]))
    monkeypatch.setattr(_download, "_OPENER", web)
    load_data("mnist", data_dir=tmp_path / "new" / "folder" if given else None)
    place = tmp_path / "new" / "folder" if given else tmp_path / "keras" / "datasets"
    assert sorted(path.name for path in (place / "mnist").iterdir()) == sorted(f"{name}.gz" for name in SHAPES)


def test_the_offline_error_says_what_where_and_how(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHIONCLF_DATA_DIR", str(tmp_path / "variable"))
    (tmp_path / "variable").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        load_data(data_dir=tmp_path / "argument")
    text = str(caught.value)
    for expected in (
        "Found no copy of Tiny fashion-mnist, and could not download it",
        *SHAPES,
        f"data_dir: {tmp_path / 'argument'} (no such folder)",
        f"$FASHIONCLF_DATA_DIR: {tmp_path / 'variable'} (no Tiny fashion-mnist files in it)",
        f"Keras's cache: {tmp_path / 'keras' / 'datasets'}",
        "https://one.example/train-images-idx3-ubyte.gz answered: Network is unreachable",
        "https://two.example/train-images-idx3-ubyte.gz answered: Network is unreachable",
        "1. put the files",
        "2. set the environment variable FASHIONCLF_DATA_DIR",
        "3. connect to the network",
    ):
        assert expected in text
    assert not (tmp_path / "argument").exists()


def test_offline_with_a_damaged_copy_names_it(tiny, tmp_path):
    bad = put(tmp_path, tiny["fashion_mnist"][1]) / f"{IMAGES}.gz"
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match="could not download") as caught:
        load_data(data_dir=tmp_path)
    assert f"{bad} is truncated" in str(caught.value)
    assert bad.exists()


def test_a_target_that_cannot_be_written_is_named(tiny, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="could not be written: Not a directory") as caught:
        load_data(data_dir=tmp_path / "file")
    assert str(tmp_path / "file" / "fashion-mnist") in str(caught.value)
    assert "(not a folder)" in str(caught.value)


def test_a_target_without_permission_is_a_permission_error(tiny, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(PermissionError, match=r"fashion-mnist' could not be written: Permission denied\."):
        load_data(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"name": "fashion-mnist"}, ValueError, "Did you mean 'fashion_mnist'"),
        ({"name": "cifar"}, ValueError, "Expected one of"),
        ({"name": None}, TypeError, "`name` must be a string"),
        ({"data_dir": 3}, TypeError, "`data_dir` must be a path"),
        ({"data_dir": ""}, ValueError, "`data_dir` must be a path"),
        ({"name": "synthetic", "data_dir": 3}, TypeError, "`data_dir` must be a path"),
        ({"download": "no"}, TypeError, "`download` must be True or False"),
    ],
)
def test_wrong_arguments_are_refused(tiny, kwargs, error, words):
    with pytest.raises(error, match=words):
        load_data(**kwargs)


def test_describe_says_that_synthetic_is_a_stand_in():
    assert "stand-in" in Dataset("synthetic", train=split(), test=split()).describe()


def test_importing_it_loads_no_tensorflow():
    code = "import sys, fashionclf.datasets; print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the real data is not here")
@pytest.mark.parametrize(("name", "first"), [("fashion_mnist", [9, 0, 0, 3]), ("mnist", [5, 0, 4, 1])])
def test_the_real_data_is_what_was_published(monkeypatch, name, first):
    monkeypatch.setenv("FASHIONCLF_DATA_DIR", str(SHARED))
    dataset = load_data(name, download=False)
    assert dataset.train.labels[:4].tolist() == first
    assert (dataset.train.images.shape, dataset.test.images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(dataset.test.labels).sum() == 10_000


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the real data is not here")
def test_real_mnist_as_keras_packs_it(tmp_path):
    (x_train, y_train), (x_test, y_test) = load_data("mnist", data_dir=SHARED, download=False)
    np.savez_compressed(tmp_path / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    dataset = load_data("mnist", data_dir=tmp_path, download=False)
    np.testing.assert_array_equal(dataset.test.images, x_test)


@pytest.mark.network
@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_a_real_download(tmp_path, name):
    load_data(name, data_dir=tmp_path)
    assert len(list(tmp_path.glob("*/*.gz"))) == 4

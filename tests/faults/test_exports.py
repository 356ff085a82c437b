"""Exports that are killed or fill the disk, and exported models that are damaged or hostile."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile

import numpy as np
import pytest

import fashionclf as fc
from fashionclf.serving._metadata import PLACE, with_checksum

pytestmark = pytest.mark.slow

SUFFIXES = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}


@pytest.fixture(scope="module")
def exports(fitted, tmp_path_factory):
    """The files of a small trained classifier by format."""
    folder = tmp_path_factory.mktemp("exports")
    return {name: fitted.export(folder / f"a{suffix}", name).path for name, suffix in SUFFIXES.items()}


# -- no disk left, and killed ---------------------------------------------------------------------

SCRIPT = """
    import os, resource, signal, sys
    from pathlib import Path
    import fashionclf as fc
    from fashionclf.datasets._synthetic import draw_garments
    from fashionclf.serving import _export

    trainer, folder = fc.Trainer(fc.dense_model((), seed=0)), Path(sys.argv[1])
    before = sorted(folder.iterdir())
    images, _ = draw_garments(1000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (10, 10_000):
        for name, quantize, target in (
            ("litert", None, "a.tflite"),
            ("litert", "int8", "a.tflite"),
            ("onnx", None, "a.onnx"),
            ("onnx", "int8", "a.onnx"),
            ("saved_model", None, "a"),
            ("frozen", None, None),
        ):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
            try:
                if target is None:
                    trainer.compile_predictor()
                else:
                    trainer.export(folder / target, name, quantize=quantize, images=images if quantize else None)
            except OSError as error:
                text = str(error)
            else:
                text = "no error"
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            print(name, quantize, limit, text, sep="|")
            assert sorted(folder.iterdir()) == before

    _export.compare = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # when all is written, and nothing in place
    sys.stdout.flush()
    trainer.export(folder / "a.tflite")
"""


@pytest.fixture(scope="module")
def faults(exports, tmp_path_factory):
    """The folder and the result of a process whose disk is full, and which is then killed in an export."""
    folder = tmp_path_factory.mktemp("faults")
    for name in ("litert", "onnx"):
        shutil.copy(exports[name], folder)
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    return folder, done


def test_a_full_disk_names_the_target(faults):
    """A limit on the size of files acts like a full disk, also in TensorFlow and ONNX Runtime."""
    folder, done = faults
    lines = [line.split("|") for line in done.stdout.splitlines()]
    assert len(lines) == 12, done.stderr[-3000:]
    targets = {"litert": folder / "a.tflite", "onnx": folder / "a.onnx", "saved_model": folder / "a"}
    for name, _, _, text in lines:
        subject = "The exported model" if name in targets else "The temporary file"
        assert text.startswith(f"{subject} {str(targets[name])!r} could" if name in targets else subject)
        assert re.search(r"could not be written: File too large; [\d.,]+ MB are free on that disk\.$", text)
        assert ".fashionclf-" not in text


def test_a_killed_export_leaves_the_old_file_and_the_next_one_cleans_up(faults, exports, small_trainer):
    folder, done = faults
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    for name in ("litert", "onnx"):
        assert (folder / exports[name].name).read_bytes() == exports[name].read_bytes()
    (left,) = folder.glob(".fashionclf-*")
    os.utime(left, (0, 0))  # as after a day
    small_trainer().export(folder / "a.tflite")
    assert sorted(each.name for each in folder.iterdir()) == ["a.onnx", "a.tflite"]


# -- damaged and hostile --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUFFIXES)
def test_200_flipped_bits(exports, tmp_path, name):
    """Each is refused before a runtime reads the model: none gives other probabilities or ends the process."""
    whole, rng = exports[name], np.random.default_rng(0)
    path = tmp_path / f"a{SUFFIXES[name]}"
    if name == "saved_model":
        shutil.copytree(whole, path)
        files = sorted(each for each in path.rglob("*") if each.is_file())
    else:
        shutil.copy(whole, path)
        files = [path]
    for _ in range(200):
        file = files[rng.integers(len(files))]
        content = file.read_bytes()
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is damaged|was not written by|newer version"):
            fc.load_exported(path)
        file.write_bytes(content)
    assert fc.load_exported(path).class_names == fc.CLASS_NAMES


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_of_metadata_is_bounded(exports, tmp_path, compression):
    content = exports["litert"].read_bytes()
    bomb = io.BytesIO(content[: content.index(b"PK\x03\x04")])
    with zipfile.ZipFile(bomb, "a", compression) as archive:
        with archive.open("fashionclf.json", "w") as member:
            for _ in range(30):
                member.write(b" " * 1_000_000)
        archive.comment = PLACE.encode()
    file = tmp_path / "a.tflite"
    file.write_bytes(with_checksum(bomb.getvalue()))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"is damaged: .*fashionclf\.json"):
        fc.load_exported(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_metadata_of_onnx_are_bounded(exports, tmp_path):
    import onnx

    model = onnx.load(exports["onnx"])
    for value in ("[" * 100_000, " " * 2_000_000):
        del model.metadata_props[:]
        model.metadata_props.add(key="fashionclf.json", value=value)
        model.metadata_props.add(key="sha256", value=PLACE)
        (tmp_path / "a.onnx").write_bytes(with_checksum(model.SerializeToString()))
        with pytest.raises(ValueError, match=r"a\.onnx' is damaged: its fashionclf\.json"):
            fc.load_exported(tmp_path / "a.onnx")

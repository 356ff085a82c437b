"""The pytest plugin in sessions of their own: its fixtures, and what it does not import."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]

# The tests of a project that uses fashionclf. At its end pytest prints what was imported.
CONFTEST = """
import sys

def pytest_unconfigure():
    print("imported:", sorted({"keras", "numpy", "tensorflow"} & set(sys.modules)))
"""
WITH_FAKE = """
import fashionclf as fc

def test_tags(fake_trainer, tiny_dataset):
    trainer = fake_trainer(["Dress", "Coat"])
    predictions = trainer.predict(tiny_dataset.test.images[:2])
    assert [prediction.class_name for prediction in predictions] == ["Dress", "Coat"]
    assert predictions == trainer.predict(tiny_dataset.test[:2])
    assert fc.evaluate_predictions([3, 4], predictions).accuracy == 1
"""
WITH_REAL = """
def test_tags(ready_trainer, tiny_dataset):
    assert ready_trainer.predict(tiny_dataset.test).labels.tolist() == tiny_dataset.test.labels.tolist()
"""


def session(folder, *arguments, code=0, **files):
    """Run pytest in a folder with these files, with this plugin and no other; return what it prints."""
    for name, content in {"conftest": CONFTEST, **files}.items():
        (folder / f"{name}.py").write_text(content, encoding="utf-8")
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "--rootdir",
            ".",
            "-p",
            PLUGIN["fashionclf"],
            *arguments,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def test_a_session_with_a_fake_trainer_loads_no_tensorflow(tmp_path):
    output = session(tmp_path, "-W", "error", test_tags=WITH_FAKE)
    assert "1 passed" in output
    assert "imported: ['numpy']" in output


@pytest.mark.slow
def test_that_check_can_fail(tmp_path):
    output = session(tmp_path, test_tags=WITH_REAL)
    assert "1 passed" in output
    assert "imported: ['keras', 'numpy', 'tensorflow']" in output


def test_without_tests_it_imports_nothing(tmp_path):
    no_tests = 5
    assert "imported: []" in session(tmp_path, "--collect-only", code=no_tests)


def test_fixtures_are_listed_with_what_they_are(tmp_path):
    output = session(tmp_path, "--fixtures")
    for name in ("tiny_dataset", "fake_trainer", "ready_trainer"):
        assert f"see `fashionclf.testing.{name}`" in output


def test_fixtures_of_a_project_go_before(tmp_path):
    own = """
import pytest

@pytest.fixture
def tiny_dataset():
    return "my own"

def test_own(tiny_dataset):
    assert tiny_dataset == "my own"
"""
    assert "1 passed" in session(tmp_path, test_own=own)


def test_it_is_named_in_the_metadata():
    assert PLUGIN == {"fashionclf": "fashionclf._pytest_plugin"}
    module = importlib.import_module(PLUGIN["fashionclf"])
    assert type(module.ready_trainer) is type(pytest.fixture(lambda: None))

"""What is released: the version in one place, and the sdist and the wheel that are built from a checkout."""

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import fashionclf as fc

ROOT = Path(__file__).resolve().parents[1]

OFFLINE = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("the network was used")

socket.socket.connect = socket.getaddrinfo = refuse
import fashionclf as fc
from fashionclf.testing import tiny_dataset

print(fc.__file__)
for name in reversed(fc.list_presets(pretrained=True)):  # the last one read takes 28x28 pixels
    trainer = fc.Trainer.from_preset(name, pretrained=True)
print(len(trainer.predict(tiny_dataset().test)), fc.__version__)
"""


def run(*command, cwd=ROOT, **environment):
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_citation_has_the_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == fc.__version__


def test_no_other_file_has_a_version_of_its_own():
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = [path.name for path in (ROOT / "fashionclf").rglob("*.py") if "__version__ =" in path.read_text("utf-8")]
    assert named == ["_version.py"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the sdist and the wheel, the wheel built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.mark.slow
class TestBuilt:
    def test_twine(self, built):
        assert run("-m", "twine", "check", "--strict", *built.iterdir()).count("PASSED") == 2

    def test_contents_of_the_wheel(self, built):
        (wheel,) = built.glob("*.whl")
        run("-m", "check_wheel_contents", "--package", ROOT / "fashionclf", wheel)
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
            assert "[pytest11]\nfashionclf = fashionclf._pytest_plugin" in archive.read(entry_points).decode()
        assert {name.split("/")[0] for name in names} == {"fashionclf", f"fashionclf-{fc.__version__}.dist-info"}

    def test_contents_of_the_sdist(self, built):
        (sdist,) = built.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"LICENSE", "README.md", "SECURITY.md", "pyproject.toml", "tests/consumer/check.sh"} <= names
        names -= {name for name in names if name.startswith("tests/golden/")}
        assert not [name for name in names if name.endswith((".keras", ".pyc")) or ".git/" in name]

    def test_the_wheel_works_offline_from_an_empty_folder(self, built, tmp_path):
        (wheel,) = built.glob("*.whl")
        site, empty, home = tmp_path / "site", tmp_path / "empty", tmp_path / "home"
        empty.mkdir()
        home.mkdir()  # Keras keeps its settings there
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        path, result = run("-c", OFFLINE, cwd=empty, PYTHONPATH=str(site), HOME=str(home)).splitlines()
        assert path.startswith(str(site))
        assert result == f"20 {fc.__version__}"
        assert not [*empty.iterdir()]

    @pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs fashionclf[dev]")
    def test_a_project_can_use_the_wheel(self, built):
        (wheel,) = built.glob("*.whl")
        environment = {**os.environ, "PYTHON": sys.executable}
        check = ["bash", str(ROOT / "tests" / "consumer" / "check.sh"), str(wheel)]
        result = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

import fashionclf as fc

ROOT = Path(__file__).resolve().parents[1]
HEAVY = "sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"


def heavy_modules_after(statement):
    code = f"import sys\n{statement}\nprint({HEAVY})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_neither_tensorflow_nor_numpy():
    assert heavy_modules_after("import fashionclf") == "[]"


def test_that_check_can_fail():
    assert heavy_modules_after("import fashionclf; fashionclf.scale") == "['numpy']"


def test_data_needs_no_tensorflow():
    statement = "import fashionclf as fc; fc.load_data, fc.train_validation_split, fc.Predictions, fc.Split"
    assert heavy_modules_after(statement) == "['numpy']"


def test_star_import_leaves_sklearn_alone():
    assert "sklearn" not in fc.__all__  # `from fashionclf import *` must not take the place of `import sklearn`
    assert set(fc.__all__) <= set(dir(fc))


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(fc.__file__).read_text(encoding="utf-8"))
    mirror = {
        name.name: node.module.removeprefix("fashionclf.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module.startswith("fashionclf.")
        and node.module != "fashionclf._version"
        for name in node.names
    }
    assert mirror == fc._HOMES
    modules = [
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "fashionclf"
        for name in node.names
    ]
    assert sorted(modules) == sorted(fc._PUBLIC_MODULES)


@pytest.mark.parametrize("name", fc._HOMES)
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(fc, name)
    if callable(value):
        assert value.__doc__
        assert value.__module__ == f"fashionclf.{fc._HOMES[name]}"


@pytest.mark.parametrize("module", ["explain", "plot", "sklearn", "testing"])
def test_members_of_public_modules_say_where_they_are_imported_from(module):
    public = getattr(fc, module)
    assert {getattr(public, name).__module__ for name in public.__all__} == {f"fashionclf.{module}"}


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fc.no_such_name


def test_modules_are_attributes():
    assert fc.labels.CLASS_NAMES is fc.CLASS_NAMES


def test_the_oldest_releases_are_those_that_pyproject_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = [*project["dependencies"]]
    for extra in ("images", "plot", "sklearn", "litert", "onnx"):
        allowed += project["optional-dependencies"][extra]
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    release = {name: Version(version) for name, version in pairs}
    bounds = dict(requirement.split(">=") for requirement in allowed)
    assert release == {name: Version(bound) for name, bound in bounds.items()}

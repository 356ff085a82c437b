"""The documentation: complete, and built without a complaint where MkDocs is installed."""

import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_everything_public_is_in_the_reference_with_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "docs" / "check_reference.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs fashionclf[docs]")
def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Trainer.predict" in (tmp_path / "reference" / "trainer.html").read_text(encoding="utf-8")

#!/usr/bin/env bash
# Build the wheel of fashionclf, install it with this project in a new environment, and check this project there: types
# (mypy --strict, pyright) and tests. Everything else (TensorFlow, pytest, mypy, ...) comes from the environment of
# $PYTHON, which needs fashionclf[dev].
#
#     tests/consumer/check.sh              # builds the wheel
#     tests/consumer/check.sh some.whl     # takes this one
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python="${PYTHON:-python}"
wheel="${1:+$(realpath "$1")}"
unset PYTHONPATH  # the wheel is tested, not a checkout

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$wheel" ]; then
    "$python" -m build --wheel --outdir "$work/dist" "$here/../.." >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
    wheel=$(echo "$work"/dist/*.whl)
fi
cp -R "$here" "$work/project"  # outside the checkout, whose fashionclf would be found otherwise
cd "$work/project"

"$python" -m venv "$work/venv"
consumer="$work/venv/bin/python"
# `--system-site-packages` would be those of the Python that $python was made from
"$python" - "$("$consumer" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" <<'END'
import pathlib, sys, sysconfig

paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
pathlib.Path(sys.argv[1], "borrowed.pth").write_text("\n".join(paths) + "\n")
END
# --ignore-installed: also if the borrowed packages have a fashionclf of their own, which comes after this one
"$consumer" -m pip install --quiet --no-deps --ignore-installed "$wheel" .

"$consumer" - "$work/venv" <<'END'
import importlib.metadata, sys

import catalogue_tagger, fashionclf

for module in (catalogue_tagger, fashionclf):
    assert module.__file__.startswith(sys.argv[1]), f"{module.__file__} is not the installed one"
(plugin,) = importlib.metadata.entry_points(group="pytest11", name="fashionclf")
print(f"fashionclf {fashionclf.__version__} from its wheel, pytest plugin {plugin.value}")
END
"$consumer" -m mypy
"$consumer" -m pyright --pythonpath "$consumer"
# From within Python, to see afterwards what the session has imported; and after fashionclf, of which pytest must not warn.
"$consumer" -c 'import sys, fashionclf, pytest
code = pytest.main(["tests/test_tagger.py"])
sys.exit(code or ("tensorflow was imported" if "tensorflow" in sys.modules else 0))'
"$consumer" -m pytest tests/test_with_tensorflow.py

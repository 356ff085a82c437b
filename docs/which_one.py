"""Write the table of the pretrained classifiers into README.md, from the figures of the model cards and benchmarks.

    python docs/which_one.py            # write it
    python docs/which_one.py --check    # change nothing, fail on a difference

The home page of the documentation includes the same lines.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CARDS = ROOT / "docs" / "model_cards"
BEGIN, END = "<!-- --8<-- [start:which] -->\n", "<!-- --8<-- [end:which] -->"
FOR = {  # what a preset is for, and how long its training takes
    "efficientnet_lite0": (
        "photographs: 18 kinds of clothing, in colour",
        "minutes, for your own classes",
    ),
    "cnn_robust": ("Fashion-MNIST's ten names on photographs", "hours"),
    "cnn_accurate": ("images like those of Fashion-MNIST", "hours"),
    "cnn_fast": ("training in seconds", "{fast:.0f} s"),
}


def main() -> None:
    """Write the table, or compare it."""
    readme = ROOT / "README.md"
    content = readme.read_text(encoding="utf-8")
    before, _, rest = content.partition(BEGIN)
    table, _, after = rest.partition(END)
    wanted = written()
    if "--check" not in sys.argv:
        readme.write_text(before + BEGIN + wanted + END + after, encoding="utf-8")
    elif table != wanted:
        sys.exit(f"README.md has another table. Run python docs/which_one.py\n{wanted}")


def written() -> str:
    """Return the table as Markdown."""
    benchmarks = json.loads((ROOT / "docs" / "benchmarks.json").read_text("utf-8"))
    runs = sorted(run["seconds"] for run in benchmarks["training"]["fast"])
    rows = [
        "| preset | for | test images | people's photographs | file | one image | training |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for preset, (purpose, training) in FOR.items():
        size = (ROOT / "fashionclf" / "pretrained" / f"{preset}.npz").stat().st_size
        test, photographs = accuracies(preset)
        rows.append(
            f"| `{preset}` | {purpose} | {percent(test)} | {percent(photographs)} | {size / 1e6:.1f} MB "
            f"| {benchmarks['presets'][preset]:.1f} ms | {training.format(fast=runs[len(runs) // 2])} |"
        )
    return "\n".join(rows) + "\n"


def accuracies(preset: str) -> tuple[float | None, float]:
    """Return the accuracy on Fashion-MNIST's test images, and on photographs by people not trained on."""
    figures = figures_of(preset)
    if "one_view" in figures:
        return None, figures["one_view"]["seven_groups"]
    return figures["report"]["accuracy"], photographs_of(preset)["accuracy"]


def photographs_of(preset: str) -> dict[str, Any]:
    """Return what was measured on photographs."""
    return figures_of(f"{preset}_photographs")


def figures_of(name: str) -> dict[str, Any]:
    """Return the figures of a model card."""
    return json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))


def percent(share: float | None) -> str:
    """Return a share in percent, or a dash if there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()

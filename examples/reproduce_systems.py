"""Train every system of the tutorials by its own recipe on the real data, and compare with what they report.

    FASHIONCLF_DATA_DIR=... python examples/reproduce_systems.py

needs scikit-learn (`pip install "fashionclf[sklearn]"`) and takes about twenty minutes on two cores. It writes
`docs/systems.md`, and after each training `docs/systems.json`, from which an interrupted run continues (pass
`--fresh` to train all of them again).
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fashionclf as fc

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS / "systems.json"
TABLE = DOCS / "systems.md"
SPLIT_SEED = 42  # of the documents' 80/20 split
SGD = "SGDClassifier"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one training each (default 0 1 2)")
    parser.add_argument("--fresh", action="store_true", help="train all systems again")
    arguments = parser.parse_args()

    run = {"seeds": arguments.seeds, "versions": versions()}
    results: dict[str, Any] = {"run": run, "systems": {}}
    if RESULTS.exists() and not arguments.fresh:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))
        if stored["run"] == run:
            results = stored
    for name in [SGD, *tutorial_presets()]:
        trained = results["systems"].setdefault(name, [])
        for seed in arguments.seeds[len(trained) : 1 if name == SGD else None]:  # SGD's seed is the documents' 42
            print(f"== {name}, seed {seed}", flush=True)
            start = time.perf_counter()
            figures = cross_validate_sgd() if name == SGD else train(name, seed)
            trained.append({**figures, "seconds": round(time.perf_counter() - start, 1)})
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table(results), encoding="utf-8")
    print(f"Wrote {TABLE}")


def tutorial_presets() -> list[str]:
    return [name for name in fc.list_presets() if fc.get_preset(name).source == "tutorials"]


def versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")}
    return {"python": platform.python_version(), "fashionclf": fc.__version__, **libraries}


def cross_validate_sgd() -> dict[str, Any]:
    """Logistic regression, one against the rest, by five passes of stochastic gradient descent."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)  # five passes are the documents' recipe
    scores = fc.cross_validate(SGDClassifier(loss="log_loss", max_iter=5, random_state=42), fc.load_data().train)
    return {"accuracy": float(scores.mean())}


def train(name: str, seed: int) -> dict[str, Any]:
    """Train a preset as its document does, and return the metrics of the split that the document evaluates it on."""
    preset = fc.get_preset(name)
    dataset = fc.load_data(preset.dataset)
    trainer = fc.Trainer.from_preset(name, seed=seed)
    if preset.evaluated_on == "validation":
        x_fit, x_val, y_fit, y_val = fc.train_validation_split(*dataset.train, seed=SPLIT_SEED, stratify=False)
        history = trainer.fit(x_fit, y_fit, validation_data=(x_val, y_val), seed=seed, verbose=2)
        figures = trainer.evaluate(x_val, y_val)
        first = trainer.predict(x_val[:1])[0]
    elif preset.evaluated_on == "test":
        history = trainer.fit(dataset.train, validation_data=dataset.test, seed=seed, verbose=2)
        figures = trainer.evaluate(dataset.test)
        first = trainer.predict(dataset.test.images[:1])[0]
    else:
        history = trainer.fit(dataset.train, seed=seed, verbose=2)
        figures = {key: values[-1] for key, values in history.history.items()}
        first = trainer.predict(dataset.train.images[:1])[0]
    return {
        **figures,
        "parameters": trainer.model.count_params(),
        "epochs": len(history.epoch),
        "first_prediction": str(first),
    }


def table(results: dict[str, Any]) -> str:
    """Write the page: reported against measured."""
    run = results["run"]
    lines = [
        "# The systems of the tutorials, reported and measured",
        "",
        "Each system is a preset, trained on the real data by its own recipe and evaluated on the same metric and "
        "split as in its document.",
        "",
        "```",
        f"python examples/reproduce_systems.py --seeds {' '.join(map(str, run['seeds']))}",
        "```",
        "",
        f"Seeds {', '.join(map(str, run['seeds']))}: measured is the mean over them, ± their standard deviation. "
        f"{', '.join(f'{name} {number}' for name, number in run['versions'].items())}; float32. "
        "Seconds of one training include loading the data, and depend on the machine.",
        "",
        "| system | layers | parameters | evaluated on | accuracy reported | measured | difference "
        "| loss reported | measured | epochs | seconds |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [row(name, trained) for name, trained in results["systems"].items()]
    bags = [trained["first_prediction"] for trained in results["systems"]["cnn_dropout"]]
    return "\n".join(
        [
            *lines,
            "",
            "A system evaluated on validation uses the 12,000 images of the documents' split "
            "(`train_validation_split(..., seed=42, stratify=False)`), on train by the running figures of the last "
            "epoch.",
            "",
            "`cnn_dropout` says of the first validation image, a bag, seed by seed:",
            "",
            *[f"- {bag}" for bag in bags],
            "",
        ]
    )


def row(name: str, trained: list[dict[str, Any]]) -> str:
    if name == SGD:
        layers, parameters, evaluated_on = "logistic regression, one against the rest (scikit-learn)", 7_850, "5-fold"
        reported: Any = {"accuracy": 0.8196}
    else:
        preset = fc.get_preset(name)
        layers, parameters, evaluated_on = preset.description, trained[0]["parameters"], preset.evaluated_on
        reported = preset.reported
    mean = statistics.mean(figures["accuracy"] for figures in trained)
    difference = f"{100 * (mean - reported['accuracy']):+.2f} points" if reported else "–"
    cells = [
        f"`{name}`",
        layers,
        f"{parameters:,}",
        evaluated_on,
        number(reported.get("accuracy")),
        spread([figures["accuracy"] for figures in trained]),
        difference,
        number(reported.get("loss")),
        spread([figures["loss"] for figures in trained if "loss" in figures]),
        ", ".join(str(figures["epochs"]) for figures in trained if "epochs" in figures) or "–",
        f"{statistics.mean(figures['seconds'] for figures in trained):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def spread(values: list[float]) -> str:
    if len(values) < 2:
        return number(values[0] if values else None)
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()

"""What `predict_with_ray.py` and `predict_with_dask.py` share: the table of images, and how a part is classified.

The table is in Parquet files with the columns `id` (anything, once each) and `image` (784 bytes, row after row).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np
import pandas as pd

import fashionclf as fc
from fashionclf.serving import FrozenPredictor

PART = 512  # images that a worker gets at once

Predict = Callable[[str, FrozenPredictor], pd.DataFrame]
Cluster = Callable[[int, str | None], AbstractContextManager[Predict]]


def classify(images: pd.DataFrame, predictor: FrozenPredictor) -> pd.DataFrame:
    """Return a row for each image of a part of the table. This is what the workers run."""
    pixels = np.frombuffer(b"".join(images["image"]), np.uint8).reshape(-1, 28, 28)
    found = predictor.predict(pixels)
    names = np.array(found.class_names)[found.labels]
    return pd.DataFrame({"id": images["id"], "class_name": names, "probability": found.probabilities.max(axis=1)})


def write_table(images: np.ndarray, folder: Path) -> str:
    """Write images, uint8 `(n, 28, 28)`, as a table in parts; the ids are their numbers."""
    for start in range(0, len(images), PART):
        rows = [image.tobytes() for image in images[start : start + PART]]
        part = pd.DataFrame({"id": np.arange(start, start + len(rows)), "image": rows})
        part.to_parquet(folder / f"part-{start // PART:06}.parquet", index=False)
    return str(folder)


def in_order(found: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return the rows in the order of the table, after a check that none is missing and none is there twice."""
    ids = pd.read_parquet(table, columns=["id"])["id"]
    if sorted(found["id"]) != sorted(ids):
        raise RuntimeError(f"{len(ids):,} images were read and {len(found):,} classified, with other ids.")
    return found.set_index("id").loc[ids].reset_index()


def run(cluster: Cluster, description: str) -> None:
    """Classify the images of the command line on a cluster, and say how fast it was."""
    options = read_options(description)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model is None:
            trainer = fc.Trainer.from_preset(options.preset, pretrained=True)
            model = trainer.export(Path(folder) / f"{options.preset}.tflite").path
        predictor = fc.load_exported(model, num_threads=1)  # a worker is one process on one core
        table = options.images
        if not Path(table).exists() and table in ("fashion_mnist", "mnist", "synthetic"):
            table = write_table(np.concatenate([part.images for part in fc.load_data(table)]), Path(folder))
        elif table.endswith((".npy", ".npz")):
            content = np.load(table)
            table = write_table(content if table.endswith(".npy") else content["images"], Path(folder))
        seconds = {}
        for workers in [1, options.workers] if options.compare else [options.workers]:
            with cluster(workers, options.address) as predict:
                start = time.perf_counter()
                found = predict(table, predictor)
                seconds[workers] = time.perf_counter() - start
            print(f"{workers} worker{'s' * (workers > 1)}: {len(found):,} images in {seconds[workers]:.1f} s", end="")
            print(f", {len(found) / seconds[workers]:,.0f} a second", flush=True)
        found = in_order(found, table)
    if options.compare:
        print(f"{options.workers} workers are {seconds[1] / seconds[options.workers]:.2f} times as fast as 1")
    print(found["class_name"].value_counts().to_string())
    found.to_parquet(options.output, index=False)


def read_options(description: str) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "images",
        nargs="?",
        default="fashion_mnist",
        help="a Parquet file or folder with the columns id and image, a .npy file, a .npz file with the array images, "
        "or the name of a data set (default fashion_mnist)",
    )
    parser.add_argument("--output", default="predictions.parquet", help="the Parquet file to write")
    parser.add_argument("--preset", default="cnn_accurate", help="a pretrained classifier (default cnn_accurate)")
    parser.add_argument("--model", help="a classifier that Trainer.export wrote, in the place of a preset")
    parser.add_argument("--workers", type=int, default=2, help="processes of one core each (default 2)")
    parser.add_argument("--address", help="of a running cluster (default: one on this computer)")
    parser.add_argument("--compare", action="store_true", help="measure one worker as well")
    return parser.parse_args()

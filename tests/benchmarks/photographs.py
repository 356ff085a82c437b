"""Reading photographs of 12 megapixels, on one core and on all, for `run.py`: times and the lines of its page."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import fashionclf as fc

SIZE = (4000, 3000)
FILES = 40
CODE = """
import os, sys, time
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
import cv2
cv2.setNumThreads(int(sys.argv[2]))
from fashionclf.inputs import read_images
from fashionclf.photographs import ImageConverter
read_images(sys.argv[1] + "/0.jpg", ImageConverter())
begin = time.perf_counter()
read_images(sys.argv[1], ImageConverter())
print(time.perf_counter() - begin)
"""


def measure(rounds=3):
    """Read folders of photographs in fresh processes on one core and on all, taking turns; medians of milliseconds."""
    image = fc.load_data().test.images[1]  # a pullover
    results = {"cores": len(os.sched_getaffinity(0))}
    for ground in ("plain", "wood"):
        with tempfile.TemporaryDirectory() as folder:
            photograph(image, ground).save(Path(folder) / "0.jpg", quality=90)
            for number in range(1, FILES):
                os.link(Path(folder) / "0.jpg", Path(folder) / f"{number}.jpg")
            times = {1: [], results["cores"]: []}
            for _ in range(rounds):
                for cores, milliseconds in times.items():
                    command = [sys.executable, "-c", CODE, folder, str(cores)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    milliseconds.append(1000 * float(done.stdout) / FILES)
        results[ground] = {str(cores): statistics.median(values) for cores, values in times.items()}
    return results


def photograph(image, ground):
    """Return a garment of the data set on a ground of boards with grain, or on grey paper, with a camera's noise."""
    rng = np.random.default_rng(0)
    height, width = SIZE[1], SIZE[0]
    boards = np.repeat(rng.uniform(0.8, 1.15, 20), width // 20) if ground == "wood" else np.full(width, 1.4)
    grain = rng.normal(0, 0.12 if ground == "wood" else 0.02, (height // 8, width)).repeat(8, axis=0)
    pixels = np.array([150, 140, 130]) * (boards + grain)[..., np.newaxis]
    garment = np.asarray(Image.fromarray(image).resize((2400, 2400)), float)[..., np.newaxis]
    place = (slice(300, 2700), slice(800, 3200))
    pixels[place] = np.where(garment > 20, np.array([60, 20, 90]) * (0.4 + garment / 255), pixels[place])
    return Image.fromarray(np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))


def lines(results):
    cores = str(results["cores"])
    rows = [
        f"| {ground} | {times['1']:.0f} | {times[cores]:.0f} | {times['1'] / times[cores]:.2f} |"
        for ground, times in results.items()
        if ground != "cores"
    ]
    return [
        "## Photographs of 12 megapixels",
        "",
        f"| ground | one core, ms each | {cores} cores, ms each | ratio |",
        "|---|---:|---:|---:|",
        *rows,
    ]

"""What the tests of photographs share."""

import io

import numpy as np
from PIL import Image, ImageDraw

FORMATS = {"BMP": {}, "GIF": {}, "JPEG": {"quality": 75}, "PNG": {}, "TIFF": {}, "WEBP": {"quality": 75}}


# A boot as a polygon in a square of side 1: unlike its flipped images and rotations, and much darker below.
SHAFT = [(0.05, 0), (0.5, 0), (0.55, 0.55), (0.05, 0.55)]


FOOT = [(0.05, 0.55), (0.55, 0.55), (1, 0.8), (1, 1), (0, 1)]


def draw(size=300, *, margin=60, background=(238, 236, 230), shaft=(110, 120, 130), foot=(20, 25, 30)):
    """A boot, `size` pixels long, on plain paper."""
    image = Image.new("RGB", (size + 2 * margin, size + 3 * margin), background)
    for part, colour in ((SHAFT, shaft), (FOOT, foot)):
        ImageDraw.Draw(image).polygon([(margin + (size - 1) * x, margin + (size - 1) * y) for x, y in part], colour)
    return image


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def difference(image, other):
    return np.abs(image.astype(float) - other).mean()

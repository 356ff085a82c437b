"""Versions of one garment at 28x28 pixels: seen from another angle, in other light, with another outline.

A garment is cut out once, at 84 pixels, and changed there, before it becomes 28x28 pixels. That is what another
photograph of it would have given, for a hundredth of the time that finding it takes.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np

from fashionclf.photographs import preprocessing_steps
from fashionclf.photographs._garment import bounding_box
from fashionclf.photographs._steps import _centred as centred, _resized as resized

SIDE = 84  # three pixels for each one that a model sees
CANVAS = 132  # room to rotate it
DISKS = {reach: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)) for reach in (1, 2, 3)}


class Garment(NamedTuple):
    """A garment bright on black, uint8 `(h, w)`, and its mask, uint8 `(h, w)`, 0 or 255."""

    pixels: Any
    mask: Any


def cut_out(photograph: Any) -> tuple[Garment, Any]:
    """Return the garment of a photograph `(h, w, 3)`, `SIDE` pixels long, and the image `(28, 28)` of it."""
    steps = preprocessing_steps(photograph)
    left, top, right, bottom = steps.box
    mask = 255 * steps.mask[top:bottom, left:right].astype(np.uint8)
    scale = SIDE / max(mask.shape)
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    small = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (steps.garment, mask)]
    return Garment(*(_centred(part) for part in small)), steps.image


def enlarged(image: Any) -> Garment:
    """Return the garment of an image of Fashion-MNIST, uint8 `(28, 28)`."""
    pixels = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    mask = np.where(pixels > 10, 255, 0).astype(np.uint8)
    return Garment(pixels, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, DISKS[3]))


def variant(garment: Garment, rng: np.random.Generator) -> Any:
    """Return another version of a garment, uint8 `(28, 28)`."""
    pixels, inside = _with_part_changed(*_outlined(_seen_from_elsewhere(garment, rng), rng), rng)
    pixels = _relit(pixels, inside, rng)
    if not inside.any():
        return fitted(pixels)
    left, top, right, bottom = np.array(bounding_box(inside))
    if rng.random() < 0.5:  # cut out a little too wide or too narrow
        top, bottom, left, right = np.array([top, bottom, left, right]) + rng.integers(-2, 3, 4)
    part = pixels[max(0, top) : max(top + 1, bottom), max(0, left) : max(left + 1, right)]
    image = fitted(part if part.size else pixels)
    return image[:, ::-1] if rng.random() < 0.5 else image


def _centred(part: Any) -> Any:
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - part.shape[0] + 1) // 2, (SIDE - part.shape[1] + 1) // 2
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas


def _seen_from_elsewhere(garment: Garment, rng: np.random.Generator) -> Garment:
    """Rotate, slant and stretch a garment, with a slight perspective."""
    degrees = rng.uniform(-35, 35) if rng.random() < 0.15 else rng.normal(0, 9)
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    shear, stretch = rng.uniform(-0.12, 0.12), np.exp(rng.uniform(-0.13, 0.13))
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[stretch, shear], [0, 1 / stretch]])
    tilt = rng.uniform(-0.15, 0.15, 2) / CANVAS
    from_middle = np.array([[1, 0, -SIDE / 2], [0, 1, -SIDE / 2], [0, 0, 1]])
    to_middle = np.array([[1, 0, CANVAS / 2], [0, 1, CANVAS / 2], [0, 0, 1]])
    camera = to_middle @ np.block([[linear, np.zeros((2, 1))], [tilt[np.newaxis], np.ones((1, 1))]]) @ from_middle
    return Garment(*(cv2.warpPerspective(part, camera, (CANVAS, CANVAS)) for part in garment))


def _outlined(garment: Garment, rng: np.random.Generator) -> tuple[Any, Any]:
    """Find the garment a few pixels narrower or wider than it is. Returns the pixels and a bool mask."""
    pixels, mask = garment
    chance, reach = rng.random(), int(rng.integers(1, 4))
    inside = mask > 127
    if chance < 0.25:
        narrower = cv2.erode(mask, DISKS[reach]) > 127
        inside = narrower if narrower.any() else inside
        pixels = np.where(inside, pixels, 0).astype(np.uint8)
    elif chance < 0.45:
        wider = cv2.dilate(mask, DISKS[reach]) > 127
        around = np.where(wider, cv2.dilate(pixels, DISKS[reach]), 0)
        pixels, inside = np.where(inside, pixels, around).astype(np.uint8), wider
    return pixels, inside


def _with_part_changed(pixels: Any, inside: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Lose an ellipse of the garment, or take one of the ground for a part of it, in one of seven garments."""
    if rng.random() > 0.15 or not inside.any():
        return pixels, inside
    rows, columns = np.nonzero(inside)
    middle = rng.integers(len(rows))
    ellipse = np.zeros_like(pixels)
    axes = tuple(int(length) for length in rng.integers(4, 16, 2))
    cv2.ellipse(ellipse, (int(columns[middle]), int(rows[middle])), axes, rng.uniform(0, 180), 0, 360, 255, -1)
    if rng.random() < 0.5:
        kept = inside & (ellipse == 0)
        return (np.where(kept, pixels, 0), kept) if kept.sum() > 0.7 * inside.sum() else (pixels, inside)
    added = (ellipse > 0) & ~inside
    return np.where(added, rng.integers(20, 255), pixels), inside | added


def _relit(pixels: Any, inside: Any, rng: np.random.Generator) -> Any:
    """Change the light: a negative, light from one side, another exposure, blur, noise. Float32, 0..255."""
    light = pixels.astype(np.float32) / 255
    if rng.random() < 0.1 and inside.any():  # as on a ground of the other brightness
        light = np.where(inside, np.clip(1.05 * light[inside].max() - light, 0, 1), 0).astype(np.float32)
    angle, place = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, len(light), dtype=np.float32)
    shade = 1 + rng.uniform(0, 0.3) * (np.cos(angle) * place[:, np.newaxis] + np.sin(angle) * place)
    light = np.clip(light * shade, 0, 1) ** np.exp(rng.uniform(-0.45, 0.45))
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 2))
    if rng.random() < 0.2:
        light = np.where(inside, light + rng.normal(0, rng.uniform(0, 0.15), light.shape), light).clip(0, 1)
    return (255 * light).astype(np.float32)


def fitted(garment: Any) -> Any:
    """Resize a garment to 28x28 pixels, keeping its proportions, and centre it, as `load_image` does."""
    return centred(np.rint(resized(garment, (28, 28))), (28, 28, 1))

"""Ten kinds of garment drawn by numpy: a stand-in for Fashion-MNIST that needs no file and no network.

A garment is a profile: for every row, the distances from its axis between which there is cloth. (A shoe is turned on
its side: for every column, the heights.) So an image needs only a few lines of 28 numbers, and a few array operations
fill a batch.

Only operations that IEEE 754 rounds exactly are used (no sin, exp or power), and numpy's frozen `RandomState`: an image
is the same, bit for bit, on every machine.
"""

# numpy's stubs turn float32 with a Python number into float64, which numpy itself does not
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

import itertools
from collections.abc import Callable
from typing import Final

import numpy as np

from fashionclf._types import FloatArray, UInt8Array

SIZE: Final = 28
_SEED: Final = 1708_07747
# One batch's arrays stay in the processor's cache.
_BATCH: Final = 250


def draw_garments(count: int, *, stream: int = 0) -> tuple[UInt8Array, UInt8Array]:
    """Return uint8 images `(count, 28, 28)` of the ten garments in random order, and labels. A stream is repeatable."""
    order = np.random.RandomState([_SEED, stream])
    labels = (order.permutation(count) % len(_GARMENTS)).astype(np.uint8)
    images = np.empty((count, SIZE, SIZE), np.uint8)
    for label, garment in enumerate(_GARMENTS):
        rng = np.random.RandomState([_SEED, stream, label])
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            sheet = Sheet(rng, len(batch))
            garment(sheet)
            images[batch] = sheet.develop()
    return images, labels


# -- drawing --------------------------------------------------------------------------------------


def ramp(t: FloatArray, t0: FloatArray | float, t1: FloatArray | float) -> FloatArray:
    """0 before `t0`, 1 after `t1`, a straight line between."""
    share: FloatArray = np.clip((t - t0) / (t1 - t0), np.float32(0), np.float32(1))
    return share


def profile(t: FloatArray, *points: tuple[FloatArray | float, FloatArray | float]) -> FloatArray:
    """The line through points `(t, value)`, level before the first and after the last."""
    line = np.zeros_like(t) + points[0][1]
    for (t0, before), (t1, after) in itertools.pairwise(points):
        line = line + (after - before) * ramp(t, t0, t1)
    return line.astype(np.float32, copy=False)


def between(t: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """How much of each pixel lies between two edges."""
    share: FloatArray = np.clip(np.minimum(t - low, high - t) + np.float32(0.5), np.float32(0), np.float32(1))
    return share


def wave(t: FloatArray, period: FloatArray) -> FloatArray:
    """A triangle wave from 0 to 1."""
    turns = t / period
    height: FloatArray = np.abs((turns - np.floor(turns)) * np.float32(2) - np.float32(1))
    return height


def arch(t: FloatArray) -> FloatArray:
    """A half circle over -1..1."""
    height: FloatArray = np.sqrt(np.maximum(np.float32(1) - t * t, np.float32(0)))
    return height


class Sheet:
    """A batch of blank images in a garment's own coordinates, about 0..27 on both axes.

    The coordinates contain the position, scale and slant of each image, so the code of a garment does not need them.
    `along` is the axis of the profile, `(count, 28, 1)`; `across` the signed distance from it,
    `(count, 28, 28)`; `flat` the same without the slant, `(count, 1, 28)`. Random numbers have shape `(count, 1, 1)`.
    """

    def __init__(self, rng: np.random.RandomState, count: int) -> None:
        self.rng = rng
        self.count = count
        grid = np.arange(SIZE, dtype=np.float32) - np.float32(13.5)
        scale = self.vary(0.92, 1.06)
        lines = (grid[:, None] - self.vary(-1.2, 1.2)) / scale
        self.along: FloatArray = lines + np.float32(13.5)
        self.flat: FloatArray = (grid - self.vary(-1.6, 1.6)) / (scale * self.vary(0.94, 1.06))
        self.across: FloatArray = self.flat - lines * self.vary(-0.07, 0.07)
        self.cover = np.zeros((count, SIZE, SIZE), np.float32)
        self.shade = np.ones((count, SIZE, SIZE), np.float32)
        self.sideways = False

    def vary(self, low: float, high: float) -> FloatArray:
        """A number from `low` to `high` for each image."""
        return self.rng.uniform(low, high, (self.count, 1, 1)).astype(np.float32)

    def some(self, share: float) -> FloatArray:
        """1 for about `share` of the images, 0 for the others."""
        return (self.rng.uniform(0, 1, (self.count, 1, 1)) < share).astype(np.float32)

    def contrast(self, low: float, high: float) -> FloatArray:
        """A strength for `tint` of either sign: a detail may be darker or brighter than its cloth."""
        return self.vary(low, high) * (np.float32(1) - np.float32(1.6) * self.some(0.5))

    def add(self, part: FloatArray) -> None:
        """Put a piece of cloth on the image."""
        np.maximum(self.cover, part, out=self.cover)

    def tint(self, part: FloatArray, strength: FloatArray | float) -> None:
        """Darken (or, below 0, brighten) a region."""
        self.shade *= np.float32(1) - part * strength

    def texture(self, stripes: float, checks: float) -> None:
        """Give the cloth soft folds and some of the images stripes or checks."""
        lines = self.some(stripes + checks) * self.vary(0.15, 0.7)
        columns = (self.some(checks) + self.some(0.05)) * self.vary(0.15, 0.55)
        rows = lines * (wave(self.along, self.vary(2.5, 7)) > self.vary(0.3, 0.7))
        folds = self.vary(0, 0.25) * wave(self.flat + self.vary(0, 9), self.vary(5, 14))
        bars = columns * (wave(self.flat, self.vary(2.5, 6)) > self.vary(0.3, 0.7))
        fade = self.vary(-0.012, 0.012) * (self.along - np.float32(13.5))
        self.shade *= (np.float32(1) - rows) * (np.float32(1) + fade)
        self.shade *= (np.float32(1) - bars) * (np.float32(1) - folds)

    def develop(self) -> UInt8Array:
        """Turn cover and shade into pixels, with brightness and speckle."""
        light = np.maximum(self.vary(0.3, 1.05), self.some(0.5) * self.vary(0.8, 1.05))
        noise = np.frombuffer(self.rng.bytes(self.cover.size), np.uint8).reshape(self.cover.shape)
        speckle = (noise.astype(np.float32) - np.float32(127.5)) * (
            self.vary(0.02, 0.15) + self.some(0.08) * self.vary(0.15, 0.4)
        )
        pixels = self.cover * (self.shade * (light * np.float32(250)) + speckle)
        images: UInt8Array = np.clip(pixels + np.float32(0.5), np.float32(0), np.float32(255)).astype(np.uint8)
        return images.transpose(0, 2, 1) if self.sideways else images


# -- garments -------------------------------------------------------------------------------------


def _upper(s: Sheet, *, length: FloatArray, width: FloatArray, flare: FloatArray, short: FloatArray) -> FloatArray:
    """Draw a garment with two sleeves and return where its neckline runs."""
    v, u = s.along, np.abs(s.across)
    neck, shoulder = s.vary(2.6, 4.4), s.vary(6.6, 8.4)
    long_arm, short_arm = s.vary(10.2, 12.8), s.vary(9.8, 13.2)
    cuff, armpit = s.vary(20, 26.5), s.vary(7.6, 10.2)
    tip = s.vary(6.6, 10.0)
    body_short = profile(
        v, (1.2, neck), (3.2, shoulder), (tip, short_arm), (tip + s.vary(0.9, 2.4), width), (length, width + flare)
    )
    body_long = profile(v, (armpit, width), (length, width + flare))
    arm = profile(v, (1.2, neck), (3.2, shoulder), (s.vary(8, 12), long_arm), (cuff, long_arm + s.vary(-0.8, 0.8)))
    body_long = np.where(v < armpit, arm, body_long)
    body = np.where(short > 0, body_short, body_long)
    s.add(between(u, -1, body) * between(v, 1.2, length))
    gap = body + s.vary(0.3, 1.0) + s.vary(0, 0.07) * (v - armpit)
    sleeve = between(u, gap, arm) * between(v, armpit, cuff) * (np.float32(1) - short)
    s.add(sleeve)
    # The dark line between arm and body, where they touch.
    s.tint(between(u, body - np.float32(0.3), gap) * (v > armpit) * (np.float32(1) - short), s.vary(0.2, 0.6))
    depth = s.vary(1.2, 4.5)
    pointed = s.some(0.35)
    down = (v - np.float32(0.7)) / depth
    neckline = neck * np.where(pointed > 0, np.float32(1) - down, arch(np.maximum(down, 0)))
    neckline = np.where(down < 1, neckline, np.float32(-2))
    s.cover *= np.float32(1) - between(u, -9, neckline)
    return neckline


def _collar(s: Sheet, neckline: FloatArray, share: float, contrast: FloatArray) -> None:
    u = np.abs(s.across)
    rim = between(u, neckline - np.float32(0.2), neckline + s.vary(1.2, 2.4)) * (s.along < s.vary(4, 7))
    s.tint(rim, s.some(share) * contrast)


def _front(s: Sheet, half: FloatArray, strength: FloatArray, buttons: FloatArray, bottom: FloatArray) -> None:
    """Draw a front opening: a line down the middle, with buttons."""
    v = s.along
    dots = np.float32(1) - buttons * (wave(v, s.vary(3, 4.5)) > np.float32(0.5))
    s.tint(between(s.across - s.vary(-0.6, 0.6), -half, half) * ((v > np.float32(2.5)) & (v < bottom)), strength * dots)


def _t_shirt(s: Sheet) -> None:
    neckline = _upper(s, length=s.vary(24, 27), width=s.vary(6.4, 8.6), flare=s.vary(-0.5, 0.8), short=s.some(0.95))
    s.texture(stripes=0.15, checks=0.02)
    _collar(s, neckline, 0.4, s.contrast(0.1, 0.4))
    printed = s.some(0.45) * s.contrast(0.3, 0.8)
    place = s.vary(6, 10)
    image = between(np.abs(s.across), -1, s.vary(2, 5)) * between(s.along, place, place + s.vary(2.5, 8))
    s.tint(image * wave(s.along + s.flat * s.vary(-1, 1), s.vary(2, 6)), printed)


def _trouser(s: Sheet) -> None:
    v, u = s.along, np.abs(s.across)
    waist, hem = s.vary(3.8, 5.4), s.vary(4.4, 7.8)
    outer = profile(v, (1, waist), (7, waist + s.vary(0.3, 1.3)), (26.5, hem))
    crotch = s.vary(7.5, 11)
    inside = np.maximum(hem - s.vary(2.8, 4.2), s.vary(0.4, 1.2))
    inner = profile(v, (crotch - 1, -0.8), (crotch + 3, inside * 0.6), (26.5, inside))
    s.add(between(u, inner, outer) * between(v, 0.8, s.vary(25.5, 27.2)))
    s.texture(stripes=0.03, checks=0.02)
    s.tint(between(v, s.vary(1.6, 2.6), s.vary(2.8, 3.6)), s.vary(0, 0.5))
    s.tint(between(u, -1, 0.3) * (v < crotch), s.vary(0, 0.5))
    s.tint(between(u, 2.4, 3.2) * (v > crotch), s.vary(-0.15, 0.3))


def _pullover(s: Sheet) -> None:
    neckline = _upper(s, length=s.vary(23.5, 27), width=s.vary(6.2, 8.4), flare=s.vary(-0.8, 0.5), short=s.some(0))
    s.texture(stripes=0.3, checks=0.04)
    _collar(s, neckline, 0.4, s.contrast(0.1, 0.4))
    ribs = s.some(0.6) * s.vary(0.1, 0.4)
    s.tint(between(s.along, s.vary(21.5, 23.5), 30), ribs)
    _front(s, s.vary(0.3, 0.6), s.some(0.08) * s.vary(0.2, 0.5), s.some(0.2), s.vary(7, 14))


def _dress(s: Sheet) -> None:
    v, u = s.along, np.abs(s.across)
    strap, bust, waist, hem = s.vary(2.8, 4.6), s.vary(3.6, 5.2), s.vary(2.8, 4.2), s.vary(4.6, 9.5)
    waistline = s.vary(9, 13)
    sleeved = s.some(0.4)
    outer = profile(
        v, (0.8, strap), (4.5, bust), (waistline, waist), (waistline + s.vary(2, 9), hem - s.vary(0, 1.5)), (26.8, hem)
    )
    arm = profile(v, (0.8, strap), (3, bust + 1), (s.vary(7, 20), bust + s.vary(2, 5)))
    outer = np.where((sleeved > 0) & (v < s.vary(5.5, 18)), np.maximum(arm, outer), outer)
    s.add(between(u, -1, outer) * between(v, 0.6, s.vary(25.5, 27.4)))
    depth = s.vary(1.5, 6)
    down = (v - np.float32(0.3)) / depth
    neckline = np.where(down < 1, (strap - s.vary(0.8, 1.8)) * arch(np.maximum(down, 0)), np.float32(-2))
    s.cover *= np.float32(1) - between(u, -9, neckline)
    s.texture(stripes=0.12, checks=0.04)
    s.tint(between(v, waistline - 1, waistline + 1), s.some(0.5) * s.vary(-0.2, 0.6))


def _coat(s: Sheet) -> None:
    length = s.vary(25, 27.4)
    neckline = _upper(s, length=length, width=s.vary(6.2, 8.2), flare=s.vary(0, 1.8), short=s.some(0))
    s.texture(stripes=0.04, checks=0.06)
    lapel = profile(s.along, (1, s.vary(3.4, 5.2)), (s.vary(8, 14), -1))
    edge = np.abs(np.abs(s.across) - lapel)
    s.tint(between(edge, -1, s.vary(0.2, 0.7)) * (lapel > 0), s.some(0.8) * s.contrast(0.4, 0.8))
    _collar(s, neckline, 0.6, s.contrast(0.1, 0.5))
    _front(s, s.vary(0.25, 0.9), s.some(0.96) * s.contrast(0.5, 0.95), s.some(0.08), length)
    belt = s.vary(14, 17)
    s.tint(between(s.along, belt, belt + 1), s.some(0.2) * s.contrast(0.3, 0.7))
    pocket = between(s.along, s.vary(16, 17), s.vary(17.5, 18.5)) * between(np.abs(s.across), 2.5, 5.5)
    s.tint(pocket, s.some(0.5) * s.contrast(0.3, 0.8))


def _shirt(s: Sheet) -> None:
    length = s.vary(24, 27)
    neckline = _upper(s, length=length, width=s.vary(6, 8.2), flare=s.vary(-0.4, 1.2), short=s.some(0.4))
    s.texture(stripes=0.12, checks=0.3)
    _collar(s, neckline, 0.9, s.contrast(0.3, 0.6))
    _front(s, s.vary(0.4, 0.8), s.some(0.95) * s.contrast(0.4, 0.9), s.some(0.97), length)
    pocket = between(s.along, s.vary(8, 9), s.vary(11.5, 13)) * between(s.across, s.vary(2, 2.8), s.vary(4.8, 5.6))
    s.tint(pocket, s.some(0.4) * s.contrast(0.15, 0.5))


def _bag(s: Sheet) -> None:
    v, u = s.along, np.abs(s.across)
    top, bottom = s.vary(8.5, 13.5), s.vary(21.5, 26)
    upper, lower = s.vary(8, 12.8), s.vary(9.5, 13.2)
    body = profile(
        v, (top - 0.5, upper - s.vary(0, 1.5)), (top + 2, upper), (bottom - 2, lower), (bottom, lower - s.vary(0, 2))
    )
    s.add(between(u, -1, body) * between(v, top, bottom))
    rise, reach = s.vary(4, 9), s.vary(3.5, 9)
    thick = s.vary(0.9, 1.8)
    outside = reach * arch(((v - top) / rise).clip(-1, 0))
    inside = (reach - thick) * arch(((v - top) / (rise - thick)).clip(-1, 0))
    inside = np.where(v < top - rise + thick, np.float32(-1), inside)
    s.add(between(u, inside, outside) * between(v, top - rise, top + 1) * s.some(0.8))
    s.texture(stripes=0.06, checks=0.06)
    flap = top + s.vary(2, 9)
    s.tint(between(v, flap, flap + s.vary(0.4, 1.0)), s.some(0.65) * s.vary(0.2, 0.7))
    s.tint(between(v, flap, flap + 1.6) * between(u, -1, s.vary(0.8, 1.8)), s.some(0.6) * s.vary(-0.5, 0.7))
    s.tint(between(u, lower - 2.2, lower - 1.4), s.some(0.3) * s.vary(0.2, 0.6))


def _lay_down(s: Sheet, room: float) -> tuple[FloatArray, FloatArray]:
    """Turn the sheet; a flat shoe has room to lie higher or lower."""
    s.sideways = True
    return s.along, s.across + (np.float32(13.5) + s.vary(-room, room))


def _sandal(s: Sheet) -> None:
    x, y = _lay_down(s, 2.5)
    heel = s.some(0.45) * s.vary(2, 9)
    ground = s.vary(20, 22)
    sole = ground - heel * ramp(x, 7, 21) + profile(x, (0.5, -1), (4, 0))
    thick = s.vary(1.1, 2.6)
    s.add(between(y, sole, sole + thick) * between(x, 0.4, 26.6))
    wedge = s.some(0.4)
    stem = np.where(wedge > 0, s.vary(7, 12), s.vary(22, 24.5))
    s.add(between(y, sole, ground + thick) * between(x, stem, 26.4))
    for middle, wide, high in ((6.0, 4.0, 5.0), (13.0, 4.5, 7.0), (22.0, 4.0, 8.0)):
        reach = s.vary(wide - 1.5, wide + 1)
        bow = sole - s.vary(high - 2.5, high + 1.5) * arch(((x - (middle + s.vary(-1.5, 1.5))) / reach).clip(-1, 1))
        strap = between(y, bow, np.minimum(bow + s.vary(1.2, 4), sole)) * (bow < sole - np.float32(0.4))
        s.add(strap * s.some(0.85))
    lean = s.vary(0.3, 0.9)
    strap_line = sole - (x - s.vary(5, 9)) * lean
    s.add(between(y, strap_line, strap_line + s.vary(0.8, 1.8)) * between(x, 9, s.vary(18, 22)) * s.some(0.6))
    s.texture(stripes=0.05, checks=0.03)


def _sneaker(s: Sheet) -> None:
    x, y = _lay_down(s, 2.5)
    ground = s.vary(19.5, 21.5)
    toe, collar = s.vary(3.2, 5), s.vary(8.5, 12) + s.some(0.15) * s.vary(2, 5)
    throat = s.vary(14, 18)
    height = profile(
        x,
        (0.3, 1.5),
        (2.5, toe),
        (8, toe + s.vary(0.5, 1.5)),
        (throat, collar),
        (throat + 1, collar),
        (throat + 4, collar - s.vary(1, 3)),
        (23, collar - s.vary(0.5, 2)),
        (25.5, collar + s.vary(-1, 1)),
    )
    s.add(between(y, ground - height, ground) * between(x, 0.3, 26.9))
    s.texture(stripes=0.02, checks=0.03)
    s.tint(between(y, ground - s.vary(1.4, 3), 30), s.vary(-0.5, 0.6))
    lace = between(y, ground - height, ground - height + s.vary(2, 3.5)) * between(x, throat - 7, throat)
    s.tint(lace * (wave(x, s.vary(1.8, 2.6)) > np.float32(0.5)), s.some(0.8) * s.vary(-0.4, 0.7))
    mark = between(x + (y - ground) * s.vary(-0.8, 0.9), s.vary(11, 13), s.vary(14, 18)) * (y < ground - 3)
    s.tint(mark, s.some(0.6) * s.vary(-0.4, 0.6))


def _boot(s: Sheet) -> None:
    x, y = _lay_down(s, 1)
    ground = s.vary(24, 26)
    toe, instep, shaft = s.vary(3.5, 5.5), s.vary(7.5, 10.5), s.vary(14, 23)
    shin = s.vary(11, 14.5)
    height = profile(
        x, (0.3, 1.5), (2.5, toe), (shin - 2, instep), (shin + s.vary(0, 3), shaft), (26, shaft - s.vary(-1, 1.5))
    )
    s.add(between(y, ground - height, ground) * between(x, 0.3, s.vary(24.5, 26.6)))
    heel = s.some(0.6) * s.vary(1, 3.5)
    s.cover *= np.float32(1) - between(y, ground - heel * ramp(x, s.vary(4, 8), 15), 30) * (x < s.vary(18, 20)) * (
        heel > 0
    )
    s.texture(stripes=0.02, checks=0.02)
    s.tint(between(y, ground - s.vary(1, 2), 30), s.vary(-0.3, 0.6))
    seam = shin + s.vary(3.5, 6)
    s.tint(between(x, seam, seam + s.vary(0.4, 2.5)) * (y < ground - 5), s.some(0.5) * s.vary(0.2, 0.7))
    s.tint(between(y, -3, ground - shaft + s.vary(1, 2.5)), s.some(0.4) * s.vary(-0.3, 0.6))


_GARMENTS: Final[tuple[Callable[[Sheet], None], ...]] = (
    *(_t_shirt, _trouser, _pullover, _dress, _coat),
    *(_sandal, _shirt, _sneaker, _bag, _boot),
)

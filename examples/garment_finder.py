"""Train the network that finds a garment on wood, carpet or a patterned sheet, and write it as `load_image` reads it.

    python examples/garment_finder.py FOLDER OUTLINES.npz [--held-out 0 1] [--output garment_finder.onnx]

`FOLDER` holds `clothing.csv` and the photographs it names; see `clothing_photographs.py`. Nobody has drawn outlines.
OpenCV's GrabCut finds them, in three settings. Where these agree, the garment is cut out and laid on the ground of
another photograph, in other light: its outline is then known exactly. The network learns from such pictures, and from
the photographs themselves, each with the weight of that agreement. `--held-out` leaves out the senders of some folds
of `clothing_photographs.py`, to measure what it finds in their photographs. `OUTLINES.npz` keeps GrabCut's outlines
for the next run. They take ten minutes on one core, and so does training.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
import onnx
import tensorflow as tf
from clothing_photographs import folds_of, rows_of, target
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array
from PIL import Image

from fashionclf.photographs._garment import NETWORK, SIDE, main_parts, sha256_of

OUTPUT = Path(__file__).parents[1] / "fashionclf" / "photographs" / NETWORK
CANVAS = 128  # of the photographs from which that is made
SETTINGS = ((192, 2, 0.04), (192, 2, 0.02), (128, 4, 0.04))  # GrabCut's longest edge, rounds and frame of background
AGREED = 0.93  # intersection over union of all pairs from which on outlines count as exact
COPIES = 5  # changed copies of each photograph
COMPOSED = 12_000
GRID = 16  # cells along an edge in which ground without a garment is looked for
DOWN = ((11, (2,)), (22, (2, 1)), (44, (2, 1)), (67, (2, 1, 1)))  # filters, and strides of the convolutions with them
UP = (44, 22, 16, 7)  # filters


class Outlined(NamedTuple):
    """Photographs, uint8 `(n, CANVAS, CANVAS, 3)`, and the masks that GrabCut found, uint8 `(n, 3, CANVAS, CANVAS)`."""

    photographs: Any
    masks: Any

    @property
    def agreement(self) -> Any:
        """The smallest intersection over union of two of a photograph's masks, from 0 to 1."""
        inside = self.masks > 127
        pairs = [inside[:, [0, 1]], inside[:, [0, 2]], inside[:, [1, 2]]]
        return np.min([p.all(axis=1).sum((1, 2)) / p.any(axis=1).sum((1, 2)).clip(1) for p in pairs], axis=0)

    @property
    def area(self) -> Any:
        """The share of each photograph that is garment."""
        return (self.masks[:, 0] > 127).mean((1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("--held-out", type=int, nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = rows_of(options.folder)
    if not options.outlines.exists():
        with ProcessPoolExecutor() as pool:
            found = pool.map(outline, [options.folder / row["image"] for row in rows], chunksize=20)
            np.savez(options.outlines, **Outlined(*map(np.stack, zip(*found, strict=True)))._asdict())
    with np.load(options.outlines) as archive:
        outlined = Outlined(**archive)
    folds = folds_of(np.stack([target(row["label"]) for row in rows]), [int(row["sender"]) for row in rows])
    held_out = [i for number in options.held_out for i in folds[number][1]]
    outlined = Outlined(*(np.delete(array, held_out, axis=0) for array in outlined))
    model = trained(*training_images(outlined, np.random.default_rng(options.seed)), options.epochs, options.seed)
    network = as_onnx(model).SerializeToString()
    options.output.write_bytes(network)
    Path(f"{options.output}.sha256").write_bytes(sha256_of(network))
    print(f"{len(outlined.masks):,} photographs, {model.count_params():,} parameters: {options.output}")


# -- training images --------------------------------------------------------------------------------------------


def outline(file: Path) -> tuple[Any, Any]:
    """Return a photograph and the masks of its garment, in the settings of GrabCut."""
    cv2.setNumThreads(1)  # there is a process for each core
    pixels = np.asarray(Image.open(file).convert("RGB"))
    found = [pixels, *(grab_cut(pixels, *setting) for setting in SETTINGS)]
    photograph, *masks = (cv2.resize(part, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA) for part in found)
    return photograph, np.stack(masks)


def grab_cut(pixels: Any, longest: int, rounds: int, frame: float) -> Any:
    """Return the mask of what is not like the frame, uint8 `(h, w)`, 0 or 255 (Rother et al., "GrabCut", 2004)."""
    height, width, _ = pixels.shape
    scale = min(1, longest / max(height, width))
    small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    edge = max(1, round(frame * min(labels.shape)))
    labels[edge:-edge, edge:-edge] = cv2.GC_PR_FGD
    ground, garment = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)  # its k-means starts at random
    try:
        cv2.grabCut(small, labels, (0, 0, 0, 0), ground, garment, rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all pixels became ground
        return np.zeros((height, width), np.uint8)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return 255 * main_parts(cv2.resize(found, (width, height)) > 0.5).astype(np.uint8)


def training_images(outlined: Outlined, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return images `(n, SIDE, SIDE, 3)`, masks `(n, SIDE, SIDE)` from 0 to 255, and weights `(n,)`."""
    agreement, area = outlined.agreement, outlined.area
    means = outlined.masks.mean(axis=1, dtype=np.float32)
    numbers = np.repeat(np.arange(len(area)), COPIES)
    pairs = [changed(outlined.photographs[i], means[i], rng) for i in numbers]
    weights = (agreement.clip(0.1) ** 3 * (area > 0.05))[numbers]
    exact = np.flatnonzero((agreement > AGREED) & (area > 0.1) & (area < 0.75))
    grounds = {i: box for i, masks in enumerate(outlined.masks) if (box := largest_ground(masks.max(axis=0)))}
    for _ in range(COMPOSED):
        i, j = rng.choice(exact), rng.choice(list(grounds))
        ground = tiled(outlined.photographs[j], grounds[j], rng)
        pairs.append(composed(outlined.photographs[i], means[i], ground, rng))
    print(f"{len(exact):,} garments, {len(grounds):,} grounds, {len(pairs):,} images", flush=True)
    order = rng.permutation(len(pairs))
    images, masks = (np.stack(parts)[order] for parts in zip(*pairs, strict=True))
    return images, masks, np.concatenate([weights, np.ones(COMPOSED)])[order].astype(np.float32)


def largest_ground(mask: Any) -> tuple[int, int, int, int] | None:
    """Return the largest rectangle without a garment, `(top, bottom, left, right)` in pixels of the canvas."""
    wide = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    taken = cv2.resize(wide, (GRID, GRID), interpolation=cv2.INTER_AREA) > 10
    best, found = 0, None
    for top in range(GRID):
        for bottom in range(top + 2, GRID + 1):
            run = 0
            for column, free in enumerate(~taken[top:bottom].any(axis=0), start=1):
                run = run + 1 if free else 0
                if run >= 2 and run * (bottom - top) > best:
                    best, found = run * (bottom - top), (top, bottom, column - run, column)
    cell = CANVAS // GRID
    return found and tuple(cell * edge for edge in found)


def tiled(photograph: Any, box: tuple[int, int, int, int], rng: np.random.Generator) -> Any:
    """Return ground that fills the canvas: that of a rectangle, turned, enlarged and mirrored at its edges."""
    top, bottom, left, right = box
    part = np.ascontiguousarray(np.rot90(photograph[top:bottom, left:right], rng.integers(2)))
    enlarge = rng.uniform(1, 3)
    size = [min(CANVAS, round(length * enlarge)) for length in part.shape[1::-1]]
    part = cv2.resize(part, size)
    missing = [(0, max(0, CANVAS + 32 - length)) for length in part.shape[:2]]
    whole = np.pad(part, [*missing, (0, 0)], mode="symmetric")
    down, across = (rng.integers(length - CANVAS + 1) for length in whole.shape[:2])
    return whole[down : down + CANVAS, across : across + CANVAS]


def changed(photograph: Any, mask: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a photograph seen from elsewhere in other light, and its mask."""
    view = seen_from(rng, 8)
    seen = [
        cv2.warpPerspective(part, view, (CANVAS, CANVAS), borderMode=cv2.BORDER_REFLECT_101)
        for part in (photograph, mask)
    ]
    return taken(relit(seen[0], rng), seen[1] / 255, rng)


def composed(photograph: Any, mask: Any, ground: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a garment laid on other ground, with its shadow, and its mask."""
    view = seen_from(rng, 12)
    garment = cv2.warpPerspective(relit(photograph, rng), view, (CANVAS, CANVAS))
    inside = cv2.warpPerspective(mask / np.float32(255), view, (CANVAS, CANVAS))
    ground = relit(ground, rng)
    if rng.random() < 0.25 and (inside > 0.5).any():  # ground of the garment's colour, nearly
        shift = garment[inside > 0.5].mean(axis=0) - ground.mean((0, 1)) + rng.normal(0, 0.08, 3)
        ground = np.clip(ground + shift, 0, 1)
    shadow = np.roll(cv2.GaussianBlur(inside, (0, 0), rng.uniform(1, 5)), rng.integers(-4, 5, 2), (0, 1))
    ground = ground * (1 - rng.uniform(0, 0.6) * shadow)[..., np.newaxis]
    soft = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.4, 1))[..., np.newaxis]
    return taken(garment * soft + ground * (1 - soft), inside, rng)


def seen_from(rng: np.random.Generator, degrees: float) -> Any:
    """Return the 3x3 matrix of another view, sometimes turned by quarters."""
    angle = np.deg2rad(rng.normal(0, degrees)) + (np.pi / 2 * rng.integers(4) if rng.random() < 0.2 else 0)
    cosine, sine = np.cos(angle), np.sin(angle)
    stretch, shear = np.exp(rng.uniform(-0.25, 0.25)), rng.uniform(-0.2, 0.2)
    turn = np.exp(rng.uniform(-0.35, 0.2)) * np.array([[cosine, -sine], [sine, cosine]])
    linear = turn @ np.array([[stretch, shear], [0, 1 / stretch]])
    middle = np.full(2, CANVAS / 2)
    moved = middle - linear @ middle + rng.normal(0, 7, 2)
    return np.block([[linear, moved[:, np.newaxis]], [np.array([[0, 0, 1]])]])


def relit(image: Any, rng: np.random.Generator) -> Any:
    """Return an image in other light, float32 in [0, 1]: another exposure and tint, now and then grey."""
    light = (image / np.float32(255)) ** np.exp(rng.uniform(-0.5, 0.5))
    light = light * rng.uniform(0.8, 1.2, 3) * rng.uniform(0.7, 1.2)
    if rng.random() < 0.15:
        light = np.repeat(light.mean(axis=-1, keepdims=True), 3, axis=-1)
    return np.clip(light, 0, 1).astype(np.float32)


def taken(light: Any, mask: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return what a camera makes of a scene, `SIDE` pixels long: mirrored, light from one side, blur, noise."""
    light = np.ascontiguousarray(light, np.float32)
    if rng.random() < 0.5:
        light, mask = np.ascontiguousarray(light[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    if rng.random() < 0.3:
        angle, place = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, CANVAS)
        side = np.cos(angle) * place[:, np.newaxis] + np.sin(angle) * place
        light = light * (1 + rng.uniform(0, 0.4) * side)[..., np.newaxis]
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.4:
        light = light + rng.normal(0, rng.uniform(0, 0.06), light.shape)
    image = np.rint(255 * np.clip(light, 0, 1)).astype(np.uint8)
    smaller = [cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for part in (image, np.float32(mask))]
    return smaller[0], np.rint(255 * smaller[1]).astype(np.uint8)


# -- network ----------------------------------------------------------------------------------------------------


def network() -> keras.Model:
    """Build a small U-Net (Ronneberger et al., arXiv:1505.04597): the log-odds that a pixel belongs to the garment."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    skipped = [x]
    for filters, strides in DOWN:
        for stride in strides:
            x = convolution(x, filters, stride)
        skipped.append(x)
    for filters, skip in zip(UP, skipped[-2::-1], strict=True):
        x = keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(x), skip])
        x = convolution(x, filters, 1)
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", dtype="float32")(x))


def convolution(x: Any, filters: int, stride: int) -> Any:
    x = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))


def trained(images: Any, masks: Any, weights: Any, epochs: int, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = network()
    steps = len(images) // 64 * epochs
    schedule = keras.optimizers.schedules.CosineDecay(3e-4, steps, warmup_target=3e-3, warmup_steps=steps // 10)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3), loss=cross_entropy)
    model.fit(images, masks, sample_weight=weights, batch_size=64, epochs=epochs, verbose=2)
    return model


def cross_entropy(masks: Any, log_odds: Any) -> Any:
    share = tf.cast(masks, tf.float32) / 255
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=share, logits=tf.reshape(log_odds, tf.shape(share)))
    return tf.reduce_mean(each, axis=(1, 2))


def as_onnx(model: keras.Model) -> onnx.ModelProto:
    """Return the network as ONNX: `(1, 3, SIDE, SIDE)` in [-1, 1] to probabilities, normalisation in the convolutions.

    It is written layer by layer: OpenCV 4.10 computes something else from what the converters write. It also needs
    `kernel_shape`, which ONNX lets one leave out.
    """
    arrays: dict[str, Any] = {"twice": np.array([1, 1, 2, 2])}
    nodes: list[onnx.NodeProto] = []
    parameters = iter(folded(model))

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(make_node(kind, inputs, [f"{kind}_{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def convolve(x: str, stride: int) -> str:
        names = [f"kernel_{len(nodes)}", f"bias_{len(nodes)}"]
        arrays.update(zip(names, next(parameters), strict=True))
        pads = [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]  # as "same" in Keras
        return add("Conv", [x, *names], kernel_shape=[3, 3], strides=[stride, stride], pads=pads)

    x = "image"
    skipped = [x]
    for _, strides in DOWN:
        for stride in strides:
            x = add("Relu", [convolve(x, stride)])
        skipped.append(x)
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    for skip in skipped[-2::-1]:
        larger = add("Resize", [x, "", "twice"], **how)
        x = add("Relu", [convolve(add("Concat", [larger, skip], axis=1), 1)])
    nodes.append(make_node("Sigmoid", [convolve(x, 1)], ["probability"]))
    values = [
        make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, SIDE, SIDE])
        for name, channels in (("image", 3), ("probability", 1))
    ]
    constants = [from_array(np.ascontiguousarray(array, np.float32), name) for name, array in arrays.items()]
    graph = make_graph(nodes, "garment_finder", values[:1], values[1:], constants)
    written = make_model(graph, opset_imports=[make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(written)
    return written


def folded(model: keras.Model) -> list[tuple[Any, Any]]:
    """Return kernel and bias of each convolution, as ONNX orders them, with the normalisation that follows it."""
    layers = [layer for layer in model.layers if layer.weights]
    pairs = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            continue
        kernel, *bias = layer.get_weights()
        if isinstance(following, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = following.get_weights()
            scale = gamma / np.sqrt(variance + following.epsilon)
            kernel, bias = kernel * scale, [beta - mean * scale]
        pairs.append((kernel.transpose(3, 2, 0, 1), bias[0]))
    return pairs


if __name__ == "__main__":
    main()

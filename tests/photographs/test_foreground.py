"""Finding a garment on backgrounds that are not plain."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from fashionclf.photographs import ImageConverter, _garment, load_image, preprocessing_steps
from fashionclf.photographs._many import read_many

HEIGHT, WIDTH = 320, 240


def wood(rng):
    """Return boards of several browns, with grain."""
    boards = np.repeat(rng.uniform(0.8, 1.15, WIDTH // 40), 40)
    grain = cv2.GaussianBlur(rng.normal(0, 0.4, (HEIGHT, WIDTH)), (1, 31), 0)
    return np.clip(np.array([170, 120, 80]) * (boards + grain)[..., np.newaxis], 0, 255)


def carpet(rng):
    """Return strong noise in two colours."""
    mixed = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH)), (3, 3), 0)[..., np.newaxis]
    return np.where(mixed > 0.5, np.array([120, 30, 40.0]), np.array([60, 20, 60.0])) + rng.normal(
        0, 8, (HEIGHT, WIDTH, 3)
    )


def sheet(rng):
    """Return a sheet with dots."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    dots = ((down % 24 - 12) ** 2 + (across % 24 - 12) ** 2 < 36)[..., np.newaxis]
    return np.where(dots, np.array([250, 160, 190.0]), np.array([245, 240, 235.0])) + rng.normal(
        0, 2, (HEIGHT, WIDTH, 3)
    )


def shirt():
    """Return the mask of a T-shirt."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.array([[80, 60], [160, 60], [215, 120], [185, 145], [165, 125], [165, 270], [75, 270],
                                  [75, 125], [55, 145], [25, 120]])], 1)  # fmt: skip
    return mask > 0


def placed(background, mask, colour, rng):
    cloth = np.array(colour) + rng.normal(0, 4, (HEIGHT, WIDTH, 3))
    return np.clip(np.where(mask[..., np.newaxis], cloth, background), 0, 255).astype(np.uint8)


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize("colour", [(30, 60, 150), (235, 235, 225)])
@pytest.mark.parametrize("background", [wood, carpet, sheet])
def test_a_garment_is_found_on_what_is_not_plain(background, colour):
    if (background, colour[0]) == (sheet, 235):
        pytest.skip("white on white is nobody's to find")
    rng = np.random.default_rng(0)
    steps = preprocessing_steps(placed(background(rng), shirt(), colour, rng))
    assert overlap(steps.mask, shirt()) > 0.93
    assert not steps.doubts
    far = cv2.dilate(shirt().astype(np.uint8), np.ones((31, 31)))[
        steps.box[1] : steps.box[3], steps.box[0] : steps.box[2]
    ]
    assert steps.garment[far == 0].mean() < 3
    assert (steps.original.shape, steps.image.max()) == ((HEIGHT, WIDTH), 254)


def test_both_shoes_are_kept_and_crumbs_are_not():
    rng = np.random.default_rng(1)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for centre in ((75, 160), (165, 160)):
        cv2.ellipse(mask, centre, (30, 90), 0, 0, 360, 1, -1)
    crumbs = mask.copy()
    cv2.circle(crumbs, (30, 40), 6, 1, -1)
    steps = preprocessing_steps(placed(wood(rng), crumbs > 0, (25, 25, 30), rng))
    assert overlap(steps.mask, mask > 0) > 0.93
    assert not steps.mask[:60, :60].any()


def test_a_garment_that_reaches_the_border_does_not_vanish():
    rng = np.random.default_rng(2)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60:, 10:230] = True  # down to the lower border, striped like the carpet around it
    image = placed(carpet(rng), mask, (150, 150, 150), rng)
    steps = preprocessing_steps(image)
    assert overlap(steps.mask, mask) > 0.85


def test_joints_of_tiles_are_no_garment():
    rng = np.random.default_rng(3)
    tiles = np.full((HEIGHT, WIDTH, 3), 225.0)
    for start in range(-HEIGHT, WIDTH, 110):
        cv2.line(tiles, (start, 0), (start + HEIGHT, HEIGHT), (120, 110, 100), 2)
    steps = preprocessing_steps(placed(tiles, shirt(), (40, 40, 45), rng))
    assert overlap(steps.mask, shirt()) > 0.9
    left, top, right, bottom = steps.box
    assert max(abs(left - 25), abs(top - 60), abs(right - 216), abs(bottom - 271)) <= 6


def test_the_same_image_in_any_thread_and_after_any_other():
    rng = np.random.default_rng(4)
    image = placed(carpet(rng), shirt(), (200, 190, 60), rng)
    expected = load_image(image)
    cv2.setRNGSeed(99)
    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(load_image, [image] * 8):
            np.testing.assert_array_equal(seen, expected)


def test_a_second_garment_is_kept_and_a_speck_is_not():
    """What the network and GrabCut take for garment may fall apart."""
    rng = np.random.default_rng(5)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60:260, 30:100] = mask[60:260, 140:210] = True
    speck = np.zeros_like(mask)
    speck[5:14, 225:234] = True
    steps = preprocessing_steps(placed(carpet(rng), mask | speck, (210, 200, 60), rng))
    assert overlap(steps.mask, mask) > 0.85
    assert steps.box[1] > 40


def test_textured_ground_alone_is_doubtful():
    steps = preprocessing_steps(carpet(np.random.default_rng(6)).clip(0, 255).astype(np.uint8))
    assert steps.doubts


def test_an_image_where_all_is_surely_garment_or_ground(monkeypatch):
    """GrabCut fails if it has nothing to model; what the network says then holds."""
    image = placed(wood(np.random.default_rng(7)), shirt(), (30, 60, 150), np.random.default_rng(7)).astype(np.float32)
    for probability in (0.0, 1.0):
        monkeypatch.setattr(_garment, "_probability", lambda pixels, p=probability: np.full((96, 96), p, np.float32))
        belongs, _ = _garment.find_garment(image)
        assert (belongs == probability).all()


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1"])
def test_without_its_network_one_sentence_says_what_to_do(tmp_path, monkeypatch, content):
    """It is no error of a photograph, so `on_error="skip"` must not hide it."""
    file = tmp_path / "finder.onnx"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(_garment, "NETWORK", str(file))
    monkeypatch.setattr(_garment, "_loaded", threading.local())
    _garment._weights.cache_clear()
    image = placed(wood(np.random.default_rng(8)), shirt(), (30, 60, 150), np.random.default_rng(8))
    try:
        with pytest.raises(ImportError, match=r"missing or damaged: .* Install it again: `pip install"):
            read_many([image], ["array"], "skip", ImageConverter())
    finally:
        _garment._weights.cache_clear()


def test_the_network_is_one_that_the_oldest_opencv_reads():
    """OpenCV 4.10 needs an attribute of the convolutions that later releases and ONNX itself do without."""
    onnx = pytest.importorskip("onnx")
    nodes = onnx.load_from_string(_garment._weights().tobytes()).graph.node
    named = ["kernel_shape" in {each.name for each in node.attribute} for node in nodes if node.op_type == "Conv"]
    assert named
    assert all(named)


def test_without_opencv_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r'needs OpenCV: run `pip install "fashionclf\[images\]"`'):
        load_image("boot.png")


def test_a_garment_as_bright_as_its_coloured_ground_is_seen():
    rng = np.random.default_rng(0)
    ground = np.broadcast_to(np.array([240.0, 120, 60]), (HEIGHT, WIDTH, 3)) + rng.normal(0, 1, (HEIGHT, WIDTH, 3))
    photograph = placed(ground, shirt(), (149, 149, 149), rng)  # the same grey
    photograph[60:80, 100:140] = 250  # a white collar
    steps = preprocessing_steps(photograph)
    assert overlap(steps.mask, shirt()) > 0.95
    assert np.median(steps.image[steps.image > 0]) > 100

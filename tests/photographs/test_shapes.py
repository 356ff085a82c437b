"""Photographs for models of any image shape."""

import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from samples.photographs import difference, draw, encoded

import fashionclf as fc
from fashionclf.photographs import ImageConverter, load_image, preprocessing_steps

SHAPES = [(28, 28, 1), (32, 32, 3), (64, 48, 1), (96, 96, 3), (8, 8, 1)]
RED, GREEN, BLUE = (200, 30, 20), (20, 160, 40), (10, 40, 190)


def flag(width=300, height=100, *, frame=0):
    """Three stripes, red, green and blue from left to right, in a frame of grey."""
    image = Image.new("RGB", (width, height), (128, 128, 128))
    for i, colour in enumerate((RED, GREEN, BLUE)):
        image.paste(colour, (max(frame, i * width // 3), frame, (i + 1) * width // 3 - frame, height - frame))
    return image


def seen(shape):
    return shape[:2] if shape[2] == 1 else shape


@pytest.mark.parametrize("find_garment", [None, True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_is_read_to_the_shape_as_each_photograph_is(shape, find_garment, tmp_path):
    for name in ("Boot", "Shoe"):
        (tmp_path / name).mkdir()
        for i in range(2):
            draw(280 + 20 * i).save(tmp_path / name / f"{i}.jpg")
    how = {"image_shape": shape, "find_garment": find_garment}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # photographs on light paper are no negatives
        split = fc.load_folder(tmp_path, **how)
    assert split.images.shape == (4, *seen(shape))
    assert split.image_shape == shape
    assert split[1:3].image_converter == split.image_converter == ImageConverter(**how)
    for image, file in zip(split.images, split.files, strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, load_image(tmp_path / file, **how))


@pytest.mark.parametrize("find_garment", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_of_the_shape_is_an_image_already(shape, find_garment):
    image = np.random.default_rng(0).integers(0, 150, seen(shape)).astype(np.uint8)
    for form in (image, image.reshape(shape), image / 255):
        np.testing.assert_array_equal(load_image(form, image_shape=shape, find_garment=find_garment), image)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_are_upright_and_padded_with_the_colour_of_their_edges(orientation):
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = flag(frame=8) if orientation == 1 else flag(frame=8).transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = load_image(encoded(stored, exif=exif), image_shape=(60, 60, 3))
    for column, colour in ((10, RED), (30, GREEN), (50, BLUE)):
        assert difference(image[30, column], colour) < 2
    rows = np.flatnonzero((image != 128).any(axis=(1, 2)))
    assert rows[[0, -1]].tolist() == [20, 39]  # a third of the height, in its middle


def test_pictures_are_cropped_about_their_middle():
    steps = preprocessing_steps(flag(), image_shape=(50, 50, 3), crop_to_aspect_ratio=True)
    assert steps.box == (100, 0, 200, 100)
    assert steps.mask is None
    assert (steps.image[:, 2:-2] == GREEN).all()
    lines = np.tile(np.array([0, 255], np.uint8).repeat(2), (3000, 25))  # of 512 pixels its width would be 17
    assert np.ptp(load_image(lines, image_shape=(50, 50, 1), crop_to_aspect_ratio=True)) > 200


def test_transparent_pixels_are_white_or_black_behind_white():
    for colour, ground in ((RED, 255), ((255, 255, 255), 0)):
        cut_out = np.zeros((100, 100, 4), np.uint8)
        cut_out[30:70, 30:70] = (*colour, 255)
        image = load_image(cut_out, image_shape=(50, 50, 3))
        assert (image[:10] == ground).all()
        assert (image[20:30, 20:30] == colour).all()


def test_a_garment_in_its_own_colours_on_black():
    boot = draw(shaft=RED, foot=BLUE)
    steps = preprocessing_steps(boot, image_shape=(90, 60, 3), find_garment=True)
    rows, columns = np.flatnonzero(steps.image.any(axis=(1, 2))), np.flatnonzero(steps.image.any(axis=(0, 2)))
    assert len(columns) == 60
    assert abs(len(rows) - 60) <= 1  # the boot is as wide as it is long
    assert difference(steps.image[30, 20], RED) < 2
    assert difference(steps.image[72, 20], BLUE) < 2
    np.testing.assert_array_equal(steps.mask, preprocessing_steps(boot).mask)


def test_a_drawing_for_a_larger_image_is_framed_as_one():
    ink = Image.new("L", (280, 280), 255)
    ink.paste(0, (60, 130, 220, 140))
    for shape in ((56, 84, 1), (56, 84, 3)):
        image = load_image(ink, image_shape=shape, find_garment=True).reshape(56, 84, -1)
        assert len(np.flatnonzero(image.any(axis=(0, 2)))) == 40


@pytest.mark.parametrize("find_garment", [True, False])
def test_what_is_small_or_blank_is_doubtful(find_garment):
    how = {"image_shape": (200, 120, 3), "find_garment": find_garment}
    (doubt,) = preprocessing_steps(draw(100, margin=5), **how).doubts
    assert "only 1" in doubt
    assert "of the 120 that a model sees" in doubt
    assert preprocessing_steps(Image.new("RGB", (300, 200), RED), **how).doubts
    assert not preprocessing_steps(draw(), **how).doubts


def test_a_whole_picture_needs_no_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert load_image(draw(), image_shape=(32, 32, 3)).shape == (32, 32, 3)
    with pytest.raises(ImportError, match="OpenCV"):
        load_image(draw(), image_shape=(32, 32, 3), find_garment=True)


def test_a_large_image_is_made_of_more_pixels():
    lines = np.tile(np.array([0, 0, 255, 255], np.uint8), (1600, 400))
    assert np.ptp(load_image(lines, image_shape=(800, 800, 1))) > 200  # at 512 pixels they would be grey


@pytest.mark.parametrize("shape", [*SHAPES, (28, 28, 3)])
def test_only_images_as_in_the_data_set_can_be_negatives(shape):
    images = np.full((3, *shape), 250, np.uint8)
    images[:, 3:5, 3:5] = 20
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fc.Split(images, [0, 1, 1])
        fc.Split(images, [0, 1, 1], image_converter=ImageConverter(shape, find_garment=False))
    assert len(caught) == (shape == (28, 28, 1))

import numpy as np
import pytest

import fashionclf as fc


def test_same_seed_same_pictures(garments):
    augment = fc.Augmentation(erasing=0.5)
    first, again, other = (augment(garments[0][:50], seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_nothing_asked_nothing_done(garments):
    augment = fc.Augmentation(horizontal_flip=False, max_shift=0)
    np.testing.assert_array_equal(augment(garments[0])[..., 0], garments[0])


def test_flip_mirrors_about_half(garments):
    images = garments[0][:200]
    changed = fc.Augmentation(horizontal_flip=True, max_shift=0)(images, seed=0)[..., 0]
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2))
    kept = (changed == images).all(axis=(1, 2))
    assert (mirrored | kept).all()
    assert 60 < mirrored.sum() < 140


def test_shift_reaches_every_displacement_and_fills_with_zeros():
    images = np.zeros((3000, 28, 28), np.uint8)
    images[:, 14, 14] = 200
    moved = fc.Augmentation(horizontal_flip=False, max_shift=2)(images, seed=0)[..., 0]
    assert (moved.sum(axis=(1, 2)) == 200).all()
    _, rows, columns = np.nonzero(moved)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (row, column) for row in range(12, 17) for column in range(12, 17)
    }
    edge = np.full((50, 28, 28), 255, np.uint8)
    assert (fc.Augmentation(horizontal_flip=False, max_shift=27)(edge, seed=0) == 0).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_erasing_overwrites_one_rectangle_of_the_papers_size(dtype):
    images = np.zeros((500, 28, 28), dtype)
    erased = fc.Augmentation(horizontal_flip=False, max_shift=0, erasing=1.0)(images, seed=0)[..., 0]
    assert erased.dtype == dtype
    assert erased.max() <= (255 if dtype == np.uint8 else 1)
    share = (erased != 0).mean(axis=(1, 2))
    assert 0.01 < share.min() < 0.05
    assert 0.28 < share.max() < 0.36
    half = fc.Augmentation(horizontal_flip=False, max_shift=0, erasing=0.5)(images, seed=0)
    assert 180 < (half != 0).any(axis=(1, 2, 3)).sum() < 320


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_noise_has_up_to_the_deviation_asked_for(dtype):
    white = 255 if dtype == np.uint8 else 1
    images = np.full((400, 28, 28), white // 2 if dtype == np.uint8 else 0.5, dtype)
    changed = fc.Augmentation(horizontal_flip=False, max_shift=0, noise=0.1)(images, seed=0)[..., 0]
    assert changed.dtype == dtype
    deviation = np.sort((changed / white).std(axis=(1, 2)))
    np.testing.assert_allclose(deviation, np.linspace(0, 0.1, 400), atol=0.012)  # even from 0 to what was asked
    strong = fc.Augmentation(horizontal_flip=False, max_shift=0, noise=1.0)(images, seed=0)
    assert strong.min() == 0
    assert strong.max() == white


def test_everything_at_once_stays_in_range(garments):
    augment = fc.Augmentation(max_shift=3, erasing=1.0, noise=0.3)
    whole = augment(garments[0][:100], seed=0)
    parts = augment((garments[0][:100] / 255).astype("float32"), seed=0)
    assert (whole.dtype, parts.dtype) == (np.uint8, np.float32)
    assert 0 <= parts.min() < parts.max() <= 1

import numpy as np
import pytest

import fashionclf as fc
from fashionclf.augmentation import cut_and_mix


def test_same_seed_same_images(garments):
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


CHANGES = {"rotation": 30, "zoom": 0.3, "shear": 0.3, "contrast": 0.8, "brightness": 0.3, "blur": 2.0}


@pytest.mark.parametrize("name", CHANGES)
class TestOneChange:
    def augment(self, images, name, share=1.0):
        options = {name: share * CHANGES[name]}
        return fc.Augmentation(horizontal_flip=False, max_shift=0, **options)(images, seed=0)[..., 0]

    def test_it_changes_and_stays_in_range(self, garments, name):
        images = garments[0][:100]
        changed = self.augment(images, name)
        assert changed.dtype == np.uint8
        assert np.count_nonzero((changed != images).any(axis=(1, 2))) > 80  # a blur of little is none
        parts = self.augment((images / 255).astype(np.float32), name)
        assert parts.dtype == np.float32
        assert 0 <= parts.min() < parts.max() <= 1
        np.testing.assert_allclose(parts * 255, changed, atol=1.01)  # integers are rounded

    def test_a_little_changes_little(self, garments, name):
        images = garments[0][:100]
        slight = self.augment(images, name, 1e-6)
        np.testing.assert_allclose(slight.astype(int), images, atol=1)


def one_change(images, **options):
    return fc.Augmentation(horizontal_flip=False, max_shift=0, **options)(images, seed=0)[..., 0].astype(int)


def test_rotation_turns_to_both_sides():
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 4:24, 13:15] = 255
    tops = one_change(images, rotation=40)[:, 6]
    left = tops[:, :13].sum(axis=1) > tops[:, 15:].sum(axis=1)
    assert 70 < left.sum() < 130


def test_zoom_enlarges_and_shrinks_each_axis_by_itself():
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 9:19, 9:19] = 255
    seen = one_change(images, zoom=0.3) > 127
    heights, widths = seen.any(axis=2).sum(axis=1), seen.any(axis=1).sum(axis=1)
    for sizes in (heights, widths):
        assert (sizes < 9).any()
        assert (sizes > 11).any()
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.3


def test_shear_slants_to_both_sides_and_keeps_rows():
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 4:24, 13:15] = 255
    slanted = one_change(images, shear=0.5)
    places = (slanted * np.arange(28)).sum(axis=2)[:, 5:23] / slanted.sum(axis=2)[:, 5:23]
    slopes = np.polyfit(np.arange(18), places.T, 1)[0]
    assert -0.5 <= slopes.min() < -0.45
    assert 0.45 < slopes.max() <= 0.5
    np.testing.assert_allclose(slanted[:, 5:23].sum(axis=2), images[0, 5].sum(), rtol=0.02)


def test_light():
    images = np.full((200, 28, 28), 100, np.uint8)
    images[:, :14] = 150
    bright = one_change(images, brightness=0.1)
    assert np.ptp(bright.mean(axis=(1, 2))) > 40
    np.testing.assert_allclose(bright[:, 0, 0] - bright[:, 27, 0], 50, atol=1)
    spread = one_change(images, contrast=0.5)
    np.testing.assert_allclose(spread.mean(axis=(1, 2)), 125, atol=1)
    differences = spread[:, 0, 0] - spread[:, 27, 0]
    assert 24 <= differences.min() < 30
    assert 70 < differences.max() <= 76


def test_blur_keeps_the_mean_and_takes_edges():
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 10:18, 10:18] = 200
    blurred = one_change(images, blur=2.0)
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), images[0].sum(), rtol=0.03)
    assert blurred[:, 10, 14].min() < 120


def test_the_channels_of_an_image_change_together(garments):
    """For images higher than wide: what a change does to grey images, it does to each channel of colour."""
    grey = garments[0][:20, :, 4:20, np.newaxis]
    colour = np.repeat(grey, 3, axis=-1)
    augment = fc.Augmentation(max_shift=15, **CHANGES)
    np.testing.assert_array_equal(augment(colour, seed=0), np.repeat(augment(grey, seed=0), 3, axis=-1))
    erased = fc.Augmentation(horizontal_flip=False, max_shift=0, erasing=1.0)(np.zeros_like(colour), seed=0)
    red, _, blue = (erased != 0).transpose(3, 0, 1, 2)
    assert (red == blue).mean() > 0.99  # one box; of its random values one in 256 is 0
    assert (erased[..., 0] != erased[..., 2]).mean() > 0.1


def test_everything_at_once_stays_in_range(garments):
    augment = fc.Augmentation(max_shift=3, erasing=1.0, noise=0.3, **CHANGES)
    whole = augment(garments[0][:100], seed=0)
    parts = augment((garments[0][:100] / 255).astype("float32"), seed=0)
    assert (whole.dtype, parts.dtype) == (np.uint8, np.float32)
    assert 0 <= parts.min() < parts.max() <= 1


class TestCutAndMix:
    """Images here are even: each has the number of its class as its only value."""

    def mixed(self, weights=None, probability=1.0):
        numbers = np.arange(200) % 10
        images = np.repeat(numbers.astype(np.uint8), 784).reshape(-1, 28, 28, 1)
        targets = np.eye(10, dtype=np.float32)[numbers]
        rng = np.random.default_rng(0)
        before = targets.copy()
        out = cut_and_mix(images, targets, *weights or (), probability=probability, rng=rng)
        np.testing.assert_array_equal(targets, before)
        return images[..., 0], numbers, out

    def test_targets_are_shares_of_the_area(self):
        images, _, (targets,) = self.mixed()
        shares = np.stack([(images == number).mean(axis=(1, 2)) for number in range(10)], axis=1)
        np.testing.assert_allclose(targets, shares, atol=1e-6)
        assert np.count_nonzero(targets.max(axis=1) < 0.999) > 120

    def test_the_other_image_fills_one_box(self):
        images, numbers, _ = self.mixed()
        pasted = images != numbers[:, np.newaxis, np.newaxis]
        rows, columns = pasted.any(axis=2), pasted.any(axis=1)
        np.testing.assert_array_equal(pasted, rows[:, :, np.newaxis] & columns[:, np.newaxis, :])
        for line in (*rows, *columns):
            assert np.abs(np.diff(np.pad(line.astype(int), 1))).sum() <= 2  # a single run
        sizes = pasted.mean(axis=(1, 2))
        assert 0.4 < sizes[sizes > 0].mean() < 0.6
        assert sizes.min() < 0.1
        assert sizes.max() > 0.9

    def test_probability(self):
        images, numbers, (targets,) = self.mixed(probability=0.25)
        changed = targets.argmax(axis=1) != numbers
        untouched = (targets.max(axis=1) == 1) & ~changed
        assert 130 < untouched.sum() < 180
        assert (images[untouched] == numbers[untouched, np.newaxis, np.newaxis]).all()

    def test_weights_go_with_the_labels(self):
        """The loss of a mixed image is the sum of both labels' losses, each by its area and its own weight."""
        by_class = np.linspace(0, 3, 10, dtype=np.float32)  # nothing is to be learnt from class 0
        _, numbers, (shares,) = self.mixed()
        _, _, (targets, weights) = self.mixed((by_class[numbers],))
        np.testing.assert_allclose(weights, shares @ by_class, atol=1e-5)
        np.testing.assert_allclose(targets * weights[:, np.newaxis], shares * by_class, atol=1e-5)
        assert np.isfinite(targets).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_edge_moves_in(dtype):
    images = np.full((20, 12, 10, 3), 200 if dtype is np.uint8 else 0.5, dtype)
    nearest = fc.Augmentation(max_shift=4, rotation=30, zoom=0.3, horizontal_flip=False, fill_mode="nearest")
    np.testing.assert_allclose(nearest(images, seed=0), images, rtol=1e-6)
    constant = fc.Augmentation(max_shift=4, rotation=30, zoom=0.3, horizontal_flip=False)
    assert (constant(images, seed=0) == 0).any()
    with pytest.raises(ValueError, match="fill_mode"):
        fc.Augmentation(fill_mode="reflect")


def test_saturation_keeps_brightness_and_grey(garments):
    colours = np.random.default_rng(0).uniform(0.3, 0.7, (50, 6, 6, 3)).astype(np.float32)
    augment = fc.Augmentation(horizontal_flip=False, max_shift=0, saturation=0.4)
    changed = augment(colours, seed=0)
    np.testing.assert_allclose(changed.mean(axis=3), colours.mean(axis=3), atol=1e-6)
    ratio = (changed.std(axis=3) / colours.std(axis=3)).mean(axis=(1, 2))
    assert ratio.min() < 0.75
    assert ratio.max() > 1.25
    np.testing.assert_array_equal(augment(garments[0][:5], seed=0), garments[0][:5, ..., np.newaxis])

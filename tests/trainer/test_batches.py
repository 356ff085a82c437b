"""Training batches."""

import numpy as np
import pytest

import fashionclf as fc
from fashionclf.inputs import LabelledImages
from fashionclf.trainer._batches import BatchChange, BatchSource


def source(garments, *, targets=None, weights=None, seed=0, input_shape=(28, 28, 1), **recipe):
    targets = np.arange(len(garments[0])) if targets is None else targets
    data = LabelledImages(garments[0][..., np.newaxis], targets, weights)
    change = BatchChange(fc.Recipe(**{"batch_size": 64, **recipe}), seed, input_shape)
    return BatchSource(data, lambda labels: labels, change)


def epoch(batches, number):
    batches.epoch = number
    return [batches.batch(step) for step in range(batches.steps_per_epoch)]


def test_every_image_once_an_epoch_in_another_order(garments):
    batches = source(garments)
    first, second = ([int(i) for _, targets in epoch(batches, number) for i in targets] for number in (0, 1))
    assert sorted(first) == sorted(second) == list(range(600))
    assert first != second
    assert [len(targets) for _, targets in epoch(batches, 0)] == [64] * 9 + [24]


def test_images_are_scaled_and_stay_with_their_targets_and_weights(garments):
    images = garments[0][..., np.newaxis]
    weights = np.arange(600, dtype=np.float32)
    batches = source(garments, weights=weights, batch_size=50, input_shape=(784,), seed=1)
    batch, targets, batch_weights = batches.batch(3)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, fc.prepare_images(images[targets]).reshape(-1, 784))
    np.testing.assert_array_equal(batch_weights, targets)


@pytest.mark.parametrize(
    "options", [{}, {"augmentation": fc.Augmentation(erasing=0.5)}, {"cutmix": 0.5, "targets": np.eye(600)}]
)
def test_a_batch_depends_on_seed_epoch_and_step_alone(garments, options):
    forwards, backwards, other = (source(garments, **options, seed=seed) for seed in (3, 3, 4))
    expected = epoch(forwards, 2)
    backwards.epoch = other.epoch = 2
    for step in reversed(range(backwards.steps_per_epoch)):
        for ours, theirs in zip(backwards.batch(step), expected[step], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert (other.batch(0)[0] != expected[0][0]).any()


def test_augmentation_changes_from_epoch_to_epoch_and_never_the_original(garments):
    before = garments[0].copy()
    batches = source(garments, augmentation=fc.Augmentation(), batch_size=600)
    first, second = (dict(zip(targets.tolist(), images, strict=True)) for ((images, targets),) in
                     (epoch(batches, 0), epoch(batches, 1)))  # fmt: skip
    assert any((first[i] != second[i]).any() for i in range(600))
    np.testing.assert_array_equal(garments[0], before)


def test_cutmix_leaves_the_originals_as_they_are(garments):
    images, targets = garments[0].copy(), np.eye(600, dtype=np.float32)
    batches = source(garments, targets=targets, cutmix=1.0)
    mixed = np.concatenate([part for _, part in epoch(batches, 0)])
    assert (mixed.max(axis=1) < 1).sum() > 400
    np.testing.assert_array_equal(garments[0], images)
    np.testing.assert_array_equal(targets, np.eye(600))


def test_a_batch_larger_than_the_set_is_the_set(garments):
    batches = source(garments, batch_size=10_000)
    assert batches.steps_per_epoch == 1
    assert len(batches.batch(0)[1]) == 600


def test_batches_are_not_tuned(garments):
    """The end of an epoch waits for the tuning thread of tf.data, half a minute at times."""
    with source(garments).dataset() as batches:
        assert batches.options().autotune.enabled is False
        assert sum(len(labels) for _, labels in batches) == len(garments[1])

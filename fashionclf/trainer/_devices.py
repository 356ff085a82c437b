"""Models whose variables lie on several devices, by a strategy of `tf.distribute`."""

import contextlib
from typing import Any

import keras

from fashionclf._keras_internals import built_from_one_part


def shared_among_devices(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Let a model that was built in the scope of a strategy train on batches of any length, as long as this lasts."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return contextlib.nullcontext()

    def part_of(batch: Any) -> Any:
        return tuple(strategy.experimental_local_results(each)[0] for each in batch)

    return built_from_one_part(model, part_of)

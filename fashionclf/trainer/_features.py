"""Fits of models with frozen layers: what these compute is computed once, and kept for all epochs."""

import contextlib
import dataclasses
import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf._images import scale_pixels
from fashionclf._keras_internals import all_layers, holds_layers, is_builtin, run_graph, seed_states, takes_training
from fashionclf._types import FloatArray, ImageArray
from fashionclf.inputs import LabelledImages
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._trace import Trace, graph_of
from fashionclf.trainer._compilation import Compilation, is_distributed, state_of
from fashionclf.trainer._fit import FitOptions, FitPlan, Labelled, plan_fit, run_fit
from fashionclf.trainer._step import TracedSteps, last_layer

_BATCH: Final = 64  # images whose features are computed at a time
_IN_MEMORY: Final = 2**31  # bytes of features; more are kept in a temporary file
_FASTER: Final = 10  # learning rate of a new last layer, as a multiple of the recipe's


def fit_in_stages(
    compilation: Compilation,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    options: FitOptions,
    plan: FitPlan,
    traced: TracedSteps,
) -> keras.callbacks.History:
    """Train the last layer alone for `freeze_epochs`, then all that are not frozen for `epochs`.

    Checkpoints, callbacks, early stopping and the resume file are those of the second stage, if there is one. An
    interrupted fit goes on there.
    """
    recipe, model = options.recipe, compilation.model
    history: keras.callbacks.History | None = None
    if recipe.freeze_epochs and not (recipe.epochs and options.saved):
        first, own = _first_stage(options), compilation.copied_to(averaged_over_flips(model) or model)
        with _only_last_layer(own.model):
            data = _flipped_too(training) if recipe.augmentation and recipe.augmentation.horizontal_flip else training
            history = _fit_features(own, input_shape, data, validation, first) or _fit_as_planned(
                own, plan_fit(own, input_shape, data, validation, first)
            )
    if recipe.epochs:
        history = _fit_features(compilation, input_shape, training, validation, options)
        compilation.compile(plan.loss, recipe, plan.total_steps)  # the first stage had its own
        history = history or run_fit(model, plan, traced)
    return history


def _fit_as_planned(compilation: Compilation, plan: FitPlan) -> keras.callbacks.History:
    compilation.compile(plan.loss, plan.options.recipe, plan.total_steps)
    if plan.state is not None:
        plan.state.check(compilation.model)
    return run_fit(compilation.model, plan, TracedSteps())


def _first_stage(options: FitOptions) -> FitOptions:
    recipe = options.recipe
    head = dataclasses.replace(
        recipe,
        epochs=recipe.freeze_epochs,
        freeze_epochs=0,
        learning_rate=None if recipe.learning_rate is None else _FASTER * recipe.learning_rate,
        augmentation=None,
        cutmix=0.0,
        early_stopping=None if recipe.epochs else recipe.early_stopping,
    )
    if not recipe.epochs:
        return dataclasses.replace(options, recipe=head)
    return dataclasses.replace(options, recipe=head, checkpoint=None, state_file=None, saved=None, callbacks=())


def _flipped_too(data: Labelled) -> Labelled:
    """Return arrays with their mirror images. A stream stays as it is."""
    if not isinstance(data, LabelledImages):
        return data
    twice = data.take(np.tile(np.arange(len(data)), 2))
    return dataclasses.replace(twice, images=np.concatenate([data.images, data.images[:, :, ::-1]]))


@contextlib.contextmanager
def _only_last_layer(model: keras.Model) -> Iterator[None]:
    """Freeze all layers but the last, as long as the context lasts."""
    last = last_layer(model)
    if last is None or not last.trainable_weights:
        raise ValueError(
            "`freeze_epochs` trains the last layer alone, but that of `model` is frozen, or `model` is not a graph of "
            "layers. Set `freeze_epochs=0` in the recipe."
        )
    leaves = [layer for layer in all_layers(model) if layer is not last and not holds_layers(layer)]
    before = [layer.trainable for layer in leaves]
    try:
        for layer in leaves:
            layer.trainable = False
        yield
    finally:
        for layer, trainable in zip(leaves, before, strict=True):
            layer.trainable = trainable


def _fit_features(
    compilation: Compilation,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    options: FitOptions,
) -> keras.callbacks.History | None:
    """Train what comes after the frozen layers. None if their features cannot be kept, or need not be.

    They cannot if something random stands before them (augmentation, CutMix, dropout), if the images come as a stream,
    or if callbacks of the caller see the model.
    """
    model, recipe = compilation.model, options.recipe
    if recipe.augmentation or recipe.cutmix or options.callbacks or is_distributed(model) or not compilation.by_trainer:
        return None
    if not isinstance(training, LabelledImages) or not isinstance(validation, LabelledImages | None):
        return None
    after = _after_frozen(model, input_shape)
    if after is None:
        return None
    own = compilation.copied_to(after)
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:

        def kept(data: LabelledImages) -> LabelledImages:
            features = _features(after, data.images, input_shape, Path(folder), options.verbose)
            return dataclasses.replace(data, images=features)

        train_on, validate_on = kept(training), None if validation is None else kept(validation)
        return _fit_as_planned(own, plan_fit(own, after.feature_shape, train_on, validate_on, options))


class AfterFrozen(keras.Model):
    """The part of a model after its frozen layers. It takes features, what the last of these compute.

    Args:
        model: The whole model.
        length: How many of its steps, in the order in which they are computed, give the features.
        feature_shape: The shape of the features of an image.
    """

    def __init__(self, model: keras.Model, length: int, feature_shape: tuple[int, ...]) -> None:
        super().__init__(name=model.name)
        self.whole, self.length, self.feature_shape = model, length, feature_shape

    @override
    def call(self, inputs: Any, training: Any = None) -> Any:
        """Compute probabilities of features."""

        def apply(number: int, operation: Any, *args: Any, **kwargs: Any) -> Any:
            return inputs if number < self.length else _applied(operation, args, kwargs, training)

        return _run(self.whole, inputs, apply)

    def features(self, images: Any) -> Any:
        """Compute the features of images. TensorFlow leaves out what they do not need."""
        steps: list[Any] = []

        def apply(_: int, operation: Any, *args: Any, **kwargs: Any) -> Any:
            steps.append(_applied(operation, args, kwargs, training=False))
            return steps[-1]

        _run(self.whole, images, apply)
        return steps[self.length - 1]


def _run(model: keras.Model, inputs: Any, apply: Any) -> Any:
    """Compute a graph of layers, and graphs in it, with `apply(number, operation, ...)` in place of each operation."""
    numbers = itertools.count()

    def applying(operation: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if graph_of(operation) is not None:
                return through(operation, args[0] if args else kwargs["inputs"])
            return apply(next(numbers), operation, *args, **kwargs)

        return call

    def through(model: Any, inputs: Any) -> Any:
        outputs = run_graph(graph_of(model), inputs, applying, checked=False)
        return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs

    return through(model, inputs)


def _applied(operation: Any, args: Any, kwargs: Any, training: Any) -> Any:
    if takes_training(operation):
        kwargs = {**kwargs, "training": training}
    return operation(*args, **kwargs)


def _after_frozen(model: keras.Model, input_shape: tuple[int, ...]) -> AfterFrozen | None:
    """Split a model after the last step that always gives the same for an image, if that saves anything.

    All later steps must need nothing else of what comes before. Features that take more room than the image are not
    worth keeping.
    """
    if graph_of(model) is None:
        return None
    steps = Trace(model, np.zeros((1, *input_shape), np.float32)).steps
    makers = {id(step.output): number for number, step in enumerate(steps)}
    needs = [[makers.get(id(value), -1) for value in step.inputs] for step in steps]  # -1 is the image
    fixed: list[bool] = []
    found, with_weights = None, False
    for number, step in enumerate(steps):
        fixed.append(_is_fixed(step.operation) and all(each < 0 or fixed[each] for each in needs[number]))
        if not fixed[-1] or step.output is None:
            continue
        with_weights = with_weights or bool(getattr(step.operation, "weights", []))
        later = {each for inputs in needs[number + 1 :] for each in inputs if each <= number}
        shape = tuple(step.output.shape[1:])
        if with_weights and later == {number} and math.prod(shape) <= math.prod(input_shape):
            found = number + 1, shape
    return None if found is None else AfterFrozen(model, *found)


def _is_fixed(operation: Any) -> bool:
    """Tell whether a step gives the same in every epoch: one of Keras's own, frozen and without random numbers."""
    if not isinstance(operation, keras.Layer):
        return is_builtin(operation)
    parts = all_layers(operation)
    return all(is_builtin(part) and not (part.weights and part.trainable) for part in parts) and not seed_states(
        operation
    )


def _features(
    after: AfterFrozen, images: ImageArray, input_shape: tuple[int, ...], folder: Path, verbose: str | int
) -> FloatArray:
    """Compute the features of images once: float32 `(n, *feature_shape)`."""
    shape = (len(images), *after.feature_shape)
    if 4 * math.prod(shape) <= _IN_MEMORY:
        features = np.empty(shape, np.float32)
    else:
        features = np.memmap(folder / str(len(list(folder.iterdir()))), np.float32, "w+", shape=shape)
    signature = tf.TensorSpec((None, *input_shape), tf.float32)
    with state_of(after.whole).computing:
        compute = tf.function(after.features, autograph=False).get_concrete_function(signature)
    progress = keras.utils.Progbar(len(images), verbose=1 if verbose == "auto" else verbose, unit_name="image")
    for start in range(0, len(images), _BATCH):
        batch = scale_pixels(images[start : start + _BATCH]).reshape(-1, *input_shape)
        features[start : start + _BATCH] = compute(tf.convert_to_tensor(batch)).numpy()
        progress.update(min(start + _BATCH, len(images)))
    return features

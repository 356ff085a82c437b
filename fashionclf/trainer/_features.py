"""Fits of models with frozen layers: what these compute is computed once, and kept for all epochs."""

import dataclasses
import itertools
import math
import tempfile
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf._images import scale_pixels
from fashionclf._keras_internals import all_layers, is_builtin, run_graph, seed_states, takes_training
from fashionclf._types import FloatArray, ImageArray
from fashionclf.augmentation import Augmentation
from fashionclf.inputs import LabelledImages
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._trace import Step, Trace, graph_of
from fashionclf.recipe import Recipe
from fashionclf.trainer._compilation import Compilation, make_optimizer, num_devices, state_of
from fashionclf.trainer._fit import FitPlan, Labelled, StopAtDivergence, data_of_fit, run_fit
from fashionclf.trainer._step import TracedSteps

_BATCH: Final = 64  # images whose features are computed at a time
_IN_MEMORY: Final = 2**31  # bytes of features; more are kept in a temporary file
_FASTER: Final = 10  # learning rate of a new last layer, as a multiple of the recipe's


class Part(keras.Model):
    """What is trained of a model: its later steps. The ones before, in the order of computing, give the features.

    Args:
        whole: The model.
        length: Number of steps that give the features. They are computed as for inference.
        shape: Of the features of an image.
        layer: The only layer that is trained; None is all that are not frozen.
    """

    def __init__(
        self, whole: keras.Model, length: int, shape: tuple[int, ...], layer: keras.Layer | None = None
    ) -> None:
        super().__init__(name=whole.name)
        self.whole, self.length, self.shape, self.layer = whole, length, shape, layer
        self.takes_features = True

    @property
    @override
    def trainable_weights(self) -> list[Any]:
        """The weights that are trained."""
        return super().trainable_weights if self.layer is None else list(self.layer.trainable_weights)

    @property
    @override
    def trainable_variables(self) -> list[Any]:
        """The same: Keras asks for either."""
        return self.trainable_weights

    @override
    def call(self, inputs: Any, training: Any = None) -> Any:
        """Compute probabilities, of features or of images."""

        def apply(number: int, operation: Any, *args: Any, **kwargs: Any) -> Any:
            if number < self.length:
                return inputs if self.takes_features else _applied(operation, args, kwargs, training=False)
            return _applied(operation, args, kwargs, training)

        return _run(self.whole, inputs, apply)

    def features(self, images: Any) -> Any:
        """Compute the features of images. TensorFlow leaves out the steps that they do not need."""
        outputs: list[Any] = []

        def apply(_: int, operation: Any, *args: Any, **kwargs: Any) -> Any:
            outputs.append(_applied(operation, args, kwargs, training=False))
            return outputs[-1]

        _run(self.whole, images, apply)
        return outputs[self.length - 1]


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


# -- which steps ----------------------------------------------------------------------------------


def last_layer_of(model: keras.Model, input_shape: tuple[int, ...]) -> Part:
    """Return the part that `freeze_epochs` trains: the last layer with weights, and dropout before it.

    Of a model that `flip_averaged` made, it is that of the model inside.
    """
    model = averaged_over_flips(model) or model
    steps = _steps_of(model, input_shape) or []
    number = max((i for i, step in enumerate(steps) if getattr(step.operation, "weights", [])), default=0)
    needs = _needs(steps)
    cuts = [i for i in range(number) if _is_cut(needs, i) and not seed_states(steps[i].operation)]
    if not cuts or not steps[number].operation.trainable_weights or num_devices(model) > 1:
        raise ValueError(
            "`freeze_epochs` trains the last layer alone. It needs a model that is a graph of layers, with a last "
            "layer that is not frozen, on one device. Set `freeze_epochs=0` in the recipe."
        )
    return Part(model, cuts[-1] + 1, tuple(steps[cuts[-1]].output.shape[1:]), steps[number].operation)


def _after_frozen(model: keras.Model, input_shape: tuple[int, ...]) -> Part | None:
    """Return the part after the last step that always gives the same for an image; None if no frozen layer does."""
    steps = _steps_of(model, input_shape) or []
    needs = _needs(steps)
    fixed: list[bool] = []
    cut, with_weights = None, False
    for number, (step, needed) in enumerate(zip(steps, needs, strict=True)):
        fixed.append(_is_fixed(step.operation) and all(each < 0 or fixed[each] for each in needed))
        with_weights = with_weights or bool(getattr(step.operation, "weights", []))
        if fixed[-1] and with_weights and _is_cut(needs, number):
            cut = number
    return None if cut is None else Part(model, cut + 1, tuple(steps[cut].output.shape[1:]))


def _steps_of(model: keras.Model, input_shape: tuple[int, ...]) -> list[Step] | None:
    """Return the steps of a model. None if it is no graph of layers, or a step gives several tensors."""
    if graph_of(model) is None:
        return None
    steps = Trace(model, np.zeros((1, *input_shape), np.float32)).steps
    return None if any(step.output is None for step in steps) else steps


def _needs(steps: list[Step]) -> list[list[int]]:
    """Return, for each step, the numbers of those that made its inputs; -1 is the image."""
    makers: dict[int, int] = {}
    for number, step in enumerate(steps):
        makers.setdefault(id(step.output), number)  # layers such as `Dropout` may return what they got
    return [[makers.get(id(value), -1) for value in step.inputs] for step in steps]


def _is_cut(needs: list[list[int]], number: int) -> bool:
    """Tell whether later steps need the output of this one, and nothing else of what comes before."""
    return {each for needed in needs[number + 1 :] for each in needed if each <= number} == {number}


def _is_fixed(operation: Any) -> bool:
    """Tell whether a step gives the same in every epoch: one of Keras's own, frozen and without random numbers."""
    if not isinstance(operation, keras.Layer):
        return is_builtin(operation)
    parts = all_layers(operation)
    frozen = all(is_builtin(part) and not (part.weights and part.trainable) for part in parts)
    return frozen and not seed_states(operation) and not isinstance(operation, keras.layers.Lambda)


# -- the stages -----------------------------------------------------------------------------------


def fit_in_stages(
    head: Part | None,
    compilation: Compilation,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    plan: FitPlan,
    traced: TracedSteps,
) -> keras.callbacks.History:
    """Train the last layer alone (`head`), where the recipe has `freeze_epochs`; then all layers that are not frozen.

    Callbacks, checkpoint, early stopping and the resume file are those of the second stage, if it has epochs.
    """
    recipe = plan.options.recipe
    data = compilation, input_shape, training, validation
    if head is not None and not (recipe.epochs and plan.options.saved):
        first = plan if not recipe.epochs else dataclasses.replace(plan, callbacks=[StopAtDivergence()], state=None)
        options = dataclasses.replace(plan.options, recipe=_of_last_layer(plan))
        history = _fit_part(head, *data, dataclasses.replace(first, options=options))
        if not recipe.epochs or not np.isfinite(history.history["loss"][-1]):
            return history
    part = None
    if compilation.by_trainer and not (recipe.augmentation or recipe.cutmix or num_devices(compilation.model) > 1):
        part = _after_frozen(compilation.model, input_shape)
    if part is None or not _can_keep(part, *data[1:], plan):
        return run_fit(compilation.model, plan, traced)
    return _fit_part(part, *data, plan)


def _of_last_layer(plan: FitPlan) -> Recipe:
    """Return the recipe of the first stage."""
    recipe = plan.options.recipe
    flips = recipe.augmentation is not None and recipe.augmentation.horizontal_flip
    return dataclasses.replace(
        recipe,
        epochs=recipe.freeze_epochs,
        freeze_epochs=0,
        learning_rate=None if recipe.learning_rate is None else _FASTER * recipe.learning_rate,
        augmentation=Augmentation(horizontal_flip=True, max_shift=0) if flips else None,
        cutmix=0.0,
    )


def _can_keep(
    part: Part, input_shape: tuple[int, ...], training: Labelled, validation: Labelled | None, plan: FitPlan
) -> bool:
    """Tell whether features of these images can be kept, and are no more numbers than the pixels.

    Callbacks of the caller see the model that is trained, which has to take images then.
    """
    arrays = isinstance(training, LabelledImages) and isinstance(validation, LabelledImages | None)
    return arrays and not plan.options.callbacks and math.prod(part.shape) <= math.prod(input_shape)


def _fit_part(
    part: Part,
    compilation: Compilation,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    plan: FitPlan,
) -> keras.callbacks.History:
    """Train a part of the model, on features if they can be kept, else on images."""
    recipe, verbose = plan.options.recipe, plan.options.verbose
    part.takes_features = _can_keep(part, input_shape, training, validation, plan)
    state_of(part).computing = state_of(compilation.model).computing  # they share layers
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        if part.takes_features:
            flips = recipe.augmentation is not None  # both views in place of a random one
            recipe = dataclasses.replace(recipe, augmentation=None)
            training = _on_features(part, training, input_shape, Path(folder) / "0", verbose, flips=flips)
            if validation is not None:
                validation = _on_features(part, validation, input_shape, Path(folder) / "1", verbose)
            input_shape = part.shape
        options = dataclasses.replace(plan.options, recipe=recipe)
        source, evaluated = data_of_fit(compilation, plan.loss, input_shape, training, validation, options)
        plan = dataclasses.replace(plan, options=options, source=source, validation=evaluated)
        optimizer = make_optimizer(recipe, plan.total_steps) if part.layer else compilation.model.optimizer
        part.compile(optimizer=optimizer, loss=plan.loss, metrics=compilation.new_metrics() or None)
        if plan.state is not None:
            plan.state.check(part)
        history = run_fit(part, plan, TracedSteps())
    history.set_model(compilation.model)
    return history


def _on_features(
    part: Part, data: Any, input_shape: tuple[int, ...], file: Path, verbose: int, *, flips: bool = False
) -> LabelledImages:
    """Return data with features in place of its images; with `flips`, those of the mirrored images follow."""
    views = [data.images, data.images[:, :, ::-1]] if flips else [data.images]
    features = _features(part, views, input_shape, file, verbose)
    weights = None if data.weights is None else np.concatenate([data.weights] * len(views))
    return LabelledImages(features, np.concatenate([data.labels] * len(views)), weights)


def _features(
    part: Part, views: list[ImageArray], input_shape: tuple[int, ...], file: Path, verbose: int
) -> FloatArray:
    """Compute the features of images once, float32; many are written to a file."""
    signature = tf.TensorSpec((None, *input_shape), tf.float32)
    with state_of(part).computing:
        compute = tf.function(part.features, autograph=False).get_concrete_function(signature)
    count = sum(map(len, views))
    shape = (count, *part.shape)
    in_memory = 4 * math.prod(shape) <= _IN_MEMORY
    features = np.empty(shape if in_memory else 0, np.float32)
    progress = keras.utils.Progbar(count, verbose=int(verbose == 1), unit_name="image")
    done = 0
    with file.open("wb") as stream:
        for images in views:
            for start in range(0, len(images), _BATCH):
                pixels = scale_pixels(images[start : start + _BATCH]).reshape(-1, *input_shape)
                batch = compute(tf.convert_to_tensor(pixels)).numpy()
                if in_memory:
                    features[done : done + len(batch)] = batch
                else:
                    stream.write(batch.tobytes())
                done += len(batch)
                progress.update(done)
    return features if in_memory else np.memmap(file, np.float32, "r", shape=shape)

"""Trainer: fit, evaluate, predict, save and load a classifier of garments."""

import dataclasses
import functools
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import keras
import tensorflow as tf
from typing_extensions import Buffer, override

from fashionclf._converter import ImageConverter
from fashionclf._html import table
from fashionclf._keras_internals import all_layers
from fashionclf._text import shown
from fashionclf._types import (
    ClassNames,
    FloatArray,
    ImageArray,
    ImageShape,
    LabelledLike,
    LabelsLike,
    PathLike,
    Precision,
    PredictLike,
    PresetName,
)
from fashionclf._validation import (
    check_choice,
    check_count,
    check_new_file,
    check_number,
    check_path,
    check_process,
    check_seed,
    is_forked,
)
from fashionclf._version import __version__
from fashionclf._warnings import ignored
from fashionclf.augmentation import Augmentation
from fashionclf.datasets import Split
from fashionclf.inputs import (
    LabelledImages,
    class_names_in,
    classify,
    classify_batches,
    collect_labelled,
    read_labelled,
)
from fashionclf.labels import CLASS_NAMES, LabelNames, check_class_names
from fashionclf.photographs._many import OnError, check_on_error
from fashionclf.predictions import Predictions
from fashionclf.presets import get_preset
from fashionclf.recipe import PRECISIONS, Recipe
from fashionclf.report import EvaluationReport, evaluate_predictions
from fashionclf.serving import ExportReport, FrozenPredictor
from fashionclf.serving._convert import Source
from fashionclf.serving._export import check_request, export_classifier, freeze
from fashionclf.serving._metadata import Metadata
from fashionclf.serving._report import ExportFormat, Quantization
from fashionclf.trainer._batches import EVALUATION_BATCH, evaluate_model, evaluation_data, labels_and_probabilities
from fashionclf.trainer._compilation import Compilation, choose_optimizer, fitting_of, state_of
from fashionclf.trainer._features import fit_in_stages, last_layer_of
from fashionclf.trainer._file import (
    SUFFIX,
    check_readable,
    classifier_content,
    loading_error,
    read_classifier,
    read_content,
    write_classifier,
)
from fashionclf.trainer._fit import Labelled, check_options, plan_fit, run_fit, training_and_validation
from fashionclf.trainer._model import check_model, image_shape_of, preset_model
from fashionclf.trainer._predictor import CompiledPredictor
from fashionclf.trainer._step import TracedSteps


class _Unusable:
    """Stands for a Trainer that was unpickled in a forked process. Using it raises the error that says why."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):  # which Python itself looks up
            check_process()
        raise AttributeError(name)


class Trainer:
    """Fit, evaluate, predict, save and load a classifier.

    A Trainer can be pickled and copied. The copy has a model of its own and keeps what `save` keeps; attributes that
    you add are not kept. Layers, losses, metrics and optimizers of your own go into a pickle by the name of their
    class or function, so their module must be importable where it is read. Other functions of your own, such as an
    activation, need `@keras.saving.register_keras_serializable()`. As with `save`, a model that
    could not be read back is refused. In a process that was forked after TensorFlow was used, an unpickled Trainer
    raises a RuntimeError when it is used.

    Args:
        model: Any float32 `keras.Model` with one input of images `(height, width, channels)` with 1 or 3 channels,
            `(height, width)`, or rows of pixels, in [0, 1]; and one output of probabilities: softmax, or one sigmoid
            unit for two classes. It is called once, which builds it if necessary. A model that is already compiled
            keeps its compilation.
        class_names: One name per class. None takes those of the `Split` it is fitted on, else those of
            its preset, else Fashion-MNIST's ten if the model has ten classes. The labels of a `Split` are matched with
            them by name.
        optimizer: Name or instance of a Keras optimizer. None is that of the recipe (Adam by default).
        loss: Name or instance of a Keras loss, a function, or `"auto"`, which reads the output layer and the
            labels: one sigmoid unit → binary, integers → sparse categorical, one-hot → categorical
            cross-entropy.
        metrics: Names or instances of Keras metrics.
        recipe: How to train; see `Recipe`. Arguments of `fit` take precedence.
        image_converter: How photographs are read; see `fashionclf.photographs.ImageConverter`. None takes that of the
            `Split` it is fitted on, else the one for the model's image shape. It also tells the image shape where the
            model does not: if it takes rows of pixels, or has not been built.

    Raises:
        ValueError: If the model does not fit, a name is unknown or a count wrong, or a compiled model is given
            with an optimizer, loss, metric or recipe of its own.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0), optimizer="sgd")
        >>> trainer
        <Trainer dense_model: 7,850 parameters, 10 classes>
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        class_names: ClassNames | None = None,
        optimizer: str | keras.optimizers.Optimizer | None = None,
        loss: Any = "auto",
        metrics: Iterable[Any] = ("accuracy",),
        recipe: Recipe | None = None,
        image_converter: ImageConverter | None = None,
    ) -> None:
        _check_backend()
        check_process()
        self._input_shape, self._units, self._image_converter = _shapes(model, image_converter)
        self._converter_given = image_converter is not None
        if recipe is not None and not isinstance(recipe, Recipe):
            raise TypeError(f"`recipe` must be a Recipe. Received: {shown(recipe)}")
        self._recipe, own_optimizer = choose_optimizer(recipe or Recipe(), optimizer)
        self._recipe_given = recipe is not None or optimizer is not None
        self._compilation = Compilation(
            model, self._units, optimizer=own_optimizer, loss=loss, metrics=() if metrics is None else metrics
        )
        self._model = model
        self._check_compilation()
        self._label_names = LabelNames(
            given=None if class_names is None else check_class_names(class_names, self.num_classes),
            default=CLASS_NAMES if self.num_classes == len(CLASS_NAMES) else None,
        )
        self._unfamiliarity_threshold: float | None = None
        self._locks = state_of(model)
        self._traced = TracedSteps()
        self._predictor = CompiledPredictor(model, self._input_shape, self._locks.computing)

    def _check_compilation(self) -> None:
        if not self._compilation.by_trainer and (self._recipe_given or not self._compilation.is_default):
            raise ValueError(
                "`model` is compiled already and keeps its compilation: leave out `optimizer`, `loss`, `metrics` "
                "and `recipe`, or pass a model that is not compiled."
            )

    @classmethod
    def from_preset(
        cls,
        name: PresetName,
        *,
        pretrained: bool | Literal["features"] = False,
        class_names: ClassNames | None = None,
        seed: int | None = None,
    ) -> Self:
        """Build one of the systems in `list_presets()`, with its recipe and class names.

        Args:
            name: Of the preset.
            pretrained: Load the weights that this project trained, for the presets in
                `list_presets(pretrained=True)`; `get_preset(name).pretrained` describes them. Their checksum is
                verified. To train them further, first set `trainer.recipe` to your own: the preset's recipe starts
                with a high learning rate. `"features"` loads those of all layers but the last. The last is new, for
                classes of your own.
            class_names: Names in place of the preset's. With `pretrained=True`, they rename its classes. Otherwise
                there may be any number of classes.
            seed: Seed of the initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.

        Raises:
            ValueError: If there is no such preset, it has no trained weights, its weights are damaged, the names do not
                fit, or they are missing for new classes.
            FileNotFoundError: If the file of weights is missing from the installation.

        Example:
            >>> import fashionclf as fc
            >>> fc.Trainer.from_preset("softmax", seed=0)
            <Trainer softmax: 7,850 parameters, 10 classes>
            >>> fc.Trainer.from_preset("cnn_fast", pretrained="features", class_names=["Hat", "Shorts", "Skirt"])
            <Trainer cnn_fast: 421,795 parameters, 3 classes>
        """
        preset = get_preset(name)
        model, names = preset_model(preset, pretrained, class_names, check_seed(seed))
        trainer = cls(model, recipe=preset.recipe)
        trainer._label_names = names
        if names.learnt is not None and preset.pretrained is not None:
            trainer._unfamiliarity_threshold = preset.pretrained.unfamiliarity_threshold
        return trainer

    @property
    def model(self) -> keras.Model:
        """The model, always in float32. It cannot be exchanged: build another Trainer."""
        return self._model

    @property
    def image_shape(self) -> ImageShape:
        """`(height, width, channels)` of the images that the model takes, with 1 channel (grey) or 3 (colour)."""
        return self._image_converter.image_shape

    @property
    def image_converter(self) -> ImageConverter:
        """How photographs are read: as those of the `Split` that it was fitted on."""
        return self._image_converter

    @property
    def num_classes(self) -> int:
        """Number of classes, at least 2."""
        return max(2, self._units)

    @property
    def recipe(self) -> Recipe:
        """How to train. Setting it replaces an optimizer that was named; one that was given as an instance stays."""
        return self._recipe

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        if not isinstance(recipe, Recipe):
            raise TypeError(f"`recipe` must be a Recipe. Received: {shown(recipe)}")
        choose_optimizer(recipe, self._compilation.own_optimizer)
        self._recipe, self._recipe_given = recipe, True

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """One name per class, in label order; None as long as nothing tells them. Setting it renames the classes."""
        return self._label_names.shown

    @class_names.setter
    def class_names(self, names: ClassNames) -> None:
        self._label_names = dataclasses.replace(self._label_names, given=check_class_names(names, self.num_classes))

    @property
    def unfamiliarity_threshold(self) -> float | None:
        """The `unfamiliarity` above which a photograph is doubtful, from 0 to 1; None warns of none.

        Pretrained weights that were measured on photographs bring theirs. `fit` and `calibrate` change probabilities,
        and reset it to None. To set it so that 95 % of your own validation images pass:

            trainer.unfamiliarity_threshold = np.quantile(trainer.predict(x_val).unfamiliarity, 0.95)
        """
        return self._unfamiliarity_threshold

    @unfamiliarity_threshold.setter
    def unfamiliarity_threshold(self, threshold: float | None) -> None:
        checked = None if threshold is None else check_number(threshold, "unfamiliarity_threshold", low=0, high=1)
        self._unfamiliarity_threshold = checked

    # -- training ---------------------------------------------------------------------------------

    def fit(
        self,
        x: LabelledLike | Split,
        y: LabelsLike | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_data: Any = None,
        validation_split: float | None = None,
        early_stopping: int | bool | None = None,
        checkpoint: PathLike | None = None,
        callbacks: Iterable[keras.callbacks.Callback] = (),
        augment: Augmentation | bool | None = None,
        class_weight: Any = None,
        sample_weight: Any = None,
        seed: int | None = None,
        resume: PathLike | None = None,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Train the model. Options that are left out come from the recipe.

        Fitting again continues from the current weights, with a new learning-rate schedule.

        A recipe with `freeze_epochs` trains the last layer alone first. Then the callbacks, the checkpoint, early
        stopping, `resume` and the history are those of the epochs after it; with `epochs=0` there are none, and they
        are those of the last layer. What frozen layers give is computed once and kept for all epochs, in memory up to 2
        GiB, beyond that in a temporary file. It is computed in each step instead if images are changed at random before
        them, come as a stream, or are seen by callbacks of yours; or if it is more numbers than an image has pixels.

        Args:
            x: Images or photographs in any form that `predict` takes. Some bring their labels, and then there is no
                `y`: a `Split`, a tuple `(x, y)` or `(x, y, sample_weight)`, rows `{"image": ..., "label": ...}`, a data
                set of Hugging Face or torch. Or a `tf.data.Dataset`, a `keras.utils.PyDataset` or a `DataLoader` of
                torch with such tuples: it is read batch by batch and keeps its own order, so shuffle it yourself. A
                `tf.data.Dataset` that does not know its length is first read once to count its batches.
            y: Labels: integers `(n,)` from 0, class names, or one-hot (or soft) rows `(n, num_classes)`.
            epochs: Number of passes over the training images. 0 trains the last layer alone, by a recipe with
                `freeze_epochs`.
            batch_size: Images per step. A stream of batches has its own.
            validation_data: `(x, y)`, `(x, y, sample_weight)`, a `Split` or a stream, evaluated after every epoch.
            validation_split: Share, from 0 up to 1, of the images to hold out for validation instead, stratified and
                shuffled, and without a group of a `Split` in both parts. 0 turns a recipe's off.
            early_stopping: Stop after this many epochs without a better validation loss, and restore the best
                weights. False turns a recipe's off.
            checkpoint: `.keras` file to save the classifier to after every epoch with the best validation loss so far.
            callbacks: Keras callbacks. Those that set the learning rate (`ReduceLROnPlateau`, `LearningRateScheduler`)
                need a recipe with `schedule="constant"`; the next fit starts at the recipe's rate again.
            augment: An `Augmentation`; True for the recipe's (or the default one), False for none.
            class_weight: Weight by label or class name, 1 for those left out, or `"balanced"`.
            sample_weight: `(n,)`, one weight of at least 0 per training image.
            seed: Of the validation split, shuffling, augmentation and dropout, from 0 to 2**32 - 1. The same seed
                gives the same weights bit for bit on one machine with the same versions. None draws fresh entropy.
            resume: File (`.npz`) for the state of the fit, written after every epoch and removed at the end. If it
                exists, the interrupted fit continues from there and gives the same result as without the interruption.
                Pass the same arguments and a model of the same structure; its weights are replaced. The state of your
                own `callbacks` is not kept. The pixels of a stream are not compared; the result is the same if it gives
                the same batches in every pass.
            verbose: 0 (silent), 1 (progress bar), 2 (a line per epoch), or `"auto"`: a progress bar on a terminal or in
                a notebook, else a line per epoch.

        Returns:
            Keras's `History`: `.history` has a list per metric, a value per epoch.

        Raises:
            ValueError: If values are out of range, lengths differ, early stopping or a checkpoint is asked for
                without validation data, a callback sets a learning rate that follows a schedule, `freeze_epochs` finds
                no last layer to train, or a stream cannot do what is asked for: `validation_split`, `sample_weight` and
                `class_weight="balanced"` need arrays.
            FileNotFoundError: If the folder of a file to write does not exist.
            OSError: If `checkpoint` or `resume` cannot be written, as on a full disk. The older file stays, and the
                Trainer keeps its current weights.
            RuntimeError: If the model is being fitted already, in another thread or by a callback, or this process was
                forked from one that used TensorFlow.

        Warns:
            DoubtfulImageWarning: If all images are nearly black, as masks of zeros and ones are, or most look like
                negatives. A `Split` is examined when it is made, a stream by its first batch.
            RuntimeWarning: If the loss becomes NaN or infinite; training stops then.

        Example:
            >>> import fashionclf as fc
            >>> test = fc.load_data("synthetic").test
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> history = trainer.fit(test[:100], epochs=2, seed=0, verbose=0)
            >>> sorted(history.history)
            ['accuracy', 'loss']
        """
        check_process()
        self._check_compilation()
        if checkpoint is not None:
            self._check_readable()
        if validation_data is not None and validation_split:
            raise ValueError("Pass `validation_data` or `validation_split`, not both.")
        options = check_options(
            self.recipe,
            self._write,
            epochs=epochs,
            batch_size=batch_size,
            validation_split=validation_split,
            early_stopping=early_stopping,
            augment=augment,
            checkpoint=checkpoint,
            callbacks=callbacks,
            seed=seed,
            resume=resume,
            verbose=verbose,
        )
        names = self._label_names.after_fit(class_names_in(x), self.num_classes)
        converter = self._converter_after(x)
        read = self._reader(names, converter)
        data = read(x, y, sample_weight, batch_size=options.recipe.batch_size)
        training, validation = training_and_validation(data, validation_data, options, read)
        training = training.with_class_weight(class_weight, names.shown, self.num_classes)
        plan = plan_fit(self._compilation, self._input_shape, training, validation, options)
        head = last_layer_of(self.model, self._input_shape) if options.recipe.freeze_epochs else None
        # One more check needs the compiled model. Only after it does the Trainer change.
        with fitting_of(self.model):
            self._compilation.compile(plan.loss, options.recipe, plan.total_steps)
            if plan.state is not None and options.recipe.epochs:
                plan.state.check(self.model)
            self._label_names = names
            self._unfamiliarity_threshold = None  # it was that of the weights before
            self._image_converter, self._converter_given = converter, True
            with self._compilation.learning_rate_kept():
                if head is None and all(layer.trainable for layer in all_layers(self.model)):
                    return run_fit(self.model, plan, self._traced)
                return fit_in_stages(
                    head, self._compilation, self._input_shape, training, validation, plan, self._traced
                )

    def _converter_after(self, x: Any) -> ImageConverter:
        """Return how photographs are read after fitting on `x`: the first `Split` of photographs decides."""
        theirs = x.image_converter if isinstance(x, Split) else None
        undecided = theirs is not None and not self._converter_given and theirs.image_shape == self.image_shape
        return theirs if undecided and theirs is not None else self._image_converter

    # -- evaluating and predicting ------------------------------------------------------------------------

    def evaluate(
        self,
        x: LabelledLike | Split,
        y: LabelsLike | None = None,
        *,
        batch_size: int = EVALUATION_BATCH,
        sample_weight: Any = None,
    ) -> dict[str, float]:
        """Return the loss and the metrics on labelled images.

        Args:
            x: Images or photographs with or without their labels, or a stream, as `fit`.
            y: Labels, as `fit`.
            batch_size: Images per step.
            sample_weight: `(n,)`, one weight of at least 0 per image, for the loss. As in Keras, metrics do not use
                them.

        Returns:
            A dictionary such as `{"loss": 0.23, "accuracy": 0.918}`.

        Raises:
            ValueError: If values are out of range or lengths differ.

        Warns:
            DoubtfulImageWarning: As `fit`.

        Example:
            >>> import fashionclf as fc
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> sorted(trainer.evaluate(fc.load_data("synthetic").test[:100]))
            ['accuracy', 'loss']
        """
        check_process()
        self._check_compilation()
        batch_size = check_count(batch_size, "batch_size")
        data = self._reader(self._label_names, self._image_converter)(x, y, sample_weight, batch_size=batch_size)
        loss = self._compilation.evaluation_loss(data.labels, self.recipe)
        with evaluation_data(data, self._compilation, loss, self._input_shape) as given, self._locks.computing:
            return evaluate_model(self._compilation.evaluated(loss), given, batch_size)

    def _reader(self, names: LabelNames, converter: ImageConverter) -> Callable[..., Labelled]:
        """Return what checks images, labels and weights; labels that are names are matched with `names`."""
        return functools.partial(
            read_labelled, converter=converter, num_classes=self.num_classes, known_names=names.known
        )

    def _labelled(self, x: LabelledLike | Split, y: LabelsLike | None) -> LabelledImages:
        """Check images and labels; a stream of them is read into memory."""
        return collect_labelled(
            x, y, converter=self._image_converter, num_classes=self.num_classes, known_names=self._label_names.known
        )

    def report(
        self, x: LabelledLike | Split, y: LabelsLike | None = None, *, batch_size: int = EVALUATION_BATCH
    ) -> EvaluationReport:
        """Return the metrics on labelled images: overall, by class, the most frequent mistakes, and calibration.

        Args:
            x: Images or photographs with or without their labels, or a stream, as `fit`.
            y: Labels, as `fit`.
            batch_size: Images computed at a time; bounds the memory used.

        Returns:
            An `EvaluationReport`; print it.

        Raises:
            ValueError: As `evaluate`, or if the class names are unknown.

        Example:
            >>> import fashionclf as fc
            >>> images, labels = fc.load_data("synthetic").test
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> trainer.report(images[:4], [3, 3, 9, 9]).support
            array([0, 0, 0, 2, 0, 0, 0, 0, 0, 2])
        """
        names, batch_size = self._known_names(), check_count(batch_size, "batch_size")
        data = self._reader(self._label_names, self._image_converter)(x, y, None, batch_size=batch_size)
        compute = functools.partial(self._predictor, batch_size=batch_size)
        labels, probabilities = labels_and_probabilities(data, compute)
        return evaluate_predictions(labels, Predictions(probabilities, names, sources=data.files))

    def predict(
        self,
        x: PredictLike | Split,
        *,
        batch_size: int = EVALUATION_BATCH,
        precision: Precision = "float32",
        on_error: OnError = "raise",
    ) -> Predictions:
        """Return class names with probabilities.

        Args:
            x: Images in any form that `prepare_images` takes, a single image gives one prediction. Or photographs, read
                as `load_image` does: the path of a file or of a folder of them, a PIL image or open file, an array
                `(h, w, 3)` or `(h, w, 4)` of colours, or a list or iterator of these, such as `Path.glob`. Or rows
                `{"image": ...}`, or a data set of them (Hugging Face, torch). Or a stream of images or batches of them:
                a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of torch or an iterator. Of tuples
                `(images, labels)` it takes the images. Only probabilities are kept: `predict_batches` does not even
                keep those.
            batch_size: Images computed at a time; bounds the memory used.
            precision: `"float32"`; `"bfloat16"` computes many images about twice as fast on processors with hardware
                for it, and gives probabilities that differ in the second or third digit; `"auto"` is bfloat16 on such
                processors and on GPUs, else float32. Layers and models of your own always compute in float32.
            on_error: `"raise"` raises an error if photographs cannot be read, which names all of them; `"skip"` leaves
                them out, with one warning: `Predictions.sources` names those that were read.

        Returns:
            `Predictions`, a sequence of one `Prediction` per image. Those of a folder come in natural order.

        Raises:
            ValueError: If the images are not right, a file is not an image or damaged, the class names are
                unknown, or the weights diverged in training and give NaN.
            FileNotFoundError: If there is no such file.
            OSError: If the system cannot read a file or folder: a `PermissionError` if it may not.
            ImportError: If a photograph is to be read and pillow or OpenCV is missing.
            RuntimeError: If this process was forked from one that used TensorFlow; `compile_predictor` works there.

        Warns:
            DoubtfulImageWarning: If images may be misread: a photograph that does not clearly show one garment, an
                array that is blank, nearly black or a negative, a photograph of what is unlike all classes (if the
                Trainer has an `unfamiliarity_threshold`). `Prediction.doubts` says why.
            UnreadableImageWarning: If photographs are skipped.

        Example:
            >>> import fashionclf as fc
            >>> images, labels = fc.load_data("synthetic").test
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> trainer.predict(images[:2])
            <Predictions for 2 images, 10 classes>
        """
        names, compute = self._label_names.shown or self._known_names(), self._computing(batch_size, precision)
        found = classify(
            x,
            compute,
            self._image_converter,
            threshold=self._unfamiliarity_threshold,
            on_error=on_error,
            batch_size=batch_size,
        )
        return Predictions._of_model(names, *found)

    def predict_batches(
        self,
        x: PredictLike | Split,
        *,
        batch_size: int = EVALUATION_BATCH,
        precision: Precision = "float32",
        on_error: OnError = "raise",
    ) -> Iterator[Predictions]:
        """Return class names with probabilities batch by batch, in constant memory for any number of images.

        Args:
            x: Images, photographs or a stream of them, as `predict`; also a folder or list of millions of files.
            batch_size: Images per batch. The batches of a stream stay as they are.
            precision: As `predict`.
            on_error: As `predict`, for the photographs of each batch. A batch of which all are skipped is left out.

        Returns:
            An iterator of `Predictions`, each for the next images of `x`, which is read as the iterator advances.

        Raises:
            ValueError: As `predict`, with its other errors; of images and files, when their batch is reached.

        Warns:
            DoubtfulImageWarning: Of the first batch with images that may be misread. `Predictions.doubts` has all.
            UnreadableImageWarning: If photographs are skipped, for each batch.

        Example:
            >>> import fashionclf as fc
            >>> images, labels = fc.load_data("synthetic").test
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> for predictions in trainer.predict_batches(iter(images[:500])):
            ...     predictions
            <Predictions for 256 images, 10 classes>
            <Predictions for 244 images, 10 classes>
        """
        names, compute = self._known_names(), self._computing(batch_size, precision)
        check_on_error(on_error)
        parts = classify_batches(
            x,
            compute,
            self._image_converter,
            threshold=self._unfamiliarity_threshold,
            on_error=on_error,
            batch_size=batch_size,
        )
        return (Predictions._of_model(names, *part) for part in parts)

    def predict_proba(
        self, x: PredictLike | Split, *, batch_size: int = EVALUATION_BATCH, precision: Precision = "float32"
    ) -> FloatArray:
        """Return probabilities alone, as scikit-learn's classifiers do.

        Args:
            x: Images or photographs, as `predict`.
            batch_size: Images computed at a time; bounds the memory used.
            precision: As `predict`.

        Returns:
            A float32 array `(n, num_classes)` in [0, 1], each row summing to 1.

        Raises:
            ValueError: As `predict`, which documents the other errors too; but the class names need not be known.
        """
        compute, threshold = self._computing(batch_size, precision), self._unfamiliarity_threshold
        return classify(x, compute, self._image_converter, threshold=threshold, batch_size=batch_size).probabilities

    def _computing(self, batch_size: Any, precision: Any) -> Callable[[ImageArray], FloatArray]:
        """Return what computes the probabilities of checked images."""
        if type(batch_size) is not int or batch_size < 1:
            batch_size = check_count(batch_size, "batch_size")
        if precision != "float32":
            check_choice(precision, "precision", PRECISIONS)
        return functools.partial(self._predictor, batch_size=batch_size, precision=precision)

    def compile_predictor(self) -> FrozenPredictor:
        """Freeze the classifier as it is now into a predictor for inference on one image at a time.

        For a single image it is several times faster than `predict`. For many images at once `predict` is faster.
        Needs LiteRT: `pip install "fashionclf[litert]"`. `export` writes such a predictor to a file, also in 8 bits.

        Returns:
            A `FrozenPredictor` with `predict` and `predict_proba`.

        Raises:
            ImportError: If LiteRT is missing.
            ValueError: If the class names are unknown, or LiteRT lacks an operation of the model.
            OSError: If the converter's temporary files cannot be written.

        Example:
            >>> import fashionclf as fc
            >>> images, labels = fc.load_data("synthetic").test
            >>> predictor = fc.Trainer(fc.dense_model(units=(), seed=0)).compile_predictor()
            >>> len(predictor.predict(images[0]))
            1
        """
        with self._locks.computing:
            return freeze(self._source())

    def export(
        self,
        path: PathLike,
        format: ExportFormat = "litert",  # noqa: A002  # Keras's name for it
        *,
        quantize: Quantization | None = None,
        images: PredictLike | Split | None = None,
    ) -> ExportReport:
        """Write the classifier for another runtime. `load_exported` reads it, without TensorFlow for the first two.

        The exported model takes pixels, uint8 `(n, height, width)` from 0 to 255 (in colour with 3 channels), and gives
        probabilities `(n, num_classes)`, float32 (two columns for one sigmoid unit). It carries class names,
        `unfamiliarity_threshold` and versions.

        | format | written | needs | `labels.txt`, `fashionclf.json` and a checksum are |
        |---|---|---|---|
        | `"litert"` | a `.tflite` file | `fashionclf[litert]` | appended as a zip archive |
        | `"onnx"` | a `.onnx` file | `fashionclf[onnx]` | its metadata |
        | `"saved_model"` | a folder | TensorFlow | in its folder `assets.extra/` |

        What was written is loaded and run on its own runtime before it is put in place. If it does not agree with
        `predict_proba` on 1,000 synthetic images and on `images`, it is not kept. It agrees if at least so many images
        get the same class, and probabilities differ by at most so much:

        | quantize | the same class | difference |
        |---|---|---|
        | None: float32 | 100 % | 0.0001 |
        | `"float16"`: weights take half the bytes | 99.5 % | 0.02 |
        | `"int8"`: a quarter of the bytes, and computes in 8 bits | 97 % | 0.02 on average over images |
        | `"int8"` on the synthetic images, which may be unlike yours | 90 % | 0.05 on average (28x28x1), else 0.1 |

        Classes count as the same if the Trainer's probabilities of the two differ by no more than that.

        Args:
            path: A file ending in `.tflite` or `.onnx`, which is replaced in one step; or a folder that does not exist.
            format: `"litert"`, `"onnx"` or `"saved_model"`.
            quantize: None, `"float16"` or `"int8"`; a SavedModel takes None only.
            images: Images like those to be classified, which are compared too (the first 10,000; fewer than 1,000 are
                filled up with moved and flipped copies). `"int8"` needs them: on 300 of them ranges of values are
                measured, and the others are compared.

        Returns:
            An `ExportReport`: size, speed, and how well it agrees. Print it.

        Raises:
            ValueError: If the path does not fit the format, an argument is unknown, `"int8"` has no images, the format
                lacks an operation of the model, the class names are unknown, or the exported model does not agree.
            FileNotFoundError: If the folder to write to does not exist.
            FileExistsError: If a SavedModel's folder exists already.
            OSError: If it cannot be written, with the path and, on a full disk, the free space. An older file stays.
            ImportError: If the converter or the runtime is missing.

        Warns:
            DoubtfulImageWarning: If images are blank, nearly black or negatives, which make measurement and comparison
                meaningless.

        Example:
            >>> import fashionclf as fc, tempfile
            >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     report = trainer.export(folder + "/softmax.tflite")
            >>> report.equal_labels, report.num_images
            (1.0, 1000)
        """
        request = check_request(path, format, quantize, images, self._image_converter)
        with self._locks.computing:
            return export_classifier(self._source(), request)

    def _source(self) -> Source:
        """Return what is exported."""
        metadata = Metadata(
            class_names=self._known_names(),
            unfamiliarity_threshold=self._unfamiliarity_threshold,
            image_converter=self._image_converter,
            versions=_versions(),
        )
        return Source(self.model, self._input_shape, metadata, self._computing(EVALUATION_BATCH, "float32"))

    def _known_names(self) -> tuple[str, ...]:
        names = self.class_names
        if names is None:
            raise ValueError(
                f"The class names are not known: set `trainer.class_names` to {self.num_classes} names, build or load "
                "the Trainer with `class_names=[...]`, or fit it on a Split that has them. `predict_proba` needs none."
            )
        return names

    def summary(self) -> None:
        """Print the layers with their output shapes and numbers of parameters."""
        self.model.summary()

    # -- keeping ----------------------------------------------------------------------------------

    def save(self, path: PathLike) -> None:
        """Write the classifier to one `.keras` file, in float32, replacing an older one in one step.

        Plain `keras.models.load_model` opens it without fashionclf, and it then computes what `predict_proba`
        does (for a single sigmoid unit: the second column). Class names, recipe and versions are stored in an extra
        member of the file. To train it further in plain Keras, compile it again: a learning-rate schedule is at its
        end.

        Args:
            path: A file name ending in `.keras`, in a folder that exists.

        Raises:
            ValueError: If the name does not end in `.keras` or is a folder's, or the file could not be read back: the
                model has a `Lambda` layer or a lambda function, which Keras's safe mode does not load, or a custom
                layer, loss or metric that Keras cannot build again. The message has the lines to add to the class.
            FileNotFoundError: If the folder does not exist.
            OSError: If the file cannot be written, as on a full disk. An older file stays.
            TypeError: If the path is not a string or `os.PathLike`.
        """
        file = check_new_file(path, "path", SUFFIX)
        self._check_readable()
        self._write(file)

    def _write(self, file: Path) -> None:
        with self._locks.computing:
            write_classifier(self.model, file, self._metadata())

    def _check_readable(self, *, all_known: bool = False) -> dict[str, Any]:
        """Prove that a file could be read back; return the caller's own classes and functions."""
        with self._locks.computing, ignored(UserWarning):  # `load` gives them again
            return check_readable(self.model, self._input_shape, self._compilation, all_known=all_known)

    def _metadata(self) -> dict[str, Any]:
        """Return what a file keeps beside the model, in JSON's types."""
        return {
            "class_names": self._label_names.to_dict(),
            "unfamiliarity_threshold": self.unfamiliarity_threshold,
            "image_converter": self._image_converter.to_dict(),
            "image_converter_given": self._converter_given,
            "recipe": self.recipe.to_dict(),
            "compilation": {**self._compilation.to_dict(), "current": self._compilation.is_current},
            "versions": _versions(),
        }

    @classmethod
    def load(
        cls,
        path: PathLike,
        *,
        class_names: ClassNames | None = None,
        custom_objects: Mapping[str, Any] | None = None,
    ) -> Self:
        """Read a classifier that `save` wrote, or a plain `.keras` file.

        The file may come from anyone. No code in it runs. Every part is limited in size, and its checksum is compared.

        Args:
            path: A `.keras` file.
            class_names: Replace the saved ones; needed for a file that plain Keras wrote.
            custom_objects: Classes and functions by name, for a model with layers, losses or metrics of your own.

        Returns:
            A Trainer that gives the same predictions as the saved one and can be trained further.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, of a newer format, not a classifier, or has no class names; or needs
                `custom_objects`, which the message names. For files of Keras 2 (`.h5`) it has the way to open them.
            RuntimeError: If this process was forked from one that used TensorFlow.
        """
        check_process()
        if custom_objects is not None and not isinstance(custom_objects, Mapping):
            raise TypeError(
                "`custom_objects` must be a dictionary from names to classes and functions. Received: "
                f"{shown(custom_objects)}"
            )
        model, metadata = read_classifier(check_path(path, "path"), custom_objects)
        if metadata is None:
            if class_names is None:
                raise ValueError(
                    f"{str(path)!r} was written by plain Keras and has no class names: pass `class_names`."
                )
            trainer = cls(model, class_names=class_names)
            trainer._label_names = trainer._label_names.after_fit(None, trainer.num_classes)
            return trainer
        try:
            trainer = cls._restored(model, metadata, custom_objects)
        except Exception as error:  # a damaged member may hold anything
            raise loading_error(error, repr(str(path))) from error
        if class_names is not None:
            trainer.class_names = class_names
        return trainer

    @classmethod
    def _restored(
        cls, model: keras.Model, metadata: Mapping[str, Any], custom_objects: Mapping[str, Any] | None
    ) -> Self:
        """Return a Trainer of a model that was read, with its metadata."""
        trainer = cls(model, image_converter=ImageConverter.from_dict(metadata["image_converter"]))
        trainer._converter_given = bool(metadata["image_converter_given"])
        trainer._label_names = LabelNames.from_dict(metadata["class_names"], trainer.num_classes)
        trainer.unfamiliarity_threshold = metadata["unfamiliarity_threshold"]
        trainer._recipe = Recipe.from_dict(metadata["recipe"])
        trainer._compilation = Compilation.restore(
            metadata["compilation"], model, trainer._units, trainer._recipe, custom_objects
        )
        trainer._recipe_given = trainer._compilation.by_trainer
        return trainer

    @override
    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle and copy by the content of a file, which has no code. Traced functions and locks are left out."""
        own = self._check_readable(all_known=True)
        with self._locks.computing:
            content: Any = classifier_content(self.model, self._metadata())
        if protocol >= 5:
            content = pickle.PickleBuffer(content)  # which may be sent beside the pickle without another copy
        return type(self)._from_content, (content, own)

    @classmethod
    def _from_content(cls, content: Buffer, custom_objects: Mapping[str, Any]) -> Self:
        if is_forked():  # an error here would end the worker; a pool would restart workers for ever
            unusable: Any = type(cls.__name__, (_Unusable, cls), {})
            instance: Self = unusable.__new__(unusable)
            return instance
        model, metadata = read_content(content, custom_objects)
        if metadata is None:
            raise ValueError("The pickled Trainer is damaged: it has no metadata.")
        return cls._restored(model, metadata, custom_objects)

    @override
    def __repr__(self) -> str:
        return f"<Trainer {self.model.name}: {self.model.count_params():,} parameters, {self.num_classes} classes>"

    def _repr_html_(self) -> str:
        names = ", ".join(self.class_names or ["names unknown"])
        return table(repr(self), [], [["images", "x".join(map(str, self.image_shape))], ["classes", names]])


def _shapes(model: Any, converter: ImageConverter | None) -> tuple[tuple[int, ...], int, ImageConverter]:
    """Return the input shape of a model, its number of output units, and how photographs are read for it."""
    if converter is not None and not isinstance(converter, ImageConverter):
        raise TypeError(f"`image_converter` must be an ImageConverter. Received: {shown(converter)}")
    told = None if converter is None else converter.image_shape
    input_shape, units = check_model(model, told)
    shape = image_shape_of(input_shape, told)
    if told not in (None, shape):
        raise ValueError(f"`image_converter` gives images {told}, but the model takes images {shape}.")
    return input_shape, units, converter or ImageConverter(shape)


def _versions() -> dict[str, str]:
    return {"fashionclf": __version__, "keras": keras.__version__, "tensorflow": tf.__version__}


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"A Trainer needs Keras's TensorFlow backend. Keras runs on {keras.backend.backend()!r}: set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )


def check_trainer(trainer: Any) -> None:
    """Check that an argument is a Trainer."""
    if not isinstance(trainer, Trainer):
        raise TypeError(f"`trainer` must be a Trainer. Received: {shown(trainer)}")

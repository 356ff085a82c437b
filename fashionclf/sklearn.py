"""A scikit-learn classifier that trains the networks of this package, for pipelines, grid search and calibration.

    from fashionclf.sklearn import FashionClassifier

It needs scikit-learn: `pip install "fashionclf[sklearn]"`.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final, Self

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._converter import ImageConverter
from fashionclf._images import IMAGE_SHAPE, ROUNDING, check_image_shape, check_images, fix_of_range, shape_of
from fashionclf._text import advice, shown
from fashionclf._types import FloatArray, ImageArray, ImageShape, PresetName
from fashionclf._validation import check_choice
from fashionclf.inputs._labelled import check_weights
from fashionclf.labels import check_class_names, class_names
from fashionclf.presets import get_preset, list_presets
from fashionclf.recipe import Recipe
from fashionclf.trainer import Trainer

with advice("fashionclf.sklearn needs scikit-learn 1.6", "sklearn"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state, compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["FashionClassifier"]

_ONE_OF_EACH: Final = np.arange(10)  # the labels that the names of a data set are for


class FashionClassifier(ClassifierMixin, BaseEstimator):
    """A network of this package as a scikit-learn classifier.

    Options that are None come from the recipe. Fitting again trains a new network.

    Args:
        model: Name of a preset, for images like Fashion-MNIST's; or a function that builds a `keras.Model` from the
            keywords `num_classes` and `seed`, and `image_shape` where that is another, such as
            `functools.partial(fashionclf.cnn_model, filters=(16, 32))`.
        image_shape: `(height, width, channels)` of the images. None takes that of the array that `fit` gets, and
            Fashion-MNIST's for rows of pixels.
        recipe: How to train: augmentation, early stopping and more; see `Recipe`. None is the preset's.
        epochs: Number of passes over the training images.
        batch_size: Images per step.
        learning_rate: Peak learning rate, above 0.
        validation_split: Share of the images to hold out for validation, from 0 up to 1. 0 turns a recipe's off.
        class_weight: Weight by label, or `"balanced"`, as in scikit-learn.
        random_state: An integer from 0 to 2**32 - 1 is the seed of the weights and of training: fitting again gives the
            same network bit for bit, that of `Trainer.from_preset(model, seed=...)` fitted with the same seed. Else a
            `RandomState` to draw a seed from, or None for fresh entropy.
        verbose: 0 (silent), 1 (progress bar) or 2 (a line per epoch).

    Attributes:
        trainer_: The fitted `Trainer`: `clf.trainer_.save("boots.keras")`. Its labels are the places in `classes_`.
        classes_: The labels, sorted.
        history_: A list per metric, with a value per epoch.
        image_shape_: `(height, width, channels)` of the images.
        n_features_in_: Their number of values, height * width * channels.
        feature_names_in_: Names of the columns, if a data frame was fitted.

    Example:
        >>> import fashionclf as fc
        >>> from sklearn.model_selection import cross_val_score
        >>> images, labels = fc.load_data("synthetic").train
        >>> classifier = FashionClassifier("softmax", epochs=3, random_state=0)
        >>> scores = cross_val_score(classifier, images[:600], labels[:600], cv=2)
        >>> bool(scores.mean() > 0.5)
        True
    """

    def __init__(
        self,
        model: PresetName | Callable[..., keras.Model] = "cnn_fast",
        *,
        image_shape: ImageShape | None = None,
        recipe: Recipe | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_split: float | None = None,
        class_weight: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.recipe = recipe
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_split = validation_split
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803  # scikit-learn's name
        """Train a new network.

        Args:
            X: Images as rows of pixels `(n, height * width * channels)`, `(n, height, width)` or `(n, height, width,
                channels)`, or a list of images: integers 0..255 or floats in [0, 1]. A data frame with a column for
                each pixel will do.
            y: Labels `(n,)` of any kind, of at least two classes.
            sample_weight: `(n,)`, one weight of at least 0 per image.

        Returns:
            The classifier itself.

        Raises:
            ValueError: If values are out of range, lengths differ, or there is only one class.
        """
        self.image_shape_ = self._shape_of(X)
        rows, y = validate_data(self, self._as_rows(X), y, dtype="numeric")
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        weights = self._weights(y, sample_weight)
        if weights is not None and not weights.any():
            raise ValueError("`sample_weight` must not be all zero.")
        if len(np.unique(codes if weights is None else codes[weights > 0])) < 2:
            raise ValueError("There are images of one class only; a classifier needs at least two classes.")
        images = self._images(rows)
        seed = self._seed()
        trainer = self._build(classes, seed)
        history = trainer.fit(
            images,
            codes,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_split=self.validation_split,
            sample_weight=weights,
            seed=seed,
            verbose=self.verbose,
        )
        self.classes_, self.trainer_, self.history_ = classes, trainer, history.history
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each image, `(n,)` of `classes_`; images and errors as `predict_proba`."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """Return probabilities.

        Args:
            X: Images, as `fit`.

        Returns:
            A float32 array `(n, num_classes)` in [0, 1], in the order of `classes_`, each row summing to 1.

        Raises:
            ValueError: If the images are not right.
            TypeError: If the images are no numbers.
            sklearn.exceptions.NotFittedError: If `fit` has not been called.
        """
        check_is_fitted(self)
        rows = validate_data(self, self._as_rows(X), reset=False, dtype="numeric")
        return self.trainer_.predict_proba(self._images(rows))

    def _shape_of(self, images: Any) -> ImageShape:
        """Return the shape of one image, of those that `fit` got."""
        if self.image_shape is not None:
            return check_image_shape(self.image_shape)
        shape = shape_of(images)
        return check_image_shape((*shape[1:], 1)[:3], "X.shape[1:]") if len(shape) in (3, 4) else IMAGE_SHAPE

    def _as_rows(self, images: Any) -> Any:
        """Return many images as rows of pixels; anything else is scikit-learn's to check."""
        shape = shape_of(images)
        if len(shape) not in (3, 4) or not shape[0]:
            return images
        return check_images(images, "X", image_shape=self.image_shape_).reshape(shape[0], -1)

    def _weights(self, y: NDArray[Any], sample_weight: Any) -> FloatArray | None:
        """Return the weight of each image, with that of its class; None if all are 1."""
        weights = check_weights(sample_weight, len(y))
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, y)
        return np.asarray(by_class if weights is None else by_class * weights, dtype=np.float32)

    def _images(self, rows: NDArray[Any]) -> ImageArray:
        """Return the images of checked rows."""
        if rows.min() < -ROUNDING:
            fix = fix_of_range(float(rows.min()), float(rows.max()))
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: X holds {rows.min():.9g}. {fix}"
            )
        expected = math.prod(self.image_shape_)
        if rows.shape[1] != expected:
            raise ValueError(
                f"X has {rows.shape[1]} feature(s), but {type(self).__name__} is expecting {expected} features as "
                f"input: the pixels of images {self.image_shape_}. Rows of other images need `image_shape=`."
            )
        return check_images(rows, "X", image_shape=self.image_shape_)

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            return self.random_state  # type: ignore[return-value]  # the Trainer checks it
        return int(check_random_state(self.random_state).randint(2**31))

    def _build(self, classes: NDArray[Any], seed: int | None) -> Trainer:
        """Return an untrained Trainer for these classes."""
        if self.recipe is not None and not isinstance(self.recipe, Recipe):
            raise TypeError(f"`recipe` must be a Recipe or None. Received: {shown(self.recipe)}")
        if isinstance(self.model, keras.Model) or not (isinstance(self.model, str) or callable(self.model)):
            raise TypeError(
                "`model` must be the name of a preset, a string, or a function that builds a new network for every "
                f"fit. Received: {shown(self.model)}"
            )
        recipe, names, shape = self.recipe, _names(classes), self.image_shape_
        if callable(self.model):
            shaped = {} if shape == IMAGE_SHAPE else {"image_shape": shape}
            network = _new_network(self.model(num_classes=len(classes), seed=seed, **shaped))
        else:
            preset = get_preset(check_choice(self.model, "model", list_presets()))
            if shape != IMAGE_SHAPE:
                raise ValueError(
                    f"`model={self.model!r}` is a preset for images {IMAGE_SHAPE}, but X holds images {shape}. Pass a "
                    "function, such as `functools.partial(fashionclf.cnn_model, filters=(16, 32))`."
                )
            network = preset.build(seed, num_classes=len(classes))
            recipe = recipe or preset.recipe
            names = names or class_names(preset.dataset)
        if self.learning_rate is not None:
            recipe = dataclasses.replace(recipe or Recipe(), learning_rate=self.learning_rate)
        trainer = Trainer(network, class_names=names, recipe=recipe, image_converter=ImageConverter(shape))
        if trainer.num_classes != len(classes):
            raise ValueError(
                f"`model` built a network of {trainer.num_classes} classes, but `y` holds {len(classes)}. Give its "
                "last layer `num_classes` units."
            )
        return trainer

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.positive_only = True
        return tags


def _new_network(network: Any) -> keras.Model:
    """Return what the caller's function has built, if no fit has trained it."""
    if not isinstance(network, keras.Model):
        raise TypeError(f"`model` must build a keras.Model. It returned: {shown(network)}")
    if network.compiled:
        raise ValueError(
            "`model` returned a network that is compiled or trained already. Build a new one in the function, such as "
            "`functools.partial(fashionclf.cnn_model, filters=(16, 32))`."
        )
    return network


def _names(classes: NDArray[Any]) -> tuple[str, ...] | None:
    """Return the labels as class names, None where they are the numbers of a data set's classes."""
    if classes.dtype.kind in "ui" and np.array_equal(classes, _ONE_OF_EACH):
        return None
    try:
        return check_class_names(map(str, classes))
    except ValueError:  # scikit-learn's labels may be anything
        return tuple(f"class {i}" for i in range(len(classes)))

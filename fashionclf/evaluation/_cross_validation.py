"""Cross-validation: train on all folds but one, and evaluate on that one."""

import pickle
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._images import scale_pixels, without_doubts
from fashionclf._text import advice, shown
from fashionclf._types import LabelledLike, LabelsLike, PresetName
from fashionclf._validation import check_choice, check_count, check_groups, check_seed, integer_labels
from fashionclf.datasets import Split
from fashionclf.inputs import LabelledImages, class_names_in, collect_labelled
from fashionclf.presets import list_presets
from fashionclf.trainer._trainer import Trainer

_MOST_PROCESSES: Final = 1024


class Classifier(Protocol):
    """A classifier with scikit-learn's methods."""

    def fit(self, X: Any, y: Any) -> Any:  # noqa: N803  # scikit-learn's name
        """Train on rows of pixels `(n, height * width * channels)` and labels `(n,)`."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Return labels for such rows."""


def cross_validate(
    model: PresetName | Callable[[], Trainer] | Classifier,
    x: LabelledLike | Split,
    y: LabelsLike | None = None,
    *,
    folds: int = 5,
    groups: Any = None,
    seed: int | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.float64]:
    """Train on all folds but one and measure the accuracy on the remaining one, for each fold in turn.

    Folds are scikit-learn's `StratifiedKFold`: every fold has the same share of each class. Every fold trains a new
    model with its recipe; the model that you pass is not changed.

    Args:
        model: Name of a preset; a function without arguments that builds a `Trainer`; or a scikit-learn
            classifier, which gets float32 rows `(n, height * width * channels)` in [0, 1].
        x: Images or photographs with or without their labels, as `Trainer.fit`; a stream is read into memory. For a
            scikit-learn classifier, the image shape is that of the arrays.
        y: Labels, as `Trainer.fit`.
        folds: At least 2.
        groups: One integer or string per image, such as the person who took it: all images of a group are in one fold
            (scikit-learn's `StratifiedGroupKFold`). None takes those of a `Split`, if it has any.
        seed: Shuffle before folding, and seed a preset's weights and the training, from 0 to 2**32 - 1. None folds
            in the given order, as scikit-learn does, and trains with fresh entropy. A function must seed the weights
            of its model itself; a scikit-learn classifier has its `random_state`.
        n_jobs: Number of processes that train folds at the same time, through joblib; -1 for one per processor core.
            None is 1, or what a `joblib.parallel_config` sets: there a backend such as Dask's or Ray's trains the folds
            on other machines. With a seed, the accuracies are those of one process, bit for bit, as long as the
            processes run TensorFlow with the same number of threads (`TF_NUM_INTRAOP_THREADS`).

    Returns:
        The accuracy on each fold, float64 `(folds,)`, in the order of the folds.

    Raises:
        ValueError: If the name is unknown, lengths differ, a class has fewer images than there are folds, or the
            function returns one model twice.
        TypeError: If `model` is none of these, or cannot be pickled for another process.
        ImportError: If scikit-learn is missing.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from sklearn.dummy import DummyClassifier
        >>> images, labels = np.zeros((20, 28, 28), dtype="uint8"), np.arange(20) % 2
        >>> fc.cross_validate(DummyClassifier(), images, labels, folds=2)
        array([0.5, 0.5])
    """
    with advice("cross_validate needs scikit-learn", "sklearn"):
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    folds = check_count(folds, "folds", minimum=2)
    seed = check_seed(seed)
    build, _ = _scorer(model)
    if n_jobs is not None:
        n_jobs = check_count(n_jobs, "n_jobs", minimum=-_MOST_PROCESSES, maximum=_MOST_PROCESSES)
    if n_jobs == 0:
        raise ValueError("`n_jobs` must be a number of processes, -1 for one per processor core, or None. Received: 0")
    seeds = [None] * folds if seed is None else np.random.SeedSequence(seed).generate_state(folds).tolist()
    first = build(seeds[0])
    data = _read(first, x, y)
    labels = integer_labels(data.labels)
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < folds:
        raise ValueError(
            f"`folds={folds}` but the rarest class has {rarest} images; each fold needs one of each class."
        )
    groups = data.groups if groups is None else check_groups(groups, len(data))
    if groups is not None and len(np.unique(groups)) < folds:
        raise ValueError(f"`folds={folds}` but there are {len(np.unique(groups))} groups; each fold needs one.")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=seed is not None, random_state=seed)
    parts = [(*indices, each) for indices, each in zip(splitter.split(labels, labels, groups), seeds, strict=True)]
    return np.array(_train_folds(model, first, data, parts, n_jobs))


def _read(model: Any, x: Any, y: Any) -> LabelledImages:
    """Read images and labels as a Trainer's `fit` would; those for another classifier have any shape."""
    if not isinstance(model, Trainer):
        return collect_labelled(x, y, converter=None, num_classes=None)
    names = model._label_names.after_fit(class_names_in(x), model.num_classes)
    return collect_labelled(
        x, y, converter=model._converter_after(x), num_classes=model.num_classes, known_names=names.known
    )


_Fold = tuple[NDArray[np.int64], NDArray[np.int64], int | None]  # images to train on, images to test on, the seed


def _train_folds(
    model: Any, first: Any, data: LabelledImages, folds: Sequence[_Fold], n_jobs: int | None
) -> list[float]:
    """Return the accuracy of each fold; `first` is the model of the first one."""
    from sklearn.utils.parallel import Parallel, delayed  # joblib's, with the settings of scikit-learn

    workers = Parallel(n_jobs=n_jobs)
    build, score = _scorer(model)
    if workers.n_jobs != 1:
        for _ in _distinct(chain([first], (build(seed) for _, _, seed in folds[1:2]))):
            pass  # a function that returns one model twice here would do so in a process as well
        try:
            return list(workers(delayed(_train_fold)(model, data, *fold) for fold in folds))
        except pickle.PicklingError as error:
            reason = str(error.__cause__ or error).strip('"\n ').rpartition("\n")[2]
            raise TypeError(
                f"`model` cannot be sent to another process ({reason}). Use `n_jobs=1`, or leave out of the function "
                "what cannot be pickled: make it inside."
            ) from error
    # Build each model before the previous one is trained: if both are the same model, none has been trained yet.
    built = _distinct(chain([first], (build(seed) for _, _, seed in folds[1:])))
    current = next(built)
    accuracies = []
    for fit_index, test_index, seed in folds:
        upcoming = next(built, None)
        accuracies.append(score(current, data.take(fit_index), data.take(test_index), seed))
        current = upcoming
    return accuracies


def _train_fold(
    model: Any, data: LabelledImages, fit_index: NDArray[np.int64], test_index: NDArray[np.int64], seed: int | None
) -> float:
    build, score = _scorer(model)
    return score(build(seed), data.take(fit_index), data.take(test_index), seed)


def _distinct(models: Iterable[Any]) -> Iterator[Any]:
    """Yield models; refuse a Trainer that shares variables with an earlier one: folds would train it further."""
    seen: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
    for model in models:
        variables = {id(each): each for each in model.model.variables} if isinstance(model, Trainer) else {}
        if any(seen.get(key) is each for key, each in variables.items()):
            raise ValueError(
                "`model` returned a Trainer with the same model, or the same layers, twice, so every fold would "
                "continue the training of the folds before it. Build a new model in the function, such as "
                "`lambda: Trainer(cnn_model())`."
            )
        seen.update(variables)
        yield model


def _scorer(
    model: Any,
) -> tuple[Callable[[int | None], Any], Callable[[Any, LabelledImages, LabelledImages, int | None], float]]:
    """Return two functions: one builds a model, the other trains it on one part and scores it on another."""
    if isinstance(model, str):
        name = check_choice(model, "preset", list_presets())
        return lambda seed: Trainer.from_preset(name, seed=seed), _score_trainer
    if isinstance(model, Trainer | keras.Model):
        raise TypeError(
            f"`model` is a {type(model).__name__}, which every fold would train further. Pass a function that "
            "builds a new Trainer, such as `lambda: Trainer(cnn_model())`."
        )
    if hasattr(model, "fit") and hasattr(model, "predict") and not isinstance(model, type):
        from sklearn.base import clone

        return lambda _seed: clone(model), _score_estimator
    if callable(model):
        return lambda _seed: _build(model), _score_trainer
    raise TypeError(
        "`model` must be a preset's name, a function that builds a Trainer, or a scikit-learn classifier. "
        f"Received: {shown(model)}"
    )


def _build(function: Callable[[], Any]) -> Trainer:
    trainer = function()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"`model` must build a Trainer. It returned: {shown(trainer)}")
    return trainer


@without_doubts()  # which `cross_validate` has had, of all images
def _score_trainer(trainer: Trainer, train: LabelledImages, test: LabelledImages, seed: int | None) -> float:
    trainer.fit(train.images, train.labels, seed=seed, verbose=0)
    predicted = trainer.predict_proba(test.images).argmax(axis=1)
    return float(np.mean(predicted == integer_labels(test.labels)))


@without_doubts()
def _score_estimator(estimator: Any, train: LabelledImages, test: LabelledImages, _seed: int | None) -> float:
    rows = [scale_pixels(part.images).reshape(len(part), -1) for part in (train, test)]
    estimator.fit(rows[0], integer_labels(train.labels))
    return float(np.mean(estimator.predict(rows[1]) == integer_labels(test.labels)))

"""Class names with probabilities: what `Trainer.predict` returns."""

import itertools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from fashionclf._html import THUMBNAIL, bar, table, thumbnail
from fashionclf._images import shape_of
from fashionclf._text import cut, listed, shown
from fashionclf._types import ClassNames, FloatArray, ImageArray, IntArray
from fashionclf._validation import as_array, check_count, check_each, check_rows
from fashionclf.labels import CLASS_NAMES, check_class_names

SHOWN: Final = 10  # predictions that are printed, and whose images a notebook shows


class Prediction:
    """The prediction for one image: a class name with its probability.

    Printing one shows the three most probable classes. `Predictions` makes them.

    Args:
        probabilities: float32 `(num_classes,)`, each in [0, 1].
        class_names: One name per class.
        source: What the image was read from.
        doubts: Why the image may be misread.

    Attributes:
        label: The number of the most probable class, an `int`.
        probabilities: All probabilities, float32 `(num_classes,)`, in label order.
        class_names: All class names, in label order.
        source: Name of the file that the image was read from, or what else it was; None for a plain array.
        doubts: Why the image may be misread, such as `"it is blank"`; empty if there is no doubt.

    Example:
        >>> prediction = Predictions([[0.02, 0.9, 0.08]], class_names=["Shirt", "Bag", "Coat"])[0]
        >>> print(prediction)
        Bag 90.0% · Coat 8.0% · Shirt 2.0%
        >>> prediction.class_name, prediction.label
        ('Bag', 1)
    """

    __slots__ = ("class_names", "doubts", "label", "probabilities", "source")

    def __init__(
        self,
        probabilities: FloatArray,
        class_names: tuple[str, ...],
        *,
        source: str | None = None,
        doubts: tuple[str, ...] = (),
    ) -> None:
        self.probabilities = np.asarray(probabilities, dtype=np.float32)
        self.class_names = class_names
        self.label = int(self.probabilities.argmax())
        self.source = source
        self.doubts = doubts

    @property
    def class_name(self) -> str:
        """The most probable class."""
        return self.class_names[self.label]

    @property
    def probability(self) -> float:
        """The probability of the most probable class, from 0 to 1."""
        return float(self.probabilities[self.label])

    @property
    def unfamiliarity(self) -> float:
        """How evenly the probabilities are spread, from 0 to 1; see `Predictions.unfamiliarity`."""
        return float(normalised_entropy(self.probabilities))

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the `k` most probable classes with their probabilities, most probable first.

        Args:
            k: An integer of at least 1; more than there are classes gives them all.

        Returns:
            A list of pairs `(class_name, probability)`.
        """
        order = rank_labels(self.probabilities)[: check_count(k, "k")]
        return [(self.class_names[i], float(self.probabilities[i])) for i in order]

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction in JSON's types, as the answer of a web service or a row of a table.

        Returns:
            A dictionary with `"class_name"`, `"label"`, `"probability"`, `"unfamiliarity"`, `"probabilities"` (every
            class name with its probability, most probable first) and `"doubts"` (a list). `"source"` comes first where
            the image was read from a file.

        Example:
            >>> prediction = Predictions([[0.25, 0.75]], class_names=["Shirt", "Bag"])[0]
            >>> prediction.to_dict()["probabilities"]
            {'Bag': 0.75, 'Shirt': 0.25}
        """
        return {
            **({} if self.source is None else {"source": self.source}),
            "class_name": self.class_name,
            "label": self.label,
            "probability": self.probability,
            "unfamiliarity": self.unfamiliarity,
            "probabilities": dict(self.top(len(self.class_names))),
            "doubts": list(self.doubts),
        }

    def __str__(self) -> str:
        return " · ".join(f"{name} {100 * probability:.1f}%" for name, probability in self.top(3))

    def __repr__(self) -> str:
        return f"<Prediction {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prediction):
            return NotImplemented
        same_names = self.class_names == other.class_names
        return same_names and np.array_equal(self.probabilities, other.probabilities)

    __hash__ = None  # type: ignore[assignment]  # compares by the values of an array


class Predictions(Sequence[Prediction]):
    """The predictions for many images: a sequence of `Prediction` kept as one array.

    An integer index gives a `Prediction`; a slice, a mask or an array of indices gives `Predictions`.

    Args:
        probabilities: `(n, num_classes)`, each in [0, 1].
        class_names: One name per column.
        sources: What each image was read from, `n` strings, or None.
        doubts: Why each image may be misread, `n` sequences of strings, or None for none.

    Attributes:
        probabilities: float32 `(n, num_classes)`.
        class_names: The name of each column, a tuple.
        sources: Names of the files that the images were read from, a tuple; None for plain arrays.
        doubts: Why each image may be misread, a tuple of strings for each, empty if all is well.

    Raises:
        ValueError: If the array is not `(n, num_classes)` of numbers in [0, 1], or names, sources or doubts do not fit.
        TypeError: If the array does not hold numbers, or the names are not strings.

    Example:
        >>> predictions = Predictions([[0.1, 0.9], [0.7, 0.3]], class_names=["Shirt", "Bag"])
        >>> [p.class_name for p in predictions], predictions.labels
        (['Bag', 'Shirt'], array([1, 0]))
    """

    __slots__ = ("_images", "class_names", "doubts", "probabilities", "sources")

    def __init__(
        self,
        probabilities: Any,
        class_names: ClassNames,
        *,
        sources: Sequence[str] | None = None,
        doubts: Sequence[Sequence[str]] | None = None,
    ) -> None:
        array = as_array(probabilities, "probabilities")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"`probabilities` must be an array of numbers. Received dtype {cut(str(array.dtype))}")
        with np.errstate(over="ignore"):  # infinity is refused below
            array = array.astype(np.float32, copy=False)
        if array.ndim != 2 or array.shape[1] < 2:
            raise ValueError(
                f"`probabilities` has shape {array.shape}, expected (n, num_classes) with at least 2 classes."
            )
        # written so that NaN fails; rounding may carry a sum of products a little past 1
        if array.size and not (array.min() >= 0 and array.max() <= 1 + 1e-5):
            raise ValueError("`probabilities` must be in [0, 1]. Received values outside it, or NaN.")
        self.probabilities: FloatArray = array
        self.class_names = check_class_names(class_names, array.shape[1])
        self.sources = None if sources is None else check_each(sources, "sources", len(array), "predictions")
        given = ((),) * len(array) if doubts is None else check_each(doubts, "doubts", len(array), "predictions")
        self.doubts: tuple[tuple[str, ...], ...] = tuple(map(tuple, given))
        self._images: ImageArray | None = None

    @classmethod
    def _of_model(
        cls,
        class_names: tuple[str, ...],
        probabilities: FloatArray,
        sources: tuple[str, ...] | None,
        doubts: tuple[tuple[str, ...], ...],
        first_images: ImageArray,
    ) -> "Predictions":
        """Return what a model of ours gave: nothing has to be checked, which would take as long as a small network."""
        predictions = cls.__new__(cls)
        predictions.probabilities, predictions.class_names = probabilities, class_names
        predictions.sources, predictions.doubts = sources, doubts
        step = -(-max(first_images.shape[1:3]) // THUMBNAIL)
        predictions._images = first_images[:, ::step, ::step].copy()  # small, so that no large array is kept
        return predictions

    @property
    def labels(self) -> IntArray:
        """The most probable label of each image, int64 `(n,)`."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def unfamiliarity(self) -> FloatArray:
        """How evenly the probabilities of each image are spread, float32 `(n,)`: 0 is one class, 1 all equally.

        This is their entropy, divided by that of equal probabilities. `cnn_robust` has learnt to give equal ones to
        what is none of its classes. In other classifiers it is uncertainty, whatever the reason.

        Source:
            Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", arXiv:1812.04606.
        """
        return normalised_entropy(self.probabilities)

    def __len__(self) -> int:
        return len(self.probabilities)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> "Predictions": ...
    def __getitem__(self, index: Any) -> "Prediction | Predictions":
        if index is None or isinstance(index, tuple | bool | np.bool_):
            raise TypeError(
                "Predictions are indexed by image: with an integer, a slice, a mask or an array of integers. For "
                f"columns index `probabilities`. Received: {shown(index)}"
            )
        if hasattr(index, "__index__") and not getattr(index, "ndim", 0):
            position = operator.index(index)
            if not -len(self) <= position < len(self):
                raise IndexError(f"There are {len(self)} predictions, none at {position}.")
            source = None if self.sources is None else self.sources[position]
            return Prediction(
                self.probabilities[position], self.class_names, source=source, doubts=self.doubts[position]
            )
        rows = np.arange(len(self))[check_rows(index, "index", len(self))]
        sources: Any = None if self.sources is None else np.array(self.sources, dtype=object)[rows]
        doubts: Any = np.fromiter(self.doubts, dtype=object, count=len(self))[rows]
        part = Predictions(self.probabilities[rows], self.class_names, sources=sources, doubts=doubts)
        if self._images is not None and (rows[:SHOWN] < len(self._images)).all():
            part._images = self._images[rows[:SHOWN]]
        return part

    def __iter__(self) -> Iterator[Prediction]:
        sources = self.sources or itertools.repeat(None)
        parts = zip(self.probabilities, sources, self.doubts, strict=False)
        return (Prediction(row, self.class_names, source=source, doubts=doubts) for row, source, doubts in parts)

    def top(self, k: int = 3) -> list[list[tuple[str, float]]]:
        """Return `Prediction.top` of each image: a list of pairs `(class_name, probability)`, most probable first."""
        return [prediction.top(k) for prediction in self]

    def grouped(self, groups: Mapping[str, str]) -> "Predictions":
        """Return predictions for groups of classes: the probability of a group is the sum of those of its classes.

        Args:
            groups: From class name to the name of its group. A class that is left out keeps its own name.

        Raises:
            ValueError: If a name is none of the classes, or all classes are in one group.
            TypeError: If names are not strings.

        Example:
            >>> predictions = Predictions([[0.4, 0.35, 0.25]], class_names=["Dress", "Hoodie", "Pullover"])
            >>> print(predictions.grouped({"Hoodie": "Top", "Pullover": "Top"}))
            Top 60.0% · Dress 40.0%
        """
        if not isinstance(groups, Mapping):
            raise TypeError(f"`groups` must be a mapping from class names to groups. Received: {shown(groups)}")
        unknown = [name for name in groups if name not in self.class_names]
        if unknown:
            raise ValueError(f"`groups` names {listed(unknown)}; the classes are {listed(self.class_names, 400)}.")
        of_class = [groups.get(name, name) for name in self.class_names]
        wrong = next((name for name in of_class if not isinstance(name, str)), None)
        if wrong is not None:
            raise TypeError(f"`groups` must name groups by strings. Received: {shown(wrong)}")
        names = list(dict.fromkeys(of_class))
        if len(names) < 2:
            raise ValueError(f"`groups` puts all classes into {shown(names[0])}; expected at least 2 groups.")
        sums = np.zeros((len(self), len(names)), dtype=np.float32)
        for column, name in enumerate(of_class):
            sums[:, names.index(name)] += self.probabilities[:, column]
        return Predictions(sums.clip(0, 1), names, sources=self.sources, doubts=self.doubts)

    def to_records(self) -> list[dict[str, Any]]:
        """Return `Prediction.to_dict` of each image, for a table or a web service."""
        return [prediction.to_dict() for prediction in self]

    def __str__(self) -> str:
        shown = [f"{p.source}: {p}" if p.source is not None else str(p) for p in self[:SHOWN]]
        rest = len(self) - len(shown)
        return "\n".join([*shown, f"… and {rest} more"] if rest else shown)

    def __repr__(self) -> str:
        return f"<Predictions for {len(self)} images, {len(self.class_names)} classes>"

    def _repr_html_(self) -> str:
        rows = []
        for i, one in enumerate(self[:SHOWN]):
            bars = [bar(share, f"{name} {100 * share:.1f}%") for name, share in one.top(3)]
            image = [] if self._images is None else [thumbnail(self._images[i])]
            rows.append([*image, i if one.source is None else one.source, *bars, "; ".join(one.doubts)])
        rest = f", the first {SHOWN}" if len(self) > SHOWN else ""
        return table(f"{len(self):,} images, {len(self.class_names)} classes{rest}", [], rows)

    if not TYPE_CHECKING:  # or a type checker would believe in every name

        def __getattr__(self, name: str) -> Any:
            way = f"; use `predictions[0].{name}`, or `[each.{name} for each in predictions]`"
            advice = way if hasattr(Prediction, name) else ""
            raise AttributeError(f"Predictions, of many images, have no {name!r}{advice}.", name=name, obj=self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions):
            return NotImplemented
        same_names = self.class_names == other.class_names
        return same_names and np.array_equal(self.probabilities, other.probabilities)

    __hash__ = None  # type: ignore[assignment]  # compares by the values of an array


def as_predictions(predictions: Any, class_names: ClassNames | None) -> Predictions:
    """Return `Predictions`, or probabilities `(n, num_classes)`, as `Predictions` with these class names."""
    if isinstance(predictions, Predictions):
        if class_names is None:
            return predictions
        sources, doubts = predictions.sources, predictions.doubts
        return Predictions(predictions.probabilities, class_names, sources=sources, doubts=doubts)
    if class_names is None:
        columns = (*shape_of(predictions), 0, 0)[1]
        class_names = CLASS_NAMES if columns == len(CLASS_NAMES) else [str(label) for label in range(columns)]
    return Predictions(predictions, class_names)


def rank_labels(probabilities: NDArray[Any]) -> IntArray:
    """Return labels, the most probable first, along the last axis; equally probable ones in label order."""
    return np.argsort(-probabilities, kind="stable")


def normalised_entropy(probabilities: FloatArray) -> FloatArray:
    """Return the entropy along the last axis, divided by that of equal probabilities: from 0 to 1."""
    logarithms = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    entropy = -(probabilities * logarithms).sum(axis=-1) / np.log(probabilities.shape[-1])
    return np.asarray(entropy.clip(0, 1), np.float32)


def probabilities_of(outputs: FloatArray) -> FloatArray:
    """Return a model's outputs as one column per class; raise an error if the model has diverged."""
    if math.isnan(outputs.sum()):
        raise ValueError(
            "The model gives NaN instead of probabilities: its training has diverged. Train a new model with a "
            "lower learning rate."
        )
    return outputs if outputs.shape[1] > 1 else with_both_classes(outputs)


def with_both_classes(outputs: FloatArray) -> FloatArray:
    """Return one column per class: a single sigmoid unit gives only the probability of the second class."""
    if outputs.shape[1] == 1:
        return np.concatenate([1 - outputs, outputs], axis=1)
    return outputs

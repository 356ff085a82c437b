"""Class names: per data set and language, and those of a Trainer."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np

from fashionclf._text import listed, shown
from fashionclf._types import IntArray, LabelSet, Language
from fashionclf._validation import check_choice, check_text

_GARMENTS: Final = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_GARMENTS_KO: Final = ("티셔츠", "바지", "스웨터", "드레스", "코트", "샌들", "셔츠", "스니커즈", "가방", "앵클 부츠")
_SPELLINGS: Final = {"샌달": "샌들"}  # that of the tutorials, and the standard one
_DIGITS: Final = tuple("0123456789")
# Of the "Clothing dataset" (A. Grigorev and contributors, 2020; CC0).
_CLOTHING: Final = (
    *("Blazer", "Blouse", "Body", "Dress", "Hat", "Hoodie", "Longsleeve", "Other", "Outwear"),
    *("Pants", "Polo", "Shirt", "Shoes", "Shorts", "Skirt", "T-Shirt", "Top", "Undershirt"),
)
_CLOTHING_KO: Final = (
    *("블레이저", "블라우스", "바디슈트", "드레스", "모자", "후드티", "긴팔 티셔츠", "기타", "겉옷"),
    *("바지", "폴로셔츠", "셔츠", "신발", "반바지", "치마", "티셔츠", "상의", "러닝셔츠"),
)
_NAMES: Final[dict[LabelSet, dict[Language, tuple[str, ...]]]] = {
    "fashion_mnist": {"en": _GARMENTS, "ko": _GARMENTS_KO},
    "mnist": {"en": _DIGITS, "ko": _DIGITS},
    "synthetic": {"en": _GARMENTS, "ko": _GARMENTS_KO},
    "clothing": {"en": _CLOTHING, "ko": _CLOTHING_KO},
}


CLASS_NAMES: Final[tuple[str, ...]] = _GARMENTS
"""Fashion-MNIST's ten class names in the data set's own spelling; label `i` is `CLASS_NAMES[i]`."""


def class_names(dataset: LabelSet = "fashion_mnist", language: Language = "en") -> tuple[str, ...]:
    """Return the class names of a data set, in label order.

    Args:
        dataset: `"fashion_mnist"`, `"mnist"`, `"synthetic"`, or `"clothing"`: the 18 kinds of clothing on photographs
            that the preset `"efficientnet_lite0"` names.
        language: `"en"` (the data set's own spelling) or `"ko"` (Korean). Digits read the same in both.

    Returns:
        A tuple of strings; label `i` is element `i`.

    Raises:
        ValueError: If the data set or the language is unknown.

    Example:
        >>> from fashionclf import class_names
        >>> class_names("fashion_mnist")[9]
        'Ankle boot'
        >>> class_names("fashion_mnist", "ko")[8]
        '가방'
    """
    by_language = _NAMES[check_choice(dataset, "dataset", tuple(_NAMES))]
    return by_language[check_choice(language, "language", tuple(by_language))]


def check_class_names(names: Any, num_classes: int | None = None) -> tuple[str, ...]:
    """Return class names as a tuple of distinct strings, `num_classes` of them if that is given."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise TypeError(f"`class_names` must be a sequence of strings. Received: {shown(names)}")
    checked = tuple(names)
    for name in checked:  # the cache below needs hashable names
        if not isinstance(name, str):
            raise TypeError(f"`class_names` must be strings. Received: {shown(name)} ({type(name).__name__})")
    if not checked:
        raise ValueError("`class_names` is empty; give at least one name.")
    checked = _distinct_names(checked)
    if num_classes is not None and len(checked) != num_classes:
        raise ValueError(
            f"`class_names` has {len(checked)} names but there are {num_classes} classes: received {listed(checked)}."
        )
    return checked


@functools.lru_cache(maxsize=64)  # the names of every prediction are checked
def _distinct_names(names: tuple[str, ...]) -> tuple[str, ...]:
    checked = tuple(check_text(name, "class_names") for name in names)
    meaning = meaning_of(checked) or checked
    most, count = Counter(meaning).most_common(1)[0]
    if count > 1:
        same = [name for name, each in zip(checked, meaning, strict=True) if each == most]
        if len(set(same)) == 1:
            raise ValueError(f"`class_names` holds {shown(same[0])} more than once; each class needs its own name.")
        raise ValueError(
            f"`class_names` names one class in two languages: {listed(same)}. Give it one name, and its images one "
            "label."
        )
    return checked


def meanings_of(names: Iterable[str]) -> list[tuple[str, ...] | None]:
    """Return class names in the spelling of each data set, from any language; None where it does not have them all."""
    given = tuple(_SPELLINGS.get(name, name) for name in names)
    meanings: list[tuple[str, ...] | None] = []
    for languages in _NAMES.values():
        own = {name: languages["en"][i] for each in languages.values() for i, name in enumerate(each)}
        meanings.append(tuple(own[name] for name in given) if all(name in own for name in given) else None)
    return meanings


def meaning_of(names: Iterable[str]) -> tuple[str, ...] | None:
    """Return class names in the spelling of the first data set that has them all, from any language, or None."""
    return next(filter(None, meanings_of(names)), None)


def match_labels(names: Sequence[str], known: Iterable[Sequence[str]], what: str) -> IntArray | None:
    """Return the label of each of `names`, int64, in the first of the `known` lists that has all of them.

    Names of the same class in different languages match too. None if all labels stay as they are. `what` is where the
    names come from, for the error if no list has them.
    """
    lists = [tuple(each) for each in known]
    for each in lists:
        for own, other in ((tuple(names), each), *zip(meanings_of(names), meanings_of(each), strict=True)):
            if own and other and set(own) <= set(other):
                labels = np.array([other.index(name) for name in own], dtype=np.int64)
                return None if (labels == np.arange(len(labels))).all() else labels
    raise ValueError(
        f"`{what}` has the classes {listed(names, 400)}; the Trainer has {listed(lists[0], 400)}. Pass labels of the "
        "Trainer's classes. If they are the same under other names, set `trainer.class_names` to those, or pass images "
        "and labels without names."
    )


@dataclass(frozen=True)
class LabelNames:
    """What the labels of a Trainer are called."""

    given: tuple[str, ...] | None = None  # the names that the caller chose
    learnt: tuple[str, ...] | None = None  # those of the data that the weights were trained on
    default: tuple[str, ...] | None = None  # while there are no others, such as those of a preset's data set

    @functools.cached_property
    def shown(self) -> tuple[str, ...] | None:
        """The names that predictions have, None if they are unknown."""
        return self.given or self.learnt or self.default

    @property
    def known(self) -> list[tuple[str, ...]]:
        """The lists of names by which data can be matched with these labels."""
        named = [names for names in (self.given, self.learnt) if names]
        return named or ([self.default] if self.default else [])

    def matches(self, names: Sequence[str]) -> bool:
        """Tell whether the names of some data can be matched with these."""
        try:
            match_labels(names, self.known, "x")
        except ValueError:
            return False
        return True

    def after_fit(self, names: Sequence[str] | None, num_classes: int) -> Self:
        """Return what the labels are called after a fit on data with these names, or on data without names.

        1. Data whose names all were given or learnt is matched with them, and changes nothing.
        2. Otherwise the names of the data are taken, if none were given.
        3. Names that were given to untrained weights rename the classes of the data, if they are as many and all new.

        In all other cases the data has other classes, and `match_labels` refuses it when it is read.
        """
        if names is None or ((self.given or self.learnt) and self.matches(names)):
            return replace(self, learnt=self.learnt or self.shown)
        if self.given is None:
            return replace(self, learnt=check_class_names(names, num_classes))
        if self.learnt is None and len(names) == num_classes and not set(names) & set(self.given):
            return replace(self, learnt=tuple(names))
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the three lists in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], num_classes: int) -> Self:
        """Return what `to_dict` described, checked."""
        return cls(**{name: names and check_class_names(names, num_classes) for name, names in values.items()})

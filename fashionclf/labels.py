"""Class names, per data set and language."""

from collections.abc import Iterable
from typing import Final

from fashionclf._validation import check_choice

_GARMENTS: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_GARMENTS_KO: Final = (
    "티셔츠",
    "바지",
    "스웨터",
    "드레스",
    "코트",
    "샌달",
    "셔츠",
    "스니커즈",
    "가방",
    "앵클 부츠",
)
_DIGITS: Final = tuple("0123456789")

_NAMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "fashion_mnist": {"en": _GARMENTS, "ko": _GARMENTS_KO},
    "mnist": {"en": _DIGITS, "ko": _DIGITS},
    "synthetic": {"en": _GARMENTS, "ko": _GARMENTS_KO},
}

CLASS_NAMES: Final[tuple[str, ...]] = _GARMENTS
"""Fashion-MNIST's ten class names in the data set's own spelling; label `i` is `CLASS_NAMES[i]`."""


def class_names(dataset: str = "fashion_mnist", language: str = "en") -> tuple[str, ...]:
    """Return the ten class names of a data set, in label order.

    Args:
        dataset: `"fashion_mnist"`, `"mnist"` or `"synthetic"`.
        language: `"en"` (the data set's own spelling) or `"ko"` (Korean). Digits read the same in both.

    Returns:
        A tuple of ten strings; label `i` is element `i`.

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


def meaning_of(names: Iterable[str]) -> tuple[str, ...] | None:
    """Return class names of a data set in the data set's own spelling, whatever language they are in.

    None if they are not all of one data set.
    """
    given = tuple(names)
    for languages in _NAMES.values():
        own = {name: languages["en"][i] for each in languages.values() for i, name in enumerate(each)}
        if all(name in own for name in given):
            return tuple(own[name] for name in given)
    return None

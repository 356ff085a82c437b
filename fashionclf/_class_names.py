"""Labels by name: what a label of one list of class names is in another."""

from collections.abc import Iterable, Sequence

import numpy as np

from fashionclf._types import IntArray
from fashionclf.labels import meaning_of


def match_labels(names: Sequence[str], known: Iterable[Sequence[str]], what: str) -> IntArray | None:
    """Return, for each label of `names`, the label in the first of the `known` lists that has all of them.

    Names of the same class in different languages match too.

    Args:
        names: Class names of some labels.
        known: Lists of class names that mean the same labels.
        what: Where `names` come from, for the message.

    Returns:
        Labels, int64 `(len(names),)`; None if all stay as they are.

    Raises:
        ValueError: If a name is in none of the lists.
    """
    lists = [tuple(each) for each in known]
    for each in lists:
        for own, other in ((tuple(names), each), (meaning_of(names), meaning_of(each))):
            if own and other and set(own) <= set(other):
                labels = np.array([other.index(name) for name in own], dtype=np.int64)
                return None if (labels == np.arange(len(labels))).all() else labels
    raise ValueError(
        f"`{what}` has the classes {', '.join(map(repr, names))}; the Trainer has "
        f"{', '.join(map(repr, lists[0]))}. Pass labels of the Trainer's classes. If they are the same under "
        "other names, set `trainer.class_names` to those, or pass images and labels without names."
    )

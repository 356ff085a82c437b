"""Reading many photographs: on all cores, with a progress line, and one summary of those that cannot be read."""

import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from fashionclf._converter import ImageConverter
from fashionclf._images import Doubts
from fashionclf._types import UInt8Array
from fashionclf._validation import check_choice
from fashionclf._warnings import stack_level
from fashionclf.photographs._reading import import_packages
from fashionclf.photographs._steps import steps_of

OnError: TypeAlias = Literal["raise", "skip"]
_PATIENCE: Final = 3.0  # seconds without a progress line
_INTERVAL: Final = 0.5  # seconds between its updates
_NAMED: Final = 10  # files that one message names


class UnreadableImageWarning(UserWarning):
    """Files were skipped because they cannot be read; the message names them with the reasons.

    Example:
        >>> import fashionclf as fc, numpy as np, warnings
        >>> garment = np.full((80, 60, 3), 250, dtype="uint8")
        >>> garment[20:60, 20:40] = 30
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     predictions = trainer.predict([garment, "missing.jpg"], on_error="skip")
        >>> len(predictions), caught[0].category.__name__
        (1, 'UnreadableImageWarning')
    """


class Read(NamedTuple):
    """One photograph as a model sees it, uint8 `(h, w)` or `(h, w, 3)`, with the doubts about it."""

    image: UInt8Array
    doubts: Doubts


def check_on_error(on_error: Any) -> OnError:
    """Return `on_error` if it is `"raise"` or `"skip"`."""
    return check_choice(on_error, "on_error", get_args(OnError))


def read_many(
    sources: Sequence[Any],
    names: Sequence[str],
    on_error: OnError,
    converter: ImageConverter,
    *,
    others: int = 0,
    part: bool = False,
) -> list[Read | None]:
    """Read photographs as a converter says, on all cores, in order; None stands for one that is skipped.

    A source may be the error of an unreadable folder. `others` is the number of files beside them that are no images,
    for messages. If none can be read, that is an error, unless these are only a part.
    """
    import_packages(converter)
    # One thread at a time may read from a file object, so one that is given twice is read once.
    different = {id(source): source for source in sources}
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, len(different)))) as pool:
        found = _with_progress(
            pool.map(lambda source: _try_to_read(source, converter), different.values()), len(different), others
        )
        read = dict(zip(different, found, strict=True))
    results = [read[id(source)] for source in sources]
    errors = {name: each for name, each in zip(names, results, strict=True) if isinstance(each, Exception)}
    if errors and (on_error == "raise" or (len(errors) == len(sources) and not part)):
        raise _summary(errors, len(sources), on_error, others)
    if errors:
        skipped = f"Skipped {_listed(errors, len(sources), others)}"
        warnings.warn(skipped, UnreadableImageWarning, stacklevel=stack_level())
    return [None if isinstance(each, Exception) else each for each in results]


def _try_to_read(source: Any, converter: ImageConverter) -> Read | Exception:
    if isinstance(source, Exception):
        return source
    try:
        steps = steps_of(source, converter)
    except ImportError:  # pillow, OpenCV or a file of the package is missing: not for one photograph only
        raise
    except (OSError, TypeError, ValueError) as error:
        return error
    return Read(steps.image, steps.doubts)


def _summary(errors: dict[str, Exception], total: int, on_error: OnError, others: int) -> Exception:
    """Return the error to raise: the only one itself, or one that names all."""
    if len(errors) == 1:
        return next(iter(errors.values()))
    kind, *other_kinds = {type(error) for error in errors.values()}
    if other_kinds or kind not in (FileNotFoundError, PermissionError, TypeError):
        kind = ValueError
    may_skip = on_error == "raise" and len(errors) < total
    fix = " Leave them out: `predict` and `load_folder` do with `on_error='skip'`." if may_skip else ""
    return kind(f"Cannot read {_listed(errors, total, others)}{fix}")


def _listed(errors: dict[str, Exception], total: int, others: int) -> str:
    first = list(errors.items())[:_NAMED]
    named = [f"  {name}: {str(error).removeprefix(repr(name)).strip()}" for name, error in first]
    more = [f"  and {len(errors) - _NAMED} more"] if len(errors) > _NAMED else []
    return "\n".join([f"{len(errors):,} of {total:,} files{_ignored(others)}:", *named, *more])


def _ignored(others: int) -> str:
    return f" ({others:,} other file{'s' if others > 1 else ''} ignored)" if others else ""


def _with_progress(results: Iterator[Any], total: int, others: int) -> Iterator[Any]:
    """Pass on results; show on a terminal how many there are when they take more than a few seconds."""
    started = shown = time.monotonic()
    for count, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if now - started > _PATIENCE and (now - shown > _INTERVAL or count == total) and sys.stderr.isatty():
            shown = now
            end = f"{_ignored(others)}\n" if count == total else ""
            print(f"\rReading photographs: {count:,} of {total:,}", end=end, file=sys.stderr, flush=True)

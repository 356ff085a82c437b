"""Text in columns, where a Korean syllable is as wide as two Latin letters; values, errors and advice in messages."""

import contextlib
import itertools
import unicodedata
from collections.abc import Iterable, Iterator


def display_width(text: str) -> int:
    """Return the number of columns that a text takes in a terminal: two for each East Asian wide character."""
    joined = unicodedata.normalize("NFC", text)  # a Korean syllable may be stored as its separate letters
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in joined)


def padded(text: str, width: int) -> str:
    """Return a text followed by spaces, `width` columns in all."""
    return text + " " * (width - display_width(text))


def first_line(error: BaseException | str) -> str:
    """Return the first line of the message of an error, or its kind if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def cut(text: str, limit: int = 100) -> str:
    """Return a text, shortened to `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def shown(value: object, limit: int = 100) -> str:
    """Return the `repr` of a value for a message, shortened."""
    try:
        return cut(repr(value), limit)
    except Exception:  # of an integer with more than 4,300 digits, or of a class whose `__repr__` fails
        return f"<{type(value).__name__}>"


def listed(values: Iterable[object], limit: int = 1000) -> str:
    """Return values as messages list them: only the first ones if they take more than `limit` characters."""
    given = [shown(value, 60) for value in values]
    ends = itertools.accumulate(len(each) + 2 for each in given)
    count = max(1, sum(end <= limit + 2 for end in ends))
    return ", ".join(given[:count]) + (f" and {len(given) - count:,} more" if len(given) > count else "")


@contextlib.contextmanager
def advice(need: str, extra: str) -> Iterator[None]:
    """Say in an ImportError of the block who needs the package, and with which extra it is installed."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{need}: run `pip install "fashionclf[{extra}]"`.') from error

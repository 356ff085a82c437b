"""Text in columns, where a Korean syllable is as wide as two Latin letters; the first line of an error."""

import unicodedata


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

"""Fonts for class names in Korean, and for signs such as ✓; the words of a plot in another language.

Matplotlib's own font has no Korean, and its settings belong to the caller. So each text gets fonts to fall back on.
"""

import functools
from typing import Any, Final, TypeVar

from fashionclf._language import words_in
from fashionclf._types import Language

# DejaVu comes with matplotlib, for signs that a caller's own font may lack; then fonts with Korean
_FALLBACKS: Final = (
    *("DejaVu Sans", "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic"),
    *("Apple SD Gothic Neo", "AppleGothic", "Noto Sans CJK JP", "Noto Sans CJK SC"),
)
_Drawn = TypeVar("_Drawn", bound=Any)


def text_style(*texts: str) -> dict[str, Any]:
    """Return the properties with which matplotlib writes texts as they are: every character, and `$` as a `$`."""
    from matplotlib import rcParams

    if "".join(texts).isascii():
        return {"parse_math": False}
    return {"parse_math": False, "fontfamily": [*rcParams["font.family"], *_installed()]}


def translated(drawn: _Drawn, language: Language) -> _Drawn:
    """Return axes or a figure with its words in a language."""
    from matplotlib.text import Text

    say = words_in(language)
    for text in drawn.findobj(Text):
        words = say(text.get_text())
        if words != text.get_text():
            text.set(text=words, **text_style(words))
    return drawn


@functools.cache
def _installed() -> list[str]:
    from matplotlib.font_manager import fontManager

    names = fontManager.get_font_names()
    return [name for name in _FALLBACKS if name in names]

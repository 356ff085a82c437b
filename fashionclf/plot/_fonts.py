"""Fonts for class names in any script.

Matplotlib's own font has no Korean, and its settings belong to the caller. So the font is chosen for each text.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from fashionclf._language import words_in
from fashionclf._types import Language

# DejaVu comes with matplotlib, for signs such as ✓ that a caller's own font may lack; then fonts with Korean
_PREFERRED: Final = (
    *("DejaVu Sans", "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic"),
    *("Apple SD Gothic Neo", "AppleGothic", "Noto Sans CJK JP", "Noto Sans CJK SC"),
)
_Drawn = TypeVar("_Drawn", bound=Any)
_HAVE_BOXES_FOR_ALL: Final = ("lastresort", "adobeblank")

_families: Final[dict[str, str | None]] = {}
"""By character that some text lacked: the font family that has it, None where no installed one does."""


def text_style(*texts: str) -> dict[str, Any]:
    """Return the properties with which matplotlib writes texts as they are: every character, and `$` as a `$`."""
    from matplotlib import rcParams

    families = _families_for("".join(texts)).values()
    found = [family for family in dict.fromkeys(families) if family]
    return {"parse_math": False, **({"fontfamily": [*rcParams["font.family"], *found]} if found else {})}


def translated(drawn: _Drawn, language: Language) -> _Drawn:
    """Return axes or a figure with its words in a language, as far as installed fonts have the letters."""
    from matplotlib.text import Text

    say = words_in(language)
    for text in drawn.findobj(Text):
        words = say(text.get_text())
        if words != text.get_text() and names_to_show([words]) == [words]:
            text.set(text=words, **text_style(words))
    return drawn


def names_to_show(names: Iterable[str]) -> list[str]:
    """Return class names as they can be written: `class 3` for one that no installed font can write."""
    names = list(names)
    unknown = {character for character, family in _families_for("".join(names)).items() if family is None}
    return [f"class {label}" if unknown & set(name) else name for label, name in enumerate(names)]


def _families_for(text: str) -> dict[str, str | None]:
    """Return the font family for each character that the caller's own font lacks; None, and a warning, without one."""
    missing = sorted(_missing(text))
    new = frozenset(missing).difference(_families)
    if new:
        found = search_fonts(new)
        _families.update({character: found.get(character) for character in new})
    needed = {character: _families[character] for character in missing}
    if None in needed.values():
        _warn_once()
    return needed


@functools.cache
def _warn_once() -> None:
    warnings.warn(
        "No installed font has some of the characters to be written; class names that need them are shown as numbers. "
        "Install one (for Korean NanumGothic or Noto Sans CJK: `apt install fonts-nanum`) and start Python again.",
        stacklevel=5,  # about where a function of this package was called
    )


def _missing(text: str) -> frozenset[str]:
    """Return the characters that the font of the caller's settings lacks."""
    from matplotlib import font_manager, rcParams

    characters = frozenset(c for c in text if not c.isascii() and c.isprintable() and not c.isspace())
    if not characters:
        return characters
    paths = [font_manager.findfont(font_manager.FontProperties(family=[name])) for name in rcParams["font.family"]]
    return characters - frozenset().union(*(_covered(str(path), characters) for path in paths))


def search_fonts(characters: frozenset[str]) -> dict[str, str]:
    """Return the family of an installed font for each character; characters that no font has are left out."""
    found = _search_known(characters)
    if characters.difference(found) and _add_new_fonts():
        found = _search_known(characters)
    return found


def _search_known(characters: frozenset[str]) -> dict[str, str]:
    from matplotlib.font_manager import fontManager

    def order(entry: Any) -> tuple[int, str, bool]:
        rank = _PREFERRED.index(entry.name) if entry.name in _PREFERRED else len(_PREFERRED)
        return rank, entry.name, entry.style != "normal" or entry.weight != 400

    found: dict[str, str] = {}
    inspected = set()
    for entry in sorted(fontManager.ttflist, key=order):
        wanted = characters.difference(found)
        if not wanted:
            break
        if entry.name not in inspected and not _is_blank(entry.name):
            inspected.add(entry.name)  # bold and italic have the same characters
            found |= dict.fromkeys(_covered(entry.fname, wanted), entry.name)
    return found


def _is_blank(name: str) -> bool:
    return name.lower().replace(" ", "").lstrip(".").startswith(_HAVE_BOXES_FOR_ALL)


def _add_new_fonts() -> bool:
    """Tell matplotlib of fonts installed since it wrote its list, which it keeps on disk until its next version."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    new = sorted(set(font_manager.findSystemFonts()) - known)
    for path in new:
        with contextlib.suppress(Exception):  # one that matplotlib cannot read, such as a bitmap font
            font_manager.fontManager.addfont(path)
    return bool(new)


@functools.cache
def _covered(path: str, characters: frozenset[str]) -> frozenset[str]:
    """Return those of the characters that a font file has."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(character for character in characters if font.get_char_index(ord(character)))

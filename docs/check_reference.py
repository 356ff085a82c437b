"""Check that the reference names everything public, each with an example, and nothing that does not exist.

    python docs/check_reference.py

Public are the names in `fashionclf.__all__` and in `__all__` of the public modules; a module without one
has the functions and classes that it defines itself, without an underscore.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import fashionclf as fc

PAGES = Path(__file__).resolve().parent / "reference"
IDENTIFIER = re.compile(r"^::: (\S+)$", re.MULTILINE)
MEMBER = re.compile(r"^ +- (\w+)$", re.MULTILINE)


def documented() -> set[str]:
    """Return the full names that the reference pages show."""
    names = set()
    for page in sorted(PAGES.glob("*.md")):
        parts = IDENTIFIER.split(page.read_text(encoding="utf-8"))
        for identifier, options in zip(parts[1::2], parts[2::2], strict=True):
            members = MEMBER.findall(options)
            names |= {f"{identifier}.{member}" for member in members} or {identifier}
    return names


def public() -> set[str]:
    """Return the full names of everything public."""
    names = set()
    for name in {*fc.__all__, *fc._PUBLIC_MODULES}:
        value = getattr(fc, name)
        if isinstance(value, ModuleType):
            names |= {
                home(getattr(value, member), member, value) for member in members(value)
            }
        elif name != "__version__":
            names.add(home(value, name, None))
    return names


def members(module: ModuleType) -> list[str]:
    """Return the public names of a public module."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


def home(value: object, name: str, module: ModuleType | None) -> str:
    """Return the full name by which the reference shows a value: that of the public module, or of its definition."""
    if module is not None:
        return f"{module.__name__}.{name}"
    if hasattr(value, "__module__") and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"fashionclf.{fc._HOMES[name]}.{name}"


def exists(name: str) -> bool:
    """Say whether there is such a name in such a module."""
    module, _, member = name.rpartition(".")
    return hasattr(importlib.import_module(module), member)


def has_example(name: str) -> bool:
    """Say whether a function or class shows how it is used; a constant need not. The tests run these examples."""
    module, _, member = name.rpartition(".")
    value = getattr(importlib.import_module(module), member)
    return not callable(value) or ">>>" in (inspect.getdoc(value) or "")


def main() -> None:
    """Print what is missing."""
    shown, wanted = documented(), public()
    problems = [f"not in the reference: {name}" for name in sorted(wanted - shown)]
    problems += [
        f"in the reference, but not there: {name}"
        for name in sorted(shown)
        if not exists(name)
    ]
    problems += [
        f"no example in its docstring: {name}"
        for name in sorted(wanted)
        if not has_example(name)
    ]
    print(
        "\n".join(problems) or f"All {len(wanted)} public names are in the reference."
    )
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()

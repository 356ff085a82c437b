"""Extension of griffe, which reads the code for the reference.

`Example:` in a docstring counts as griffe's section `Examples:`. The docstrings follow Keras in writing `Example:`,
which griffe would take for a remark and not for a console session.

A default that is a constant, such as `EVALUATION_BATCH`, is shown as its value.
"""

import re
from typing import Any

from griffe import AliasResolutionError, Extension, Function, Module, Object

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")


class Reference(Extension):
    """Change what griffe has read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rename the heading of examples before griffe parses the docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$",
                r"\1Examples:",
                obj.docstring.value,
                flags=re.MULTILINE,
            )

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Put values in the place of constants when all modules have been read."""
        for function in functions_of(pkg):
            for parameter in function.parameters:
                name = str(parameter.default)
                if CONSTANT.fullmatch(name):
                    parameter.default = value_of(function.module, name)


def functions_of(obj: Object) -> list[Function]:
    """Return the functions and methods below a module or class."""
    found = []
    for member in obj.members.values():
        if member.is_alias:
            continue
        if member.is_function:
            found.append(member)
        elif member.is_module or member.is_class:
            found += functions_of(member)
    return found


def value_of(module: Module, name: str) -> str:
    """Return the value of a constant as it is written, or its name where it cannot be found."""
    try:
        return str(module.members[name].value)
    except (AliasResolutionError, KeyError):
        return name

"""Extension of griffe, which reads the docstrings for the reference: `Example:` counts as its section `Examples:`.

The docstrings follow Keras in writing `Example:`, which griffe would take for a remark and not for a console session.
"""

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Rename the headings before griffe parses a docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$",
                r"\1Examples:",
                obj.docstring.value,
                flags=re.MULTILINE,
            )

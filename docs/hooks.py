"""Hooks of MkDocs.

The notebooks in `examples/` become pages, with the outputs that they are kept with. A notebook becomes Markdown, so it
looks like every other page, is searched, and loads nothing from the network. Its plots become files beside it.

Images load when they come into view. Their sizes are in the page, so that nothing moves then.
"""

import base64
import hashlib
import html
import io
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
FOLDER = "notebooks"
LONGEST_ROW = 90  # columns of a printed table


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and the files of its plots."""
    for notebook in sorted(EXAMPLES.glob("*.ipynb")):
        page, images = converted(notebook)
        for name, content in {f"{notebook.stem}.md": page, **images}.items():
            files.append(File.generated(config, f"{FOLDER}/{name}", content=content))
    return files


def on_page_content(content: str, /, page: Page, files: Files, **_: Any) -> str:
    """Give images their sizes, and printed text what it needs to be read on a phone."""

    def late(tag: re.Match[str]) -> str:
        source = re.search(r'src="([^":]+)"', tag[0])
        file = files.get_file_from_path(beside(page, source[1])) if source else None
        size = ""
        if file is not None and "width=" not in tag[0]:
            with Image.open(io.BytesIO(file.content_bytes)) as image:
                size = f' width="{image.width}" height="{image.height}"'
        return f'<img loading="lazy"{size}{tag[0][4:]}'

    content = re.sub(r"<img [^>]*>", late, content)
    return re.sub(
        r'<div class="language-text highlight">.*?</div>',
        printed,
        content,
        flags=re.DOTALL,
    )


def printed(block: re.Match[str]) -> str:
    """Let long lines wrap, but not the rows of a table; a letter of Korean is two columns wide in every font."""
    lines = html.unescape(re.sub(r"<[^>]*>", "", block[0])).splitlines()
    kind = "message" if max(map(len, lines), default=0) > LONGEST_ROW else "table"
    text = re.sub(r"[\uac00-\ud7a3](?![^<]*>)", r'<i class="two">\g<0></i>', block[0])
    return text.replace("language-text", f"language-text {kind}", 1)


def beside(page: Page, link: str) -> str:
    """Return where a link of a page leads, as a path below the documentation."""
    return posixpath.normpath(
        posixpath.join(posixpath.dirname(page.file.src_uri), link)
    )


def with_few_colours(content: bytes) -> bytes:
    """Return an image with 256 colours: its file is smaller by half."""
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            smaller, "PNG", optimize=True
        )
    return smaller.getvalue()


def converted(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its plots by the name of their file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    images: dict[str, bytes] = {}
    parts: list[str] = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            # links to pages lead up from notebooks/, those to notebooks to their pages
            parts.append(
                re.sub(r"\]\(\.\./docs/", "](../", source.replace(".ipynb)", ".md)"))
            )
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [shown(output, notebook.stem, images) for output in cell["outputs"]]
    parts.insert(
        1,
        f"Run it yourself: `examples/{notebook.name}` of the repository. "
        "The outputs below are those of one run.",
    )
    return "\n\n".join(filter(None, parts)) + "\n", images


def shown(output: dict[str, Any], stem: str, images: dict[str, bytes]) -> str:
    """Return an output as Markdown: a plot, a table, or what was printed."""
    data = output.get("data", {})
    if "image/png" in data:
        content = with_few_colours(base64.b64decode("".join(data["image/png"])))
        name = f"{stem}_{hashlib.sha256(content).hexdigest()[:8]}.png"
        images[f"images/{name}"] = content
        return f"![Plot of the code above](images/{name})"
    if "text/html" in data:
        html = "".join(data["text/html"])
        return re.sub(r"\n\s*\n", "\n", f'<div markdown="0">\n{html}\n</div>')
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    if not text or re.fullmatch(r"<Figure [^\n]*>", text):
        return ""
    return f"```text\n{text}\n```"

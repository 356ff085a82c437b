"""Classifier files: a Keras `.keras` file with one extra member, which Keras ignores.

The member `fashionclf.json` holds class names, recipe and versions. Keras's own `model.save` would drop it.
"""

import contextlib
import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import keras
from typing_extensions import Buffer

from fashionclf._keras_internals import all_layers, is_builtin
from fashionclf._warnings import ignored

MEMBER: Final = "fashionclf.json"


FORMAT: Final = 5


# Members that a later format added, with their values in an older file.
_ADDED: Final[Mapping[str, Any]] = {"renamed_from": None, "unfamiliarity_threshold": None, "trained": True}


SUFFIX: Final = ".keras"


def write_classifier(model: keras.Model, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a model with its metadata in one step: readers see the old file or the new one, never a part."""
    with _written(model, metadata, path.parent) as part:
        part.replace(path)


def classifier_content(model: keras.Model, metadata: Mapping[str, Any]) -> bytes:
    """Return the content of the file that `write_classifier` would write."""
    with _written(model, metadata, None) as part:  # Keras writes to a path only
        return part.read_bytes()


@contextlib.contextmanager
def _written(model: keras.Model, metadata: Mapping[str, Any], folder: Path | None) -> Iterator[Path]:
    """Give a temporary file with a model and its metadata."""
    if any(isinstance(layer, keras.layers.Lambda) for layer in all_layers(model)):
        raise ValueError(
            "`model` has a Lambda layer, whose code Keras's safe mode does not load again. Replace it by a layer class "
            "of your own, and pass that to `load` as `custom_objects`."
        )
    content = json.dumps({"format": FORMAT, **metadata}, ensure_ascii=False, indent=1)
    if model.compiled and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # or Keras warns of the file that it lacks its state
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fashionclf-") as place:
        part = Path(place) / f"model{SUFFIX}"
        with ignored(DeprecationWarning, "__array__ implementation"):  # of numpy, because of Keras's own reading
            model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(MEMBER, content)
        yield part


def read_classifier(path: Path, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read a model and its metadata, None where the file has none. Both come from one reading of the file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no classifier file {str(path)!r}.")
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        copy = Path(folder) / f"model{SUFFIX}"  # Keras reads a path only, where another file may stand by now
        shutil.copyfile(path, copy)
        return _read(copy, repr(str(path)), custom_objects)


def read_content(content: Buffer, custom_objects: Mapping[str, Any]) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read what `classifier_content` gave."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        copy = Path(folder) / f"model{SUFFIX}"
        copy.write_bytes(content)
        return _read(copy, "the pickled Trainer", custom_objects)


def _read(file: Path, name: str, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    metadata = _read_metadata(file, name)
    state = random.getstate()  # Keras draws from Python's generator for each layer that was saved without a seed
    try:
        return keras.models.load_model(file, custom_objects=custom_objects, safe_mode=True), metadata
    except (OSError, KeyError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise ValueError(f"{name} is damaged and cannot be loaded: {error}") from error
    finally:
        random.setstate(state)


def own_objects(model: keras.Model, others: Iterable[Any]) -> dict[str, Any]:
    """Return the caller's own classes and functions that a file names, by the names that Keras looks for.

    They are those of the layers, and of `others`: losses, metrics, an optimizer.
    """
    compiled = (model.loss, model.optimizer) if model.compiled else ()
    values = [*all_layers(model), *compiled, *others]
    kinds = dict.fromkeys(value if hasattr(value, "__name__") else type(value) for value in values)
    own = [kind for kind in kinds if not (is_builtin(kind) or kind.__module__ == "builtins")]
    return {name: kind for kind in own for name in (kind.__name__, keras.saving.get_registered_name(kind))}


def _read_metadata(file: Path, name: str) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(file) as archive:
            if MEMBER not in archive.namelist():
                return None
            metadata = json.loads(archive.read(MEMBER))
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is damaged or not a {SUFFIX} file: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"{name} is damaged: its member {MEMBER} names no format.")
    if found > FORMAT:
        raise ValueError(
            f"{name} was written by a newer version of fashionclf, in format {found}; this version reads "
            f"formats up to {FORMAT}. Upgrade fashionclf, or open it with `keras.models.load_model`."
        )
    if found < FORMAT:
        metadata = {**_ADDED, **metadata}
    missing = {"class_names", "class_names_given", "recipe", "compilation", *_ADDED} - metadata.keys()
    if missing:
        raise ValueError(f"{name} is damaged: its member {MEMBER} lacks {', '.join(sorted(missing))}.")
    return metadata  # type: ignore[no-any-return]

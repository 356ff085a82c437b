"""Classifier files: a Keras `.keras` file with one extra member, which Keras ignores.

The member `fashionclf.json` holds class names, recipe and versions. Keras's own `model.save` would drop it.
"""

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras

from fashionclf._keras_internals import all_layers
from fashionclf._warnings import ignored

MEMBER: Final = "fashionclf.json"


FORMAT: Final = 4


# Members that a later format added, with their values in an older file.
_ADDED: Final[Mapping[str, Any]] = {"renamed_from": None, "unfamiliarity_threshold": None}


SUFFIX: Final = ".keras"


def write_classifier(model: keras.Model, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a model with its metadata in one step: readers see the old file or the new one, never a part."""
    if any(isinstance(layer, keras.layers.Lambda) for layer in all_layers(model)):
        raise ValueError(
            "`model` has a Lambda layer, whose code Keras's safe mode does not load again. Replace it by a layer class "
            "of your own, and pass that to `load` as `custom_objects`."
        )
    content = json.dumps({"format": FORMAT, **metadata}, ensure_ascii=False, indent=1)
    if model.compiled and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # or Keras warns of the file that it lacks its state
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fashionclf-") as folder:
        part = Path(folder) / f"model{SUFFIX}"
        with ignored(DeprecationWarning, "__array__ implementation"):  # of numpy, because of Keras's own reading
            model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(MEMBER, content)
        part.replace(path)


def read_classifier(path: Path, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read a model and its metadata, None where the file has none. Both come from one reading of the file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no classifier file {str(path)!r}.")
    content = path.read_bytes()
    metadata = _read_metadata(content, path)
    state = random.getstate()  # Keras draws from Python's generator for each layer that was saved without a seed
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        copy = Path(folder) / f"model{SUFFIX}"  # Keras reads a path only, where another file may stand by now
        copy.write_bytes(content)
        try:
            model = keras.models.load_model(copy, custom_objects=custom_objects, safe_mode=True)
        except (OSError, KeyError, zipfile.BadZipFile, json.JSONDecodeError) as error:
            raise ValueError(f"{str(path)!r} is damaged and cannot be loaded: {error}") from error
        finally:
            random.setstate(state)
    return model, metadata


def _read_metadata(content: bytes, path: Path) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if MEMBER not in archive.namelist():
                return None
            metadata = json.loads(archive.read(MEMBER))
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is damaged or not a {SUFFIX} file: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"{str(path)!r} is damaged: its member {MEMBER} names no format.")
    if found > FORMAT:
        raise ValueError(
            f"{str(path)!r} was written by a newer version of fashionclf, in format {found}; this version reads "
            f"formats up to {FORMAT}. Upgrade fashionclf, or open it with `keras.models.load_model`."
        )
    if found < FORMAT:
        metadata = {**_ADDED, **metadata}
    missing = {"class_names", "class_names_given", "recipe", "compilation", *_ADDED} - metadata.keys()
    if missing:
        raise ValueError(f"{str(path)!r} is damaged: its member {MEMBER} lacks {', '.join(sorted(missing))}.")
    return metadata  # type: ignore[no-any-return]

"""Classifier files: a Keras `.keras` file with one extra member, which Keras ignores.

The member `fashionclf.json` holds class names, recipe and versions. Keras's own `model.save` would drop it.

Files may come from anyone. Every member is limited in size and compared with its checksum before Keras reads the file.
Any later failure is a ValueError of one sentence.
"""

import io
import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py  # which Keras needs for its files
import keras
from typing_extensions import Buffer

from fashionclf._files import read_json, read_member, replacing, zip_archive
from fashionclf._keras_internals import missing_object
from fashionclf._validation import check_path, check_regular_file
from fashionclf._warnings import ignored

MEMBER: Final = "fashionclf.json"


FORMAT: Final = 6
_FIELDS: Final = frozenset(("class_names", "recipe", "compilation", "unfamiliarity_threshold"))

SUFFIX: Final = ".keras"

_MB: Final = 1_000_000
_LIMITS: Final = {MEMBER: _MB, "metadata.json": _MB, "config.json": 16 * _MB}  # Keras's own models take up to 1 MB
_LEAST, _RATIO = 100 * _MB, 100  # other members may unpack to so many bytes, or to so many times what is stored
_WEIGHTS: Final = "model.weights.h5"

_WITH_KERAS: Final = "Open it with Keras: `Trainer(keras.models.load_model(path), class_names=[...])`."
_OTHERS: Final = {  # ends of names, in the order in which they are looked for
    ".weights.h5": "It holds weights only: build the model, call `model.load_weights(path)`, and pass it to `Trainer`.",
    ".h5": _WITH_KERAS,
    ".hdf5": _WITH_KERAS,
    ".tflite": "Open it with `load_exported(path)`.",
    ".onnx": "Open it with `load_exported(path)`.",
}


# -- writing --------------------------------------------------------------------------------------


def write_classifier(model: keras.Model, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a model with its metadata in one step: readers see the old file or the new one, never a part."""
    with replacing(path, "The classifier file") as part:
        _write(model, metadata, part)


def classifier_content(model: keras.Model, metadata: Mapping[str, Any]) -> bytes:
    """Return the content of the file that `write_classifier` would write."""
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        part = Path(folder) / f"model{SUFFIX}"  # Keras writes to a path only
        _write(model, metadata, part)
        return part.read_bytes()


def _write(model: keras.Model, metadata: Mapping[str, Any], part: Path) -> None:
    content = json.dumps({"format": FORMAT, **metadata}, ensure_ascii=False, indent=1).encode()
    if len(content) > _LIMITS[MEMBER]:
        raise ValueError(
            f"The class names take {len(content) / _MB:.1f} MB, a file may have at most 1 MB of them. Shorten them."
        )
    if model.compiled and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # or Keras warns of the file that it lacks its state
    with ignored(DeprecationWarning, "__array__ implementation"):  # of numpy, because of Keras's own reading
        model.save(part)
    with zipfile.ZipFile(part, "a") as archive:
        archive.writestr(MEMBER, content)


# -- reading --------------------------------------------------------------------------------------


def read_classifier(path: Path, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    """Read a model and its metadata, None where the file has none. Both come from one reading of the file."""
    _check_kind(path)
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


def _check_kind(path: Path) -> None:
    """Refuse other files, and say how to open them."""
    for end, way in _OTHERS.items():
        if path.name.lower().endswith(end):
            raise ValueError(f"{str(path)!r} is not a {SUFFIX} file. {way}")
    if (path / "saved_model.pb").is_file():
        raise ValueError(
            f"{str(path)!r} is a SavedModel. Open it with `load_exported(path)` if `Trainer.export` wrote it. Keras 3 "
            "does not read those of Keras 2: save the model as '.h5' with Keras 2 (`tf_keras`) and open that file."
        )
    check_path(path, "path", suffix=SUFFIX)
    check_regular_file(path, f"a {SUFFIX} file")
    if h5py.is_hdf5(path):  # Keras 2 also wrote such files under this name
        raise ValueError(f"{str(path)!r} is an HDF5 file, as Keras 2 wrote them. Rename it to '.h5'. {_WITH_KERAS}")


def _read(file: Path, name: str, custom_objects: Mapping[str, Any] | None) -> tuple[keras.Model, dict[str, Any] | None]:
    try:
        content = _read_members(file)
    except Exception as error:  # HDF5 raises errors of many kinds
        raise ValueError(f"{name} is damaged or not a {SUFFIX} file: {error}") from error
    metadata = None if content is None else _checked_metadata(content, name)
    state = random.getstate()  # Keras draws from Python's generator for each layer that was saved without a seed
    try:
        return keras.models.load_model(file, custom_objects=custom_objects, safe_mode=True), metadata
    except Exception as error:  # a configuration that was edited, or a layer of the caller's, may raise anything
        raise loading_error(error, name) from error
    finally:
        random.setstate(state)


def loading_error(error: Exception, name: str) -> ValueError:
    """Return the error of a file that cannot be loaded, in one sentence."""
    missing = missing_object(error)
    if missing is not None:
        return ValueError(
            f'{name} needs {missing!r}, which Keras does not know. Pass `custom_objects={{"{missing}": '
            f"{missing.rpartition('>')[2]}}}` to `load`, or put `@keras.saving.register_keras_serializable()` above it."
        )
    lines = str(error).strip().splitlines()
    reason = lines[-1] if "Exception encountered" in str(error) else (lines or [type(error).__name__])[0]
    return ValueError(f"{name} cannot be loaded: {reason[-300:]}")


def _read_members(file: Path) -> bytes | None:
    """Read every member to its end, which compares it with its checksum; return the metadata, None if there is none.

    Keras may read only parts of a member, which compares nothing.
    """
    metadata = None
    with zip_archive(file) as archive:
        for member in archive.infolist():
            name = member.filename
            content = read_member(archive, name, _LIMITS.get(name, max(_LEAST, _RATIO * member.compress_size)))
            if name == MEMBER:
                metadata = content
            elif name == _WEIGHTS:
                _check_weights(content)
    return metadata


def _check_weights(content: bytes) -> None:
    """Check that an HDF5 file holds the arrays that it declares, and points to no other file."""
    with h5py.File(io.BytesIO(content), "r") as file:
        link = file.visititems_links(lambda name, link: None if isinstance(link, h5py.HardLink) else name)
        sizes: list[int] = []

        def visit(_: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                sizes.append(len(content) + 1 if found.external or found.is_virtual else found.nbytes)

        file.visititems(visit)
    if link is not None:
        raise ValueError(f"its weights have a link in place of {link!r}")
    if sum(sizes) > len(content):  # Keras writes arrays as they are
        raise ValueError(f"its weights declare {sum(sizes) / _MB:,.1f} MB, but hold {len(content) / _MB:,.1f} MB")


def _checked_metadata(content: bytes, name: str) -> dict[str, Any]:
    try:
        metadata = read_json(content)
    except ValueError as error:
        raise ValueError(f"{name} is damaged: its member {MEMBER} cannot be read: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"{name} is damaged: its member {MEMBER} names no format.")
    if found > FORMAT:
        raise ValueError(
            f"{name} was written by a newer version of fashionclf, in format {found}; this version reads "
            f"formats up to {FORMAT}. Upgrade fashionclf, or open it with `keras.models.load_model`."
        )
    missing = _FIELDS - metadata.keys()
    if missing:
        raise ValueError(f"{name} is damaged: its member {MEMBER} lacks {', '.join(sorted(missing))}.")
    return metadata  # type: ignore[no-any-return]

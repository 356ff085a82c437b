"""`load_folder`, and many photographs at once: bad files, groups, order."""

import io
import os
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

import fashionclf as fc
from fashionclf.photographs import _many


def photograph(shade=40, width=20):
    image = np.full((80, 60), 250, np.uint8)
    image[20:60, 20 : 20 + width] = shade
    return Image.fromarray(image)


@pytest.fixture
def folder(tmp_path):
    """Three classes with 2, 3 and 1 images, one of them in a deeper folder, and files that are none."""
    for name, count in (("Shirt", 2), ("Polo", 3), ("Hat", 1)):
        (tmp_path / name).mkdir()
        for i in range(1, count + 1):
            photograph(width=10 + 5 * i).save(tmp_path / name / f"photo{i * 5}.png")
    (tmp_path / "Hat" / "more").mkdir()
    photograph().save(tmp_path / "Hat" / "more" / "one.jpg")
    (tmp_path / "Hat" / "notes.txt").write_text("none")
    (tmp_path / "Hat" / ".hidden.png").write_text("none")
    (tmp_path / ".cache").mkdir()
    return tmp_path


def test_a_sub_folder_is_a_class(folder):
    split = fc.load_folder(folder)
    assert split.class_names == ("Hat", "Polo", "Shirt")
    assert split.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert split.files == (
        "Hat/more/one.jpg", "Hat/photo5.png", "Polo/photo5.png", "Polo/photo10.png", "Polo/photo15.png",
        "Shirt/photo5.png", "Shirt/photo10.png",
    )  # fmt: skip
    np.testing.assert_array_equal(split.images[3], fc.load_image(folder / "Polo" / "photo10.png"))
    assert split[split.labels == 1].files == split.files[2:5]
    assert split.groups is None


def test_class_names_choose_and_join_folders(folder):
    joined = fc.load_folder(folder, class_names={"Polo": "T-shirt/top", "Shirt": "Shirt", "Hat": "T-shirt/top"})
    assert joined.class_names == ("T-shirt/top", "Shirt")
    assert joined.labels.tolist() == [0] * 5 + [1] * 2
    listed = fc.load_folder(folder, class_names=["Shirt", "Bag", "Polo"])
    assert listed.class_names == ("Shirt", "Bag", "Polo")
    assert listed.labels.tolist() == [0, 0, 2, 2, 2]
    trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
    trainer.fit(listed, epochs=1, verbose=0)
    assert trainer.class_names == ("Shirt", "Bag", "Polo")
    assert trainer.report(listed).support.tolist() == [2, 0, 3]
    assert len(fc.plot.images(listed).axes) == 5


def test_groups_are_never_in_both_parts(folder):
    by_width = fc.load_folder(folder, groups=lambda file: file.rpartition("/")[2])
    assert by_width.groups.tolist()[:3] == ["one.jpg", "photo5.png", "photo5.png"]
    by_table = fc.load_folder(folder, groups=dict.fromkeys(by_width.files, 7))
    assert by_table.groups.tolist() == [7] * 7
    with pytest.raises(ValueError, match=r"`groups` has no group for 6 files, such as 'Hat/photo5.png'"):
        fc.load_folder(folder, groups={"Hat/more/one.jpg": 1})
    with pytest.raises(TypeError, match="`groups` must be a function"):
        fc.load_folder(folder, groups=3)


@pytest.fixture
def broken(folder):
    """Two broken files among the seven: one empty, one cut off."""
    (folder / "Polo" / "photo5.png").write_bytes(b"")
    file = folder / "Shirt" / "photo10.png"
    file.write_bytes(file.read_bytes()[:90])
    return folder


def test_bad_files_are_all_named(broken):
    with pytest.raises(ValueError, match=r"Cannot read 2 of 7 files \(1 other file ignored\):") as caught:
        fc.load_folder(broken)
    text = str(caught.value)
    assert "photo5.png: is empty or not an image" in text
    assert "photo10.png: is damaged or truncated" in text
    assert "with `on_error='skip'`" in text


def test_bad_files_are_skipped_when_asked(broken):
    with pytest.warns(fc.UnreadableImageWarning, match="Skipped 2 of 7 files") as caught:
        split = fc.load_folder(broken, on_error="skip", groups=lambda file: file)
    assert caught[0].filename == __file__
    assert len(split) == len(split.files) == len(split.groups) == 5
    assert split.groups.tolist() == list(split.files)
    assert split.labels.tolist() == [0, 0, 1, 1, 2]


def test_predict_skips_too(broken, fitted):
    folder = broken / "Polo"
    with pytest.raises(ValueError, match=r"photo5\.png' is empty"):
        fitted.predict(folder)
    for given in (folder, sorted(folder.iterdir()), folder.glob("*"), [str(path) for path in sorted(folder.iterdir())]):
        with pytest.warns(fc.UnreadableImageWarning, match="1 of 3"):
            predictions = fitted.predict(given, on_error="skip")
        assert len(predictions) == 2
        assert {source.rpartition("/")[2] for source in predictions.sources} == {"photo10.png", "photo15.png"}
    array = np.zeros((28, 28), np.uint8)
    array[8:20, 8:20] = 255
    with pytest.warns(fc.UnreadableImageWarning):
        mixed = fitted.predict([array, folder / "photo5.png", folder / "photo10.png"], on_error="skip")
    assert mixed.sources[0] == "x[0]"
    np.testing.assert_allclose(mixed[:1].probabilities, fitted.predict_proba(array), atol=1e-5)


def test_nothing_readable_is_an_error(folder, fitted):
    for path in (folder / "Polo").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="Cannot read 3 of 3 files"):
        fitted.predict(folder / "Polo", on_error="skip")
    with pytest.raises(ValueError, match="Unknown on_error 'ignore'"):
        fitted.predict(folder / "Hat", on_error="ignore")
    with pytest.raises(ValueError, match="gives no image"):
        fitted.predict(folder.glob("*.tiff"))


@pytest.mark.parametrize(
    ("directory", "options", "error", "message"),
    [
        ("none", {}, FileNotFoundError, "There is no folder"),
        ("Shirt", {}, ValueError, "no sub-folders"),
        ("", {"class_names": {"Shrit": "Shirt"}}, ValueError, "Did you mean 'Shirt'"),
        ("", {"class_names": ["Coat", "Dress"]}, ValueError, "Unknown folder 'Coat'"),
        ("", {"class_names": {"Shirt": 3}}, TypeError, "must be strings"),
        ("", {"class_names": []}, ValueError, "`class_names` is empty"),
        ("", {"class_names": {}}, ValueError, "`class_names` is empty"),
        ("", {"on_error": "no"}, ValueError, "Unknown on_error"),
    ],
)
def test_mistakes_are_named(folder, directory, options, error, message):
    with pytest.raises(error, match=message):
        fc.load_folder(folder / directory, **options)
    with pytest.raises(TypeError, match="`directory` must be a path"):
        fc.load_folder(3)


def test_a_folder_without_images_counts_the_others(tmp_path, fitted):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(ValueError, match=r"has no images: expected files ending in .*\. It has 1 other file\."):
        fitted.predict(tmp_path)


@pytest.mark.parametrize(("brand", "package"), [(b"heic", "pillow-heif"), (b"avif", "pillow>=11.3")])
def test_formats_with_a_plug_in_say_which(brand, package, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k not in ("AVIF", "HEIF")})
    monkeypatch.setattr(Image, "init", lambda: True)
    content = b"\x00\x00\x00\x18ftyp" + brand + b"\x00" * 50
    (tmp_path / "a.heic").write_bytes(content)
    for source in (tmp_path / "a.heic", io.BytesIO(content)):
        with pytest.raises(ValueError, match=package):
            fc.load_image(source)


def test_progress_is_shown_when_it_takes_long(folder, monkeypatch, capsys):
    fc.load_folder(folder)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_many, "_PATIENCE", -1.0)
    fc.load_folder(folder)
    assert capsys.readouterr().err == ""  # not a terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fc.load_folder(folder)
    assert capsys.readouterr().err.endswith("\rReading photographs: 7 of 7 (1 other file ignored)\n")


def test_photographs_of_a_folder_are_fitted_by_group(folder):
    split = fc.load_folder(folder, groups=lambda file: file.partition("/")[0] + file[-5])
    trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = trainer.fit(split, epochs=1, validation_split=0.4, seed=0, verbose=0)
    assert "val_loss" in history.history


def test_what_systems_put_beside_photographs_is_ignored_at_every_depth(folder, fitted):
    expected = fc.load_folder(folder).files
    for place in (folder, folder / "Shirt", folder / "Hat" / "more"):
        for name in ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "#recycle", ".thumbnails"):
            (place / name).mkdir()
            (place / name / "photo5.png").write_bytes(b"a thumbnail")
        for name in ("Thumbs.db", "desktop.ini", "._photo5.png"):
            (place / name).write_bytes(b"none")
    assert fc.load_folder(folder).files == expected
    assert len(fitted.predict(folder / "Shirt")) == 2


def test_suffixes_of_jpegs(tmp_path, fitted):
    (tmp_path / "Shirt").mkdir()
    for number, suffix in enumerate((".jfif", ".jpe", ".MPO", ".JPG")):
        kind, more = (
            ("MPO", {"save_all": True, "append_images": [photograph(200)]}) if suffix == ".MPO" else ("JPEG", {})
        )
        photograph().save(tmp_path / "Shirt" / f"{number}{suffix}", kind, **more)
    split = fc.load_folder(tmp_path)
    assert len(split) == len(fitted.predict(tmp_path / "Shirt")) == 4
    assert (split.images == split.images[0]).all()  # of an MPO the first picture


def test_a_class_without_images_is_named(folder):
    (folder / "Bag" / "deeper").mkdir(parents=True)
    (folder / "Bag" / "notes.txt").write_text("none")
    for names in (None, {"Bag": "Bag", "Shirt": "Shirt"}):
        with pytest.raises(ValueError, match=r"no images of 'Bag' in .*Remove these folders, or say in `class_names`"):
            fc.load_folder(folder, class_names=names)
    assert fc.load_folder(folder, class_names=["Bag", "Shirt"]).labels.tolist() == [1, 1]
    assert fc.load_folder(folder, class_names={"Bag": "Top", "Shirt": "Top"}).labels.tolist() == [0, 0]


def test_parts_of_a_data_set_are_no_classes(folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parts")
    for name in ("Train", "test"):
        (parent / name).symlink_to(folder, target_is_directory=True)
    with pytest.raises(ValueError, match=r"'Train', 'test': parts of a data set, no classes\. Load one at a time"):
        fc.load_folder(parent)
    assert fc.load_folder(parent / "Train").class_names == ("Hat", "Polo", "Shirt")
    assert fc.load_folder(parent, class_names=["Train", "test"]).class_names == ("Train", "test")
    toys = tmp_path_factory.mktemp("toys")
    (toys / "train").mkdir()
    photograph().save(toys / "train" / "locomotive.png")
    assert fc.load_folder(toys).class_names == ("train",)


def test_links_in_a_circle_and_to_nothing(folder):
    (folder / "Shirt" / "again").symlink_to(folder / "Shirt", target_is_directory=True)
    (folder / "round").symlink_to(folder / "round")
    assert len(fc.load_folder(folder)) == 7
    (folder / "Shirt" / "lost.jpg").symlink_to(folder / "gone.jpg")
    with pytest.raises(FileNotFoundError, match=r"lost\.jpg"):
        fc.load_folder(folder)


def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch, fitted):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith(("Shirt", "more")):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match=r"Cannot read 2 of 6 files(.|\n)*more: cannot be read: Permission"):
        fc.load_folder(folder)
    with pytest.warns(fc.UnreadableImageWarning, match=r"Shirt: cannot be read: Permission denied\. Check its"):
        split = fc.load_folder(folder, on_error="skip")
    assert split.labels.tolist() == [0, 1, 1, 1]
    with pytest.raises(PermissionError, match=r"Shirt' cannot be read: Permission denied\. Check its permissions"):
        fitted.predict(folder / "Shirt")


def test_a_file_object_that_is_given_twice(fitted):
    file = io.BytesIO()
    photograph().save(file, "PNG")
    assert len(fitted.predict([file] * 20)) == 20  # by one thread at a time

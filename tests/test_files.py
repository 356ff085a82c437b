"""Files are written completely or not at all, and read up to a limit."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from fashionclf._files import read_json, read_member, replacing, temporary_folder, zip_archive
from fashionclf._validation import check_new_file, check_path, check_regular_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, error, what="The file"):
    """Write a file half, until an error comes."""
    with replacing(path, what) as part:
        part.write_text("half")
        raise error


def close_badly(path):
    """Raise an error of a full disk that a second error masks: an archive with an open member cannot be closed."""
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        archive.open("member", "w")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_and_a_folder_are_put_in_place(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert part.name == "a.txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    with replacing(tmp_path / "folder") as part:
        (part / "inner").mkdir(parents=True)
        (part / "inner" / "b.txt").write_text("b")
    assert names(tmp_path) == ["a.txt", "folder"]
    assert (tmp_path / "a.txt").read_text() == "new"
    assert (tmp_path / "folder/inner/b.txt").read_text() == "b"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError("Can't write (file write failed: errno = 28, error message = 'No space left on device')"),  # HDF5
        RuntimeError("ckpt/variables.data; No space left on device"),  # TensorFlow
    ],
    ids=["python", "hdf5", "tensorflow"],
)
def test_a_full_disk(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    sentence = r"^The note '.*a\.txt' could not be written: No space left on device; .* MB are free on that disk\.$"
    with pytest.raises(OSError, match=sentence) as caught:
        write(tmp_path / "a.txt", error, "The note")
    assert caught.value.errno == errno.ENOSPC
    assert ".fashionclf" not in str(caught.value)
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_error_that_masks_the_full_disk(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        close_badly(tmp_path / "a.zip")


def test_a_folder_that_may_not_be_read_can_be_written_to(tmp_path, monkeypatch):
    opened = os.open

    def open_file(path, *args, **options):
        if Path(path) == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", open_file)
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert names(tmp_path) == ["a.txt"]


def test_the_kind_of_an_error_stays(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none/a\.txt' could not be written"):
        write(tmp_path / "none" / "a.txt", ZeroDivisionError())
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"file/a\.txt' could not be written"):
        write(tmp_path / "file" / "a.txt", ZeroDivisionError())
    denied = PermissionError(errno.EACCES, "Permission denied", f"{tmp_path}/.fashionclf-1")
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **options: (_ for _ in ()).throw(denied))
    with pytest.raises(PermissionError, match=r"a\.txt' could not be written: Permission denied"):
        write(tmp_path / "a.txt", ZeroDivisionError())


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere"),
        ConnectionError("the mirror said: Permission denied"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_errors_about_something_else_pass_through(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        write(tmp_path / "a.txt", error)
    assert caught.value is error
    assert names(tmp_path) == []


@pytest.fixture
def writer(tmp_path):
    """A process that is in the midst of a write to a folder."""
    script = (
        "import sys, time; from pathlib import Path; from fashionclf._files import replacing\n"
        f"with replacing(Path({str(tmp_path / 'a.txt')!r})) as part:\n"
        "    part.write_text('half'); print(flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path, writer):
    (left,) = names(tmp_path)
    with replacing(tmp_path / "b.txt") as part:
        part.write_text("b")
    assert names(tmp_path) == [left, "b.txt"]  # the process lives
    writer.kill()
    writer.wait()
    with replacing(tmp_path / "b.txt") as part:
        part.write_text("b")
    assert names(tmp_path) == ["b.txt"]


def test_folders_of_other_computers_are_left_for_a_day(tmp_path):
    for name in (".fashionclf-0-young", ".fashionclf-0-old", ".fashionclf-file"):
        (tmp_path / name).mkdir() if "0" in name else (tmp_path / name).write_text("")
    (tmp_path / ".fashionclf-0-link").symlink_to(tmp_path / ".fashionclf-0-young")
    os.utime(tmp_path / ".fashionclf-0-old", (0, 0))
    with temporary_folder(tmp_path) as folder, temporary_folder(tmp_path) as second:
        assert folder.is_dir()
        assert second.is_dir()
    assert names(tmp_path) == [".fashionclf-0-link", ".fashionclf-0-young", ".fashionclf-file"]


def zipped(content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("member", content)
    return file.getvalue()


def test_members_are_read_up_to_a_bound():
    bomb = bytearray(zipped(b"\0" * 10_000_000))
    where = bomb.rindex(b"PK\x01\x02")
    bomb[where + 24 : where + 28] = (1000).to_bytes(4, "little")  # the header says 1,000 bytes
    for content in (zipped(b"\0" * 1001), bytes(bomb)):
        with pytest.raises(ValueError, match=r"member"), zip_archive(io.BytesIO(content)) as archive:
            assert len(read_member(archive, "member", 1000)) == 0
    with zip_archive(io.BytesIO(zipped(b"\0" * 1000))) as archive:
        assert len(read_member(archive, "member", 1000)) == 1000
    with (
        pytest.raises(ValueError, match="method 12"),
        zip_archive(io.BytesIO(zipped(b"", zipfile.ZIP_BZIP2))) as archive,
    ):
        read_member(archive, "member", 1000)


def test_each_flipped_bit_of_an_archive_is_noticed_or_harmless():
    whole = zipped(b"some content that is the same" * 3)
    noticed = 0
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        try:
            with zip_archive(io.BytesIO(content)) as archive:
                assert read_member(archive, "member", 1000) == b"some content that is the same" * 3
        except ValueError:
            noticed += 1
    assert noticed > 4 * len(whole)


def test_json_too_deep():
    with pytest.raises(ValueError, match="too deeply"):
        read_json(b"[" * 100_000)


@pytest.mark.parametrize("text", ["https://x.org/a.keras", Path("https://x.org/a.keras"), "s3://x/a.keras", "hf://a/b"])
def test_a_url_is_no_path(text):
    with pytest.raises(ValueError, match=r"is a URL.*download it first"):
        check_path(text, "path")


def test_paths_that_look_like_urls():
    for text in ("C:/a.keras", "a:b/c.keras", "http.keras", "./x:y"):
        assert check_path(text, "path") == Path(text)


def test_files_without_an_end_and_odd_paths(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "circle.keras").symlink_to(tmp_path / "circle.keras")
    (tmp_path / "file").write_text("")
    for path, kind, message in (
        (tmp_path, ValueError, "is a folder"),
        (tmp_path / "pipe.keras", ValueError, "is a pipe, a socket or a device"),
        (Path(os.devnull), ValueError, "is a pipe, a socket or a device"),
        (tmp_path / "circle.keras", ValueError, "is a circle of links"),
        (tmp_path / "none.keras", FileNotFoundError, r"Expected a note, but there is no file '.*none\.keras'"),
        (tmp_path / "file" / "a.keras", FileNotFoundError, "no file"),
    ):
        with pytest.raises(kind, match=message):
            check_regular_file(path, "a note")
        with pytest.raises(kind, match=message) if kind is ValueError else contextlib.suppress(OSError):
            check_new_file(path, "path", path.suffix)
    check_regular_file(tmp_path / "file", "a note")
    for path, message in (("a\0b", "null (byte|character)"), ("a" * 5000, "too long.*5,000 characters")):
        with pytest.raises(ValueError, match=message):
            check_path(path, "path")

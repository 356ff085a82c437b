"""What `predict` may be given."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from samples.photographs import encoded

import fashionclf as fc
from fashionclf.inputs import read_images
from fashionclf.photographs import ImageConverter, load_image
from fashionclf.photographs._folder import photographs_in


def read_input(x, **options):
    return read_images(x, ImageConverter(), **options)


@pytest.fixture
def folder(tmp_path, garments):
    for number in (10, 9, 1):
        Image.fromarray(garments[0][number]).save(tmp_path / f"photo{number}.PNG")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "sub.png").mkdir()
    return tmp_path


class TestReadPictures:
    def test_arrays_pass_untouched(self, every_form):
        for images in every_form.values():
            read = read_input(images)
            np.testing.assert_array_equal(fc.scale(read.images), fc.prepare_images(images))
            assert read[1:] == (None, None)

    def test_arrays_need_no_pillow(self):
        code = (
            "import sys, numpy as np, fashionclf.inputs as i, fashionclf.photographs as p;"
            "c = p.ImageConverter(); i.read_images(np.zeros((2, 28, 28)), c); i.read_images([np.zeros((28, 28))], c);"
            "sys.exit('PIL' in sys.modules or 'tensorflow' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_one_image(self, folder, garments):
        for source in (folder / "photo9.PNG", str(folder / "photo9.PNG")):
            images = read_input(source)
            np.testing.assert_array_equal(images.images[..., 0], garments[0][9:10])
            assert images.names == (str(folder / "photo9.PNG"),)

    def test_a_folder_in_natural_order(self, folder, garments):
        images = read_input(folder)
        assert images.names == ("photo1.PNG", "photo9.PNG", "photo10.PNG")
        np.testing.assert_array_equal(images.images[..., 0], garments[0][[1, 9, 10]])

    def test_names_in_natural_order(self, tmp_path):
        names = ["1.png", "02.png", "3 b.png", "3a.png", "A2.jpg", "a10.jpg", "b.gif", "x1y2.png", "x1y10.png"]
        for name in reversed(names):
            (tmp_path / name).touch()
        assert [path.name for path in photographs_in(tmp_path)[0]] == names

    def test_lists(self, folder, garments):
        image = garments[0][1]
        mixed = [str(folder / "photo9.PNG"), Image.fromarray(image), image, encoded(Image.fromarray(image))]
        for given_ in (mixed, tuple(mixed)):
            images = read_input(given_)
            np.testing.assert_array_equal(images.images[..., 0], garments[0][[9, 1, 1, 1]])
            assert images.names[0].endswith("photo9.PNG")
            assert images.names[2] == "x[2]"

    @pytest.mark.parametrize(
        ("x", "error", "message"),
        [
            ("no-such.png", FileNotFoundError, "no-such.png"),
            (["no-such.png"], FileNotFoundError, "no-such.png"),
            (b"bytes", TypeError, "BytesIO"),
            (["", "a.png"], ValueError, "empty string"),
            ([b"bytes"], TypeError, "BytesIO"),
        ],
    )
    def test_mistakes(self, x, error, message):
        with pytest.raises(error, match=message):
            read_input(x)

    @pytest.mark.parametrize("read", [read_input, load_image])
    def test_the_content_of_a_file_is_no_path(self, read):
        with pytest.raises(ValueError, match=r"not a possible path.*BytesIO") as caught:
            read("iVBORw0KGgo" * 500)
        assert len(str(caught.value)) < 250

    def test_a_folder_without_images(self, tmp_path):
        with pytest.raises(ValueError, match=r"has no images: expected files ending in \.avif, \.bmp"):
            read_input(tmp_path)

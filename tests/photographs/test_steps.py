"""From a photograph to 28x28 pixels."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from samples.photographs import FORMATS, difference, draw, encoded

from fashionclf.photographs import DoubtfulImageWarning, load_image, preprocessing_steps

IMAGES = arrays.arrays(
    st.sampled_from([np.uint8, np.int64]),
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4])),
    elements=st.integers(0, 255),
)


@pytest.fixture(scope="module")
def bright(garments):
    """Twenty drawn images without dark grey, which nobody can tell from the black around it."""
    images = garments[0][:20]
    return np.where(images < 48, 0, images).astype(np.uint8)


def noisy():
    return np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)


def nearly_blank():
    image = np.full((200, 200), 250, np.uint8)
    image[50:150, 50:150] = 230
    return image


DOUBTFUL = {
    "white": (np.full((300, 200), 255, np.uint8), "nothing stands out"),
    "black": (np.zeros((300, 200), np.uint8), "nothing stands out"),
    "one pixel": (np.zeros((1, 1), np.uint8), "nothing stands out"),
    "transparent": (np.zeros((90, 80, 4), np.uint8), "nothing stands out"),
    "blank and small": (np.full((28, 28), 7, np.uint8), "blank"),
    "white and small": (np.full((28, 28), 255, np.uint8), "it is blank"),
    "noise": (noisy(), "hard to separate from its background"),
    "faint": (nearly_blank(), "hardly differs"),
    "far away": (np.pad(np.full((20, 12), 255, np.uint8), 200), "only 20 pixels"),
    "no margin": (np.pad(np.full((196, 196, 4), 255, np.uint8), ((2, 2), (2, 2), (0, 0))), "fills nearly all"),
}


def photograph(image, rng, *, margin):
    """Enlarge a data set image and save it as a JPEG of dark ink on light, tinted paper, with plain paper around."""
    side = int(rng.integers(200, 901))
    filters = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    large = np.asarray(Image.fromarray(image).resize((side, side), filters[rng.integers(4)]), np.float32) / 255
    if margin:
        widths = (rng.uniform(0.02, 0.6, 4) * side).astype(int)
        large = np.pad(large, (tuple(widths[:2]), tuple(widths[2:])))
    paper = rng.uniform(200, 255) * (1 - rng.uniform(0, 0.18, 3))
    colours = paper + (rng.uniform(0, 50) - paper) * large[..., np.newaxis]
    return encoded(Image.fromarray(np.rint(colours).astype(np.uint8)), "JPEG", quality=int(rng.integers(60, 96)))


@pytest.fixture(scope="module")
def photographs(real_data):
    """200 test images as a model sees them after they were photographed, as they were, and their labels."""
    import fashionclf as fc

    test = fc.load_data("fashion_mnist", data_dir=real_data).test
    chosen = np.random.default_rng(0).choice(len(test.images), 200, replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulImageWarning)
        seen = [
            load_image(photograph(image, np.random.default_rng(i), margin=i % 2 == 0))  # half fill the image
            for i, image in enumerate(test.images[chosen])
        ]
    return np.stack(seen), test.images[chosen], test.labels[chosen]


class TestReadyPictures:
    @pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_files_come_through_unchanged(self, garments, mode, tmp_path):
        for image in garments[0][:20]:
            path = tmp_path / "image.png"
            file = Image.fromarray(image)
            if mode == "I;16":
                file = Image.fromarray(image.astype(np.uint16) * 257)
            file.convert(mode).save(path)
            np.testing.assert_array_equal(load_image(path), image)

    def test_arrays_come_through_unchanged(self, garments):
        for image in garments[0][:20]:
            for form in (image, image[..., np.newaxis], image / 255, image.astype(np.int32), np.asfortranarray(image)):
                np.testing.assert_array_equal(load_image(form), image)

    @settings(deadline=None)
    @given(arrays.arrays(np.uint8, (24, 24)))
    def test_whatever_is_dark_around_comes_through_unchanged(self, inside):
        image = np.pad(inside, 2)
        steps = preprocessing_steps(image)
        np.testing.assert_array_equal(steps.image, image)
        assert steps.doubts == (() if image.any() else ("it is blank",))

    def test_a_garment_may_fill_the_frame(self):
        image = np.full((28, 28), 200, np.uint8)
        image[:, :5] = image[:, -5:] = image[:9] = 0
        np.testing.assert_array_equal(load_image(image), image)

    def test_negatives_become_positives(self, garments):
        for image in garments[0][:100]:
            np.testing.assert_array_equal(load_image(255 - image), image)

    def test_grey_paper_becomes_black(self, bright):
        for image in bright:
            paper = np.rint(220 - image * (220 / 255)).astype(np.uint8)
            found = load_image(paper)
            assert (found[image == 0] == 0).all()
            assert difference(found, image) < 1.5


class TestPhotographs:
    def test_the_garment_fills_the_frame_bright_on_black(self, boot):
        assert boot.shape == (28, 28)
        assert boot.dtype == np.uint8
        assert boot.max() == 254
        assert boot[:10, 20:].max() == 0
        assert boot[20:, 5:20].min() > 200
        assert 80 < boot[5:10, 5:10].mean() < 160
        assert all(edge.any() for edge in (boot[0], boot[-1], boot[:, 0], boot[:, -1]))

    @pytest.mark.parametrize("size", [29, 50, 97, 256, 700, 1500])
    @pytest.mark.parametrize("margin", [0, 3, 41])
    def test_size_and_margin_do_not_matter(self, boot, size, margin):
        assert difference(load_image(draw(size, margin=margin)), boot) < (12 if size < 60 else 5)

    @pytest.mark.parametrize("corner", [(0, 0), (0, 900), (700, 0), (700, 900), (123, 456)])
    def test_place_does_not_matter(self, boot, corner):
        canvas = Image.new("RGB", (1000, 1200), (238, 236, 230))
        canvas.paste(draw(300, margin=0), corner)
        assert difference(load_image(canvas), boot) < 5

    @pytest.mark.parametrize("kind", FORMATS)
    def test_formats(self, boot, kind, tmp_path):
        path = tmp_path / f"boot.{kind.lower()}"
        draw().save(path, **FORMATS[kind])
        with path.open("rb") as file:
            from_file = load_image(file)
            assert not file.closed
        np.testing.assert_array_equal(from_file, load_image(path))
        np.testing.assert_array_equal(from_file, load_image(str(path)))
        assert difference(from_file, boot) < 5

    @pytest.mark.parametrize(
        "mode", ["1", "L", "LA", "La", "P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"]
    )
    def test_colour_modes(self, boot, mode):
        image = draw().quantize(64) if mode in ("P", "PA") else draw()
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, mode)).convert(mode)
        assert difference(load_image(image), boot) < (40 if mode == "1" else 5)

    @pytest.mark.parametrize(("mode", "top"), [("I;16", 65535), ("I;16B", 65535), ("I", 65535), ("F", 255), ("F", 1)])
    def test_deep_grey(self, boot, mode, top):
        grey = np.asarray(draw().convert("L"), np.float64) * (top / 255)
        kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
        image = Image.frombytes(mode, grey.shape[::-1], grey.astype(kind).tobytes())
        assert difference(load_image(image), boot) < 5

    @pytest.mark.parametrize("mode", ["I;16", "I"])
    def test_deep_grey_of_eight_bits(self, boot, mode):
        grey = np.asarray(draw().convert("L"))
        image = Image.frombytes(mode, grey.shape[::-1], grey.astype("<u2" if mode == "I;16" else "<i4").tobytes())
        assert difference(load_image(image), boot) < 5

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation(self, boot, orientation):
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that each orientation takes back
        stored = draw() if orientation == 1 else draw().transpose(Image.Transpose(undo[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert difference(load_image(encoded(stored, "JPEG", exif=exif)), boot) < 5

    @pytest.mark.parametrize("background", [(255, 255, 255), (250, 240, 215), (205, 225, 255), (200, 200, 200)])
    def test_light_paper(self, boot, background):
        steps = preprocessing_steps(draw(background=background))
        assert steps.inverted
        assert difference(steps.image, boot) < 12

    @pytest.mark.parametrize("background", [(0, 0, 0), (30, 25, 35), (60, 60, 60)])
    def test_a_dark_background_is_not_inverted(self, background):
        steps = preprocessing_steps(draw(background=background, shaft=(150, 150, 150), foot=(240, 230, 240)))
        assert not steps.inverted
        assert steps.image[20:, 5:20].min() > 200
        assert steps.image[:10, 20:].max() == 0

    def test_a_colour_with_the_grey_of_the_paper_is_found(self):
        steps = preprocessing_steps(draw(background=(150, 150, 150), shaft=(255, 124, 9)))
        assert steps.box[1] in range(58, 63)

    @pytest.mark.parametrize("turn", range(4))
    @pytest.mark.parametrize("kind", ["from one side", "falling off to the corners"])
    def test_uneven_light(self, boot, turn, kind):
        image = np.asarray(draw(), np.float64)
        down, across = np.linspace(-1, 1, 480)[:, np.newaxis], np.linspace(-1, 1, 420)
        side = (down, across, -down, -across)[turn]
        light = 0.82 + 0.18 * side + 0 * down * across
        if kind == "falling off to the corners":
            light = 1 - (0.05 + 0.03 * turn) * (down**2 + across**2)
        steps = preprocessing_steps(np.rint(image * light[..., np.newaxis]).astype(np.uint8))
        assert not steps.doubts
        assert difference(steps.image, boot) < 6

    def test_noise_and_specks(self, boot):
        rng = np.random.default_rng(0)
        image = np.asarray(draw(), np.float64) + rng.normal(0, 4, (480, 420, 3))
        image[rng.integers(0, 480, 30), rng.integers(0, 420, 30)] = 0
        steps = preprocessing_steps(image.clip(0, 255).astype(np.uint8))
        assert not steps.doubts
        assert difference(steps.image, boot) < 5

    def test_transparent_pixels_are_background(self, boot):
        cut_out = draw().convert("RGBA")
        cut_out.putalpha(draw(background=(0, 0, 0), shaft=(255,) * 3, foot=(255,) * 3).convert("L"))
        assert difference(load_image(cut_out), boot) < 8
        assert difference(load_image(np.asarray(cut_out)), boot) < 8
        palette = draw(background=(255, 0, 255)).quantize(8)
        clear = palette.getpixel((0, 0))
        for kind in ("PNG", "GIF"):
            assert difference(load_image(encoded(palette, kind, transparency=clear)), boot) < 8

    def test_a_white_garment_on_nothing_is_seen(self):
        cut_out = np.zeros((100, 100, 4), np.uint8)
        cut_out[20:80, 30:70] = 255
        steps = preprocessing_steps(cut_out)
        assert not steps.doubts
        assert steps.image[:, 8:20].min() >= 254

    @pytest.mark.parametrize(("height", "width"), [(40, 400), (400, 40), (300, 299)])
    def test_proportions_are_kept(self, height, width):
        photograph = np.full((1000, 1000), 255, np.uint8)
        cloth = np.random.default_rng(0).integers(0, 40, (height, width))  # in one colour it would be a drawing
        photograph[10 : 10 + height, 20 : 20 + width] = cloth
        image = load_image(photograph)
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(len(rows), len(columns)) == 28
        assert len(columns) / len(rows) == pytest.approx(width / height, rel=0.3)
        assert rows[0] - (27 - rows[-1]) in (0, 1)  # an odd pixel goes to the top and to the left
        assert columns[0] - (27 - columns[-1]) in (0, 1)

    def test_enlarging_is_taken_back(self, bright):
        for image in bright:
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            height, width = (round(length * 28 / max(cut.shape)) for length in cut.shape)
            whole = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.NEAREST))
            large = np.pad(whole.repeat(10, axis=0).repeat(10, axis=1), ((31, 17), (55, 90)))
            expected = preprocessing_steps(np.pad(whole, ((0, 1), (0, 1)))).image
            assert difference(load_image(large), expected) < 1
            assert difference(load_image(255 - large), expected) < 1

    def test_of_an_animation_the_first_frame_counts(self, boot):
        frames = [draw(), Image.new("RGB", draw().size)]
        for kind in ("GIF", "PNG", "WEBP"):
            file = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
            assert difference(load_image(file), boot) < 5

    @settings(deadline=None)
    @given(IMAGES)
    def test_any_array_gives_an_image_and_stays_as_it_is(self, image):
        before = image.copy()
        image.flags.writeable = False
        steps = preprocessing_steps(image)
        np.testing.assert_array_equal(image, before)
        assert steps.image.shape == (28, 28)
        assert steps.image.dtype == steps.original.dtype == steps.garment.dtype == np.uint8
        assert steps.original.shape == steps.mask.shape == image.shape[:2]
        left, top, right, bottom = steps.box
        assert 0 <= left < right <= image.shape[1]
        assert 0 <= top < bottom <= image.shape[0]
        assert steps.garment.shape == (bottom - top, right - left)

    @settings(deadline=None)
    @given(arrays.arrays(np.uint8, st.tuples(st.integers(4, 20), st.integers(4, 20)), elements=st.integers(40, 255)))
    def test_a_negative_gives_the_same_image(self, garment):
        image = np.pad(garment, 8)
        positive, negative = preprocessing_steps(image), preprocessing_steps(255 - image)
        assert positive.box == negative.box
        assert np.abs(positive.image.astype(int) - negative.image).max() <= 1  # a half may be rounded either way

    def test_steps_are_those_of_load_image(self, boot):
        image = draw()
        steps = preprocessing_steps(image)
        np.testing.assert_array_equal(steps.image, boot)
        assert steps.inverted
        assert all(abs(a - b) <= 2 for a, b in zip(steps.box, (60, 60, 360, 360), strict=True))
        assert steps.mask[:50].sum() == 0
        assert steps.mask[340, 100:300].all()
        np.testing.assert_array_equal(steps.original, np.asarray(image.convert("L")))


@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_images_are_said_to_be_doubtful(case):
    photograph, message = DOUBTFUL[case]
    with pytest.warns(DoubtfulImageWarning, match=message) as caught:
        image = load_image(photograph)
    assert image.shape == (28, 28)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert preprocessing_steps(photograph).doubts  # without a warning


def test_a_doubt_names_the_file(tmp_path):
    Image.new("L", (100, 100)).save(tmp_path / "night.png")
    with pytest.warns(DoubtfulImageWarning, match=r"night\.png' may be misread: "):
        load_image(tmp_path / "night.png")


@pytest.mark.slow
def test_images_of_the_data_set_come_through_unchanged(real_data):
    import fashionclf as fc

    for image in fc.load_data("fashion_mnist", data_dir=real_data).test.images[::5]:
        np.testing.assert_array_equal(load_image(image), image)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["cnn_fast", "cnn_accurate"])
def test_photographs_are_recognised_like_the_originals(photographs, preset):
    import fashionclf as fc

    seen, originals, labels = photographs
    trainer = fc.Trainer.from_preset(preset, pretrained=True)
    accuracy = trainer.evaluate(originals, labels)["accuracy"]
    recognised = trainer.evaluate(seen, labels)["accuracy"]
    print(f"{preset}: {accuracy:.3f} on the originals, {recognised:.3f} on photographs of them")
    assert recognised > accuracy - 0.03

import pytest

import fashionclf as fc


def test_names_are_the_data_sets_own():
    assert fc.CLASS_NAMES == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    assert fc.class_names() == fc.CLASS_NAMES
    assert fc.class_names("synthetic") == fc.CLASS_NAMES
    assert fc.class_names("mnist") == tuple("0123456789")


def test_korean():
    names = fc.class_names("fashion_mnist", "ko")
    assert names == ("티셔츠", "바지", "스웨터", "드레스", "코트", "샌달", "셔츠", "스니커즈", "가방", "앵클 부츠")
    assert fc.class_names("mnist", "ko") == fc.class_names("mnist")


def test_close_match_is_suggested():
    with pytest.raises(ValueError, match="Did you mean 'fashion_mnist'"):
        fc.class_names("fashion-mnist")
    with pytest.raises(ValueError, match="Unknown language 'kr'"):
        fc.class_names("mnist", "kr")

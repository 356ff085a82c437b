"""The words of reports and plots in Korean."""

import re
from collections.abc import Callable
from typing import Final, get_args

from fashionclf._types import Language
from fashionclf._validation import check_choice

_KOREAN: Final = {
    "accuracy": "정확도", "calibration error": "보정 오차", "epoch": "에포크", "images": "이미지 수", "loss": "손실",
    "log loss": "로그 손실", "most confused": "가장 많이 혼동한 클래스", "no mistakes": "틀린 예측 없음",
    "precision": "정밀도", "predicted class": "예측 클래스", "probability": "확률", "recall": "재현율",
    "top 3": "상위 3", "training": "훈련", "true class": "실제 클래스", "validation": "검증",
    "accuracy {} on {} images": "이미지 {1}개에서 정확도 {0}",
    "accuracy {} on {} images, in % of each true class": "이미지 {1}개에서 정확도 {0}, 실제 클래스별 %",
    "accuracy {} on {} images, in % of each predicted class": "이미지 {1}개에서 정확도 {0}, 예측 클래스별 %",
    "the first {} of {} images": "이미지 {1}개 중 처음 {0}개",
    "{}\ntrue: {}": "{}\n정답: {}",
    "image {}": "이미지 {}",
    "{} images, {} classes": "이미지 {}개, 클래스 {}개",
    "{} misclassified as {}: {}": "{} → {}: {}",
}  # fmt: skip


def words_in(language: Language) -> Callable[[str], str]:
    """Return a function from English words, which may hold names and numbers, to those in a language."""
    return str if check_choice(language, "language", get_args(Language)) == "en" else _in_korean


def _in_korean(text: str) -> str:
    for english, korean in _KOREAN.items():
        if found := re.fullmatch(re.escape(english).replace(r"\{\}", "(.+)"), text, re.DOTALL):
            return korean.format(*found.groups())
    return text

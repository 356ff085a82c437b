"""Named systems in one table: how each is built, trained and evaluated."""

from fashionclf.presets._table import Preset, get_preset, list_presets
from fashionclf.recipe import OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe

__all__ = ["OPTIMIZERS", "PRECISIONS", "SCHEDULES", "Preset", "Recipe", "get_preset", "list_presets"]

for _public in (Preset, get_preset, list_presets):
    _public.__module__ = __name__  # where it is imported from: a pickle must not name a private module

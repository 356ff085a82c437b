import numpy as np

from fashionclf import _preset_models


def test_whitening_filters_whiten():
    """Patches from the model's own distribution come out uncorrelated and of the same power, noise floor aside."""
    filters = _preset_models.whitening_filters(5, 4).reshape(25, 4)
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    rows, columns = (correlation**distance for correlation in _preset_models._CORRELATIONS)
    moment = _preset_models._VARIANCE * np.kron(rows, columns) + _preset_models._MEAN**2
    power = filters.T @ moment @ filters
    np.testing.assert_allclose(np.diag(power), 1, atol=0.25)
    assert np.abs(power - np.diag(np.diag(power))).max() < 0.25

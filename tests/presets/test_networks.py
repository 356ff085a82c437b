import numpy as np

from fashionclf.presets import _networks


def test_whitening_filters_whiten():
    """Patches from the model's own distribution come out uncorrelated and of the same power, noise floor aside."""
    filters = _networks.whitening_filters(5, 4).reshape(25, 4)
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    rows, columns = (correlation**distance for correlation in _networks._CORRELATIONS)
    moment = _networks._VARIANCE * np.kron(rows, columns) + _networks._MEAN**2
    power = filters.T @ moment @ filters
    np.testing.assert_allclose(np.diag(power), 1, atol=0.25)
    assert np.abs(power - np.diag(np.diag(power))).max() < 0.25

import pytest


@pytest.fixture(autouse=True)
def _double_precision(double_precision):
    """Every test here starts from one seed, in float64."""

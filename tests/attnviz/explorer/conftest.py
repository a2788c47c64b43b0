import pytest


@pytest.fixture(autouse=True)
def always_double(double_precision):
    """Every test here."""

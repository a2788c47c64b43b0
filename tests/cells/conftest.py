import pytest
import torch

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def always_double(double_precision):
    """Every test here."""


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param

import jaxtyping
import pytest


@pytest.fixture
def double_precision():
    """Starts from the same seed, in float64."""
    import torch  # here, so that tests of what needs no torch do not import it

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def unchecked():
    """Lets wrong arguments past the annotations' checker, as they are outside the tests."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)

import jaxtyping
import pytest


@pytest.fixture
def unchecked():
    """Lets wrong arguments past the annotations' checker, as they are outside the tests."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)

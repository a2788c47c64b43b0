import signal
import sys

import jaxtyping
import pytest

# A shell lets what it starts in the background, and whatever that starts, ignore the keyboard;
# tests that press Ctrl-C need processes that hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_left():
    """Closes the figures that a test left to pyplot, and forgets the terminals it spoke to."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
    if (console := sys.modules.get("attnviz.cli.console")) is not None:
        console.out.cache_clear()
        console.err.cache_clear()


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

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def full_data():
    """Where the full data sets are; skips where they are not."""
    if not os.environ.get("ATTNVIZ_DATA"):
        pytest.skip("needs the full data sets: set ATTNVIZ_DATA to the folder that holds them")
    return Path(os.environ["ATTNVIZ_DATA"])

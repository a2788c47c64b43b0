import subprocess
import sys

import pytest


@pytest.mark.slow
def test_compiled_it_reads_the_same_and_hooks_still_fire():
    subprocess.run([sys.executable, "-m", "tests.cells.compiled"], check=True)


def test_importing_the_cells_leaves_the_compiler_alone():
    script = "import sys, cells; sys.exit('torch._dynamo' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)

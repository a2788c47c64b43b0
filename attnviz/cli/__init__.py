"""The `attnviz` command."""

import atexit
import gc

__all__ = ["main"]

# The collector would look through all that a start makes, again and again and once more at the
# end, and find next to nothing to free: a third of the time that one figure takes.
_AT_ONCE = 50_000


def main() -> None:
    """Runs the command line."""
    gc.set_threshold(_AT_ONCE)
    atexit.register(gc.freeze)
    from attnviz.cli.app import main as run

    run()

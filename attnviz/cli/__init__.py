"""The `attnviz` command."""

import atexit
import gc

__all__ = ["main"]

# The collector would look through all that a start makes, again and again and once more at the
# end, and find next to nothing to free: a third of the time that one figure takes. A figure makes
# a third of a million things; whoever makes more is no longer starting.
_START, _LATER = 500_000, 50_000


def main() -> None:
    """Runs the command line."""
    gc.set_threshold(_START)
    gc.callbacks.append(_started)
    atexit.register(gc.freeze)
    from attnviz.cli.app import main as run

    run()


def _started(phase: str, info: object) -> None:
    """Lets the collector come more often, once it has come."""
    gc.set_threshold(_LATER)

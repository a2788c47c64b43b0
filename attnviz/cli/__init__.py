"""The `attnviz` command."""

from attnviz.cli.app import main

__all__ = ["main"]

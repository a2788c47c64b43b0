"""`python -m attnviz.cli`, where the command itself is not on the path."""

from attnviz.cli import main

main()

"""What a message says of Python, said in terms of a command."""

import re

__all__ = ["in_the_shell"]

_SAYINGS = (
    (r"^(effect_against|pair_interaction) needs", "This plot needs"),
    (r"Call attnviz\.ablate\(\.\.\., level='(\w+)'\)", r"Run attnviz ablate with --level \1"),
    (r"Record it with keep=\['(\w+)'\]", r"Record it with attnviz record --keep \1"),
    (
        r"Signals are chosen when recording: keep=\['(\w+)', \.\.\.\]",
        r"Signals are chosen when recording: attnviz record --keep \1,...",
    ),
    (r"pass reference=\[\.\.\.\]", r'give some with --reference "..."'),
    (r"its inputs: attnviz\.replacement_influence", "its inputs: attnviz influence"),
    (r"datasets? of attnviz\.replacement_influence or attnviz\.linear_influence",
     "a file of attnviz influence"),
    (r"effects from attnviz\.ablate", "effects from attnviz ablate"),
    (r"take paths from attnviz\.gradient_paths", "take paths from attnviz path-classes"),
    (r"attnviz\.export_trace makes", "attnviz export makes"),
    (r"\b(level|method)='(\w+)'( \([^)]*\))? or '(\w+)'", r"--\1 \2\3 or \4"),
    (r"\b(level|method)='(\w+)'", r"--\1 \2"),
)  # fmt: skip


def in_the_shell(message: str) -> str:
    """A message for the person who typed a command: arguments of functions become its options.

    Arguments:
        message: As the library says it.

    Returns:
        The message; what has no counterpart in the shell stays as it is.
    """
    for python, shell in _SAYINGS:
        message = re.sub(python, shell, message)
    return message

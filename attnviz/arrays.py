"""Whether what shall be an array of numbers is one."""

import numpy as np

__all__ = ["check_array"]


def check_array(
    owner: str, what: str, given: object, *, kinds: str = "biuf", axes: str = "",
    padded: bool = False,
) -> None:  # fmt: skip
    """Refuses what is no NumPy array of numbers of some kinds.

    Arguments:
        owner: The class that takes it, for the message.
        what: The name of its field.
        given: What came.
        kinds: NumPy's letters, such as `"iu"` for whole numbers.
        axes: In words, if they are to be said.
        padded: Whether it is of sequences, which may be of several lengths.

    Raises:
        TypeError: If it is none.
    """
    numbers = "whole numbers" if set(kinds) <= set("iu") else "numbers"
    wanted = f"{owner} takes {what} as a NumPy array of {numbers}{f' {axes}' if axes else ''}"
    if not isinstance(given, np.ndarray):
        how = ""
        if type(given).__name__ == "Tensor":
            how = f" Give {what}.detach().cpu().numpy()."
        elif isinstance(given, (list, tuple)):
            how = f" Give numpy.array({what})."
            if padded:
                how = f" Give numpy.stack({what}), of several lengths padded to one, with lengths=."
        kind = f"{type(given).__module__}.".removeprefix("builtins.") + type(given).__name__
        raise TypeError(f"{wanted}, got a {kind}.{how}")
    if given.dtype.kind not in kinds:
        raise TypeError(f"{wanted}, got one of {given.dtype}.")

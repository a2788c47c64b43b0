"""Whether what shall be an array of numbers is one."""

import numpy as np

__all__ = ["check_array"]


def check_array(owner: str, what: str, given: object, kinds: str = "biuf", axes: str = "") -> None:
    """Refuses what is no NumPy array of numbers of some kinds.

    Arguments:
        owner: What is made of it.
        what: It is, by its name there.
        given: What came.
        kinds: NumPy's letters, such as `"iu"` for whole numbers.
        axes: In words, if they are to be said.

    Raises:
        TypeError: If it is none.
    """
    numbers = "whole numbers" if set(kinds) <= set("iu") else "numbers"
    wanted = f"{owner} takes {what} as a NumPy array of {numbers}{f' {axes}' if axes else ''}"
    if not isinstance(given, np.ndarray):
        how = f"numpy.array({what})"
        if type(given).__name__ == "Tensor":
            how = f"{what}.numpy()"
        elif "time" in axes:
            how = "one of sequences padded to one length and stacked, with lengths="
        kind = f"{type(given).__module__}.".removeprefix("builtins.") + type(given).__name__
        raise TypeError(f"{wanted}, got a {kind}. Give {how}.")
    if given.dtype.kind not in kinds:
        raise TypeError(f"{wanted}, got one of {given.dtype}.")

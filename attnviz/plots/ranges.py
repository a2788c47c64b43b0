"""Numbers and ranges as they are typed, in the command and in figure specifications."""

__all__ = ["real_range", "whole_numbers", "whole_range"]


def whole_range(text: str, name: str) -> tuple[int, int]:
    """Two whole numbers with a colon between.

    Arguments:
        text: As typed, such as `100:160`.
        name: What is given, for the message.

    Returns:
        The first, and the one after the last.

    Raises:
        ValueError: If it is something else.
    """
    first, colon, last = text.partition(":")
    if not (colon and first.strip().isdecimal() and last.strip().isdecimal()):
        raise ValueError(
            f"{name} takes a first number and one after the last, such as 100:160, got {text!r}."
        )
    return int(first), int(last)


def real_range(text: str, name: str) -> tuple[float, float]:
    """Two numbers with a colon between.

    Arguments:
        text: As typed, such as `-0.5:0.5`.
        name: What is given, for the message.

    Returns:
        Both.

    Raises:
        ValueError: If it is something else, or not in order.
    """
    first, colon, last = text.partition(":")
    try:
        low, high = float(first), float(last)
    except ValueError:
        low = high = 0.0
    if not colon or not low < high:
        raise ValueError(f"{name} takes a lower and an upper end, such as 0:0.5, got {text!r}.")
    return low, high


def whole_numbers(text: str, name: str) -> list[int]:
    """Whole numbers with commas between.

    Arguments:
        text: As typed, such as `0,3,-1`.
        name: What is given, for the message.

    Returns:
        The numbers.

    Raises:
        ValueError: If it is something else.
    """
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ValueError(
            f"{name} takes whole numbers with commas between, such as 0,3, got {text!r}."
        ) from error

"""Each cell once more, as a reader of its paper would write it: NumPy, one row, unit by unit.

Nothing here shares code or structure with the cells. One gate is one matrix, one number is computed
at a time, and nothing is reused.
"""

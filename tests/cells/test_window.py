import torch

from cells.window import empty_window, push, reachable


def test_the_newest_state_comes_first_and_the_oldest_leaves():
    window = empty_window(3, 2, 4)
    states = [torch.full((2, 4), float(step)) for step in range(1, 6)]
    for state in states:
        window = push(window, state)
    assert [state[0, 0].item() for state in window] == [5, 4, 3]


def test_a_lag_is_reachable_once_so_many_steps_were_taken():
    steps = torch.tensor([0, 1, 3])
    known = reachable(steps, (1, 2, 3, 4), initial=False)
    with_initial = reachable(steps, (1, 2, 3, 4), initial=True)
    assert known.sum(dim=1).tolist() == [0, 1, 3]
    assert with_initial.sum(dim=1).tolist() == [1, 2, 4]

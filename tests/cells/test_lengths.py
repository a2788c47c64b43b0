import torch

from cells.lengths import Rows


def test_rows_are_read_longest_first_and_keep_their_order_among_equals():
    rows = Rows.sorted(torch.tensor([2, 4, 1, 4]), reverse=False)
    assert rows.order.tolist() == [1, 3, 0, 2]
    assert rows.running == [4, 3, 2, 2]
    many = Rows.sorted(torch.full((1000,), 3), reverse=False)
    assert many.order.tolist() == list(range(1000))


def test_timesteps_are_original_time_in_both_directions():
    lengths = torch.tensor([2, 4, 1])
    forward, backward = (Rows.sorted(lengths, reverse=reverse) for reverse in (False, True))
    assert [forward.timesteps(s).tolist() for s in range(4)] == [[0, 0, 0], [1, 1], [2], [3]]
    assert [backward.timesteps(s).tolist() for s in range(4)] == [[3, 1, 0], [2, 0], [1], [0]]


def test_restoring_undoes_arranging():
    lengths, x = torch.tensor([2, 4, 1]), torch.arange(5 * 3).reshape(5, 3, 1).double()
    inside = (torch.arange(5)[:, None] < lengths)[..., None]
    for reverse in (False, True):
        rows = Rows.sorted(lengths, reverse=reverse)
        steps = [
            step[:running] for step, running in zip(rows.to_walk(x), rows.running, strict=True)
        ]
        restored = rows.from_steps(steps, longest=5, fill=-1.0)
        assert torch.equal(restored, torch.where(inside, x, -1.0))


def test_rows_come_back_in_the_callers_order():
    rows = Rows.sorted(torch.tensor([2, 4, 1, 3]), reverse=False)
    x = torch.randn(4, 2)
    assert rows.sort_rows(x)[0].equal(x[1])
    assert torch.equal(rows.restore_rows(rows.sort_rows(x)), x)

from attnviz.suggesting import meant


def test_a_name_that_is_nearly_right_is_completed():
    assert meant("heatmapp", ["text", "heatmap"]) == " (did you mean 'heatmap'?)"
    assert meant("rra-imbd", ["gru-imdb", "rra-imdb"]) == " (did you mean 'rra-imdb'?)"
    assert meant("nobody", ["rra-imdb"]) == meant("x", []) == ""

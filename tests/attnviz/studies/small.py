"""A small study on the adding problem of five timesteps."""

from attnviz.studies import load_study_task, parse_study

TEXT = """
cells = ["rra", "lstm", "gru"]
score = "loss"

[task]
name = "adding"
length = 5
epoch_size = 48
held_out = 30

[recipe]
batch_size = 8
epochs = 3
model.hidden_size = 6

[recipe.rra]
model.options.window = 2

[search]
learning_rate = {log_uniform = [1e-3, 5e-2]}
model.dropout = {choice = [0.0, 0.1]}

[search.rra]
model.options.forget_bias = {choice = [0.0, 1.0, {chrono = 5}]}

[search.lstm]
model.options.forget_bias = {choice = [0.0, 1.0, {chrono = 5}]}

[trials]
count = 2
seed = 7
recipe.epochs = 2

[final]
seeds = [0, 1]

[sizes]
equal = ["hidden", "parameters"]

[checks]
every = 4
sequences = 20

[[question]]
text = "Does RRA solve it sooner than the LSTM?"
claim = "better"
cells = ["rra", "lstm"]
measure = "iterations"
margin = 1.0
"""


def written_table(path):
    """A table of sixty texts in two classes."""
    rows = [f"good {n},pos" if n % 2 else f"bad {n},neg" for n in range(60)]
    path.write_text("\n".join(["review,mood", *rows, ""]))
    return path


def small(text=TEXT, name="small"):
    study = parse_study(text, name=name, where="small.toml")
    return study, load_study_task(study)

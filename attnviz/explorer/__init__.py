"""The sentence explorer: in a notebook as a widget, and as a page that needs nothing else."""

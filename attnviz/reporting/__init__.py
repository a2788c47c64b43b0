"""One page on a model and a trace: card, results, figures, numbers, what to beware of."""

from attnviz.reporting.report import Sources, write_report

__all__ = ["Sources", "write_report"]

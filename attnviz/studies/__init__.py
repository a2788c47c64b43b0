"""Studies: several cells on one task under one protocol, and the tables of what came out.

What trains needs torch and is in `attnviz.studies.running`; reading studies and results does not.
"""

from attnviz.studies.curves import open_checks, open_curves, open_run_curve
from attnviz.studies.drawing import draw_trials
from attnviz.studies.jobs import Job, list_jobs
from attnviz.studies.loading import load_study_folds, load_study_task
from attnviz.studies.reading import parse_study, read_study
from attnviz.studies.records import Record, choose
from attnviz.studies.results import open_results, update_results
from attnviz.studies.study import Study

__all__ = [
    "Job",
    "Record",
    "Study",
    "choose",
    "draw_trials",
    "list_jobs",
    "load_study_folds",
    "load_study_task",
    "open_checks",
    "open_curves",
    "open_results",
    "open_run_curve",
    "parse_study",
    "read_study",
    "update_results",
]

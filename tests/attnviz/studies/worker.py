"""Works through the small study; to be killed. Argument: a folder."""

import sys
from pathlib import Path

from attnviz.studies.running import Watch, run_study
from tests.attnviz.studies.small import small

place = Path(sys.argv[1])
study, task = small()
watch = Watch(
    say=lambda message: print(message, flush=True),
    progress=lambda done, total: print(done, flush=True),
)
run_study(study, task, place / "runs", place / "results", watch=watch)

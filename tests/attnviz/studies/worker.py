"""Works through the small study; to be killed. Arguments: folder, steps to say."""

import sys
from pathlib import Path

from attnviz.studies.running import Watch, run_study
from tests.attnviz.studies.small import small

place = Path(sys.argv[1])
study, task = small()
watch = Watch(progress=lambda done, total: print(done, flush=True))
run_study(study, task, place / "runs", place / "results", watch=watch)

from .distribution.workers import join_workers as join_workers
from .rerunning import rerun as rerun

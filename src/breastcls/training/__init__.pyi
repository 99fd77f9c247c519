from .distribution.workers import join_workers as join_workers
from .fit_options import EpochSchedule as EpochSchedule
from .fit_options import FineTune as FineTune
from .fit_options import FrozenHead as FrozenHead
from .fit_options import Logging as Logging
from .rerunning import rerun as rerun

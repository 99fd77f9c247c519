from .assessment import Calibration as Calibration
from .assessment import assess_calibration as assess_calibration
from .calibrators import Calibrator as Calibrator
from .calibrators import fit_calibrator as fit_calibrator
from .stored_calibration import store_calibration as store_calibration

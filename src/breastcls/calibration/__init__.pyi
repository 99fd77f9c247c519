from .assessment import Calibration as Calibration
from .assessment import assess_calibration as assess_calibration
from .calibrators import Calibrator as Calibrator
from .calibrators import fit_calibrator as fit_calibrator

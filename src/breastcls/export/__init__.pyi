from .export_report import ExportReport as ExportReport
from .exporting import export_model as export_model
from .parity import Parity as Parity

from .figures import drawing_style as drawing_style
from .figures import new_axes as new_axes
from .figures import save_figure as save_figure
from .html_figure import figure_to_html as figure_to_html

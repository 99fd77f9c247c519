from .figures import save_figure as save_figure
from .html_figure import figure_to_html as figure_to_html

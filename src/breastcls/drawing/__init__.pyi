from .figures import save_figure as save_figure

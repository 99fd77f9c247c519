from .bootstrap import Bootstrap as Bootstrap

"""守号 Shouhao: keeps a hospital's appointment slots out of scalpers' hands."""

__version__ = "0.1.0"

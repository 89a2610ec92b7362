"""Accuracy reports as a web page, a table and a PDF."""

from rsmamba.report.page import page, write_page
from rsmamba.report.pdf import write_pdf
from rsmamba.report.table import rows, write_csv

__all__ = ["page", "rows", "write_csv", "write_page", "write_pdf"]

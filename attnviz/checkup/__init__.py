"""The check-up of a model: is it recorded rightly, and what is to be done if not?"""

from attnviz.checkup.examination import doctor
from attnviz.checkup.report import Finding, Report

__all__ = ["Finding", "Report", "doctor"]

"""`postroom doctor`: from "mail does not arrive" to the one line to change.

`examine` does it for an application: its own configuration object goes first, as when it sends.
"""

from postroom_cli.doctor.examination import examine
from postroom_cli.doctor.report import Report

__all__ = ["Report", "examine"]

"""A report for people: the first line says what is wrong, the last what to do."""

from postroom_cli import output
from postroom_cli.doctor.report import Report


def show(report: Report) -> None:
    """Print a report."""
    if report.failed is None:
        output.line("ok", report.cause, "yellow" if report.warnings else "green")
    else:
        output.line("failed", f"{report.failed}: {report.cause}", "red")
    if report.provider is not None:
        output.line("provider", f"{report.provider} ({report.distribution or 'of the application'})")
    for label, setting in zip(["settings", *[""] * len(report.settings)], report.settings, strict=False):
        output.line(label, f"{setting.variable}={setting.value or ''} ({setting.origin})")
    for warning in report.warnings:
        output.line("warning", warning.text, "yellow")
    for step in report.steps:
        if step.status == "ok":
            output.line(step.name, f"{step.seconds:.3f} s, {step.said}", "green")
        else:
            output.line(step.name, f"{step.seconds:.3f} s, failed: {step.said}", "red")
    if report.source is not None:
        output.line("see", report.source)
    if report.remedy is not None:
        output.line("remedy", report.remedy, "cyan")

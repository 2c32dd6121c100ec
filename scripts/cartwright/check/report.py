"""A check's report in the forms that people and machines read. One table of renderers; the core never prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as XML

from cartwright import __version__
from cartwright.kernel.findings import CheckReport, Finding
from cartwright.kernel.output import count

__all__ = ["RENDERERS", "as_text"]

_SARIF_LEVEL = {"error": "error", "warning": "warning"}


def as_text(report: CheckReport) -> str:
    """For people: each file with its findings, then one line of totals."""
    lines = []
    for file, findings in groupby(report.findings, key=lambda finding: finding.file):
        for one in findings:
            lines.append(f"{file}:{one.line}: {one.severity}: {one.rule}: {one.message}{_about(one)}")
    seen = report.coverage
    warnings = len(report.findings) - report.errors
    lines.append(
        f"{count(report.errors, 'error')}, {count(warnings, 'warning')} in "
        f"{count(seen.overlays, 'overlay')} of {count(seen.environments, 'environment')}: "
        f"{count(seen.objects, 'object')} judged by {count(seen.rules, 'rule')}, {count(seen.files, 'file')} read"
        if seen.overlays
        else f"{count(report.errors, 'error')}, {count(warnings, 'warning')}: "
        f"{count(seen.objects, 'object')} in {count(seen.files, 'file')} judged by {count(seen.rules, 'rule')}"
    )
    return "\n".join(lines)


def _as_json(report: CheckReport) -> str:
    return json.dumps(report.as_json(), indent=2, ensure_ascii=False)


def _as_github(report: CheckReport) -> str:
    """Annotations of a GitHub Actions run, and the totals."""
    lines = [
        f"::{one.severity} file={_property(one.file)},line={one.line},title={_property(one.rule)}::{_data(one.message)}"
        for one in report.findings
    ]
    return "\n".join([*lines, as_text(CheckReport(report.coverage, ())) if not report.findings else _totals(report)])


def _totals(report: CheckReport) -> str:
    return as_text(report).rsplit("\n", 1)[-1]


def _data(text: str) -> str:
    """Text of a workflow command: see GitHub's documentation of workflow commands."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _as_sarif(report: CheckReport) -> str:
    """SARIF 2.1.0, as code scanning services take it."""
    rules = sorted({finding.rule for finding in report.findings})
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "cartwright",
                        "version": __version__,
                        "rules": [{"id": rule} for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, rules.index(finding.rule)) for finding in report.findings],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _about(finding: Finding) -> str:
    return f" [{finding.resource.short}]" if finding.resource.kind else ""


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _SARIF_LEVEL[finding.severity],
        "message": {"text": f"{finding.message}{_about(finding)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": finding.file, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": finding.line},
                }
            }
        ],
    }


def _as_junit(report: CheckReport) -> str:
    """JUnit XML: a test case per rule that found something in a file; one that passed where nothing was found."""
    suite = XML.Element("testsuite", name="cartwright check", tests=str(max(1, len(report.findings))))
    suite.set("failures", str(report.errors))
    if not report.findings:
        XML.SubElement(suite, "testcase", classname="cartwright", name="check")
    for one in report.findings:
        case = XML.SubElement(suite, "testcase", classname=one.rule, name=_legal(f"{one.file}:{one.line}"))
        tag = "failure" if one.severity == "error" else "system-out"
        element = XML.SubElement(case, tag)
        if tag == "failure":
            element.set("message", _legal(one.message))
        element.text = _legal(f"{one.file}:{one.line}: {one.message} [{one.resource.short}]")
    XML.indent(suite)
    return XML.tostring(suite, encoding="unicode", xml_declaration=True)


def _legal(text: str) -> str:
    """Text without the control characters that XML 1.0 has no form for."""
    return "".join(char if char in "\t\n\r" or ord(char) >= 0x20 else "\ufffd" for char in text)


RENDERERS: Mapping[str, Callable[[CheckReport], str]] = MappingProxyType(
    {"text": as_text, "json": _as_json, "sarif": _as_sarif, "junit": _as_junit, "github": _as_github}
)
"""Every output format by its name on the command line."""

"""What ``doctor`` prints: findings for people, and a report to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tinyengine.doctor import Finding


def findings_text(findings: Sequence[Finding]) -> str:
    """What is there, what is not and what to do: a line each, and one for what has to be mended."""
    lines = []
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = "ok" if finding.good else "MISSING" if finding.essential else "-"
        lines.append(f"{mark:8}{finding.name:{width}}  {finding.found}  (for {finding.serves})")
        if finding.mend:
            lines.append(f"{'':8}{'':{width}}  -> {finding.mend}")
    return "\n".join(lines)


def doctor_report(
    system: Mapping[str, str], findings: Sequence[Finding], device: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Plain JSON values; ``device``: what :func:`tinyengine.report.device.device_report` says of one."""
    data: dict[str, Any] = {
        "system": dict(system),
        "findings": [asdict(finding) | {"good": finding.good} for finding in findings],
    }
    return data | ({"device": dict(device)} if device is not None else {})

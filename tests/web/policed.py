"""Changes of policies over HTTP: one asks, another agrees."""

from typing import Any

import httpx

from web.served import Caller, Hospital


def ask(hospital: Hospital, path: str, body: dict[str, Any], *, by: str = "outpatient_office") -> str:
    """Ask for a change of a policy; the approval's id."""
    said = hospital.staff(by).post(path, json=body)
    assert (said.status_code, said.json().get("state")) == (202, "asked"), said.text
    return str(said.json()["approval_id"])


def decide(approver: Caller, approval_id: str, *, approve: bool = True, reason: str = "同意") -> httpx.Response:
    """Say yes or no to what stands there."""
    shown = approver.get(f"/approvals/{approval_id}").json()
    body = {"approve": approve, "reason": reason, "payload_sha256": shown.get("payload_sha256", "0" * 64)}
    return approver.post(f"/approvals/{approval_id}/decision", json=body)


def changed(hospital: Hospital, path: str, body: dict[str, Any]) -> str:
    """Ask for a change and have another agree, so that it holds; the approval's id."""
    approval_id = ask(hospital, path, body)
    said = decide(hospital.staff("approver"), approval_id)
    assert (said.status_code, said.json()["state"], said.json()["stopped"]) == (200, "used", None), said.text
    return approval_id

"""What must hold of staff's data at any time, checked on the data itself: by `shouhao db check` and the worker."""

from shouhao.store.invariants import Invariant

INVARIANTS = (
    Invariant(
        code="staff.administers_and_audits",
        zh="没有人同时是管理员和审计员",
        en="Nobody both administers and audits",
        sql="SELECT id FROM operators WHERE active AND ',' || roles || ',' LIKE '%,administrator,%'"
        " AND ',' || roles || ',' LIKE '%,auditor,%'",
    ),
    Invariant(
        code="staff.asker_decided",
        zh="没有人审批过自己的申请",
        en="Nobody decided what they asked for",
        sql="SELECT a.id FROM approvals a JOIN approval_decisions d ON d.approval_id = a.id"
        " WHERE d.operator_id = a.asked_by",
    ),
    Invariant(
        code="staff.approved_by_too_few",
        zh="已批准或已使用的申请，同意人数达到要求且无人反对",
        en="What is approved or used was agreed to by as many as it needs, and refused by nobody",
        sql="SELECT a.id FROM approvals a WHERE a.state IN ('approved', 'used') AND (a.needed >"
        " (SELECT count(*) FROM approval_decisions d WHERE d.approval_id = a.id AND d.approve)"
        " OR EXISTS (SELECT 1 FROM approval_decisions d WHERE d.approval_id = a.id AND NOT d.approve))",
    ),
    Invariant(
        code="staff.decided_about_something_else",
        zh="每个决定所针对的内容与申请一致",
        en="Each decision is about what was asked",
        sql="SELECT a.id FROM approvals a JOIN approval_decisions d ON d.approval_id = a.id"
        " WHERE d.payload_sha256 <> a.payload_sha256",
    ),
)

"""Bundles for staff: issuers, lists that came, what each would change, acceptance, and our own lists for others."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.flows.watchlist_exchange import ask_import, ask_issuer, receive_bundle
from shouhao.flows.watchlist_export import ask_export, export_bundle, own_public_keys
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import require
from shouhao.watch.bundle import issuer_id_of
from shouhao.watch.bundle_diff import Difference, unpacked
from shouhao.watch.store.bundles import StoredBundle, all_bundles, all_issuers, close_issuer, find_bundle
from shouhao.web.console.watch_bytes import private
from shouhao.web.console.watch_lists import ListId
from shouhao.web.console.watchlist import KEEPERS, READERS, AskedShown, ReasonBody
from shouhao.web.depends import Here, OnDuty, RawBody, StaffWrite
from shouhao.web.description import failures, raw_body
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["watchlist"])

UPLOAD_MAX_BYTES = 64 * 1024 * 1024  #: larger ones are brought by `shouhao watchlist import`
_BINARY = "application/octet-stream"
_LOOK = failures(401, 403, 404, 422)
_WRITE = failures(400, 401, 403, 404, 409, 413, 415, 422)
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class IssuerBody(Body):
    """Whose lists are to be read; the fingerprint was compared by another way."""

    name: ShortText
    source: Literal["police", "hospital"]
    public_key: Key
    reason: LongText


class ExportBody(Body):
    """For whom, and why."""

    recipient: ShortText
    reason: LongText


class SealBody(Body):
    """For whose eyes: a passphrase, told by another way, or the recipient's key."""

    passphrase: Annotated[str, Field(min_length=12, max_length=200)] | None = None
    recipient_key: Key | None = None
    revoke_all: StrictBool = False


class IssuerShown(Shown):
    """Somebody whose lists are read here."""

    issuer_id: str
    name: str
    source: str
    public_key: str
    active: bool
    highest_number: int
    registered_at: Instant


class IssuerList(Shown):
    """In the order in which they were registered."""

    issuers: list[IssuerShown]


class KeysShown(Shown):
    """What others register this hospital by, and what they seal to."""

    issuer_id: str
    signing_key: str
    sealing_key: str


class BundleShown(Shown):
    """A list that came."""

    bundle_id: str
    issuer_id: str
    list_id: str
    number: int
    sha256: str
    state: str
    received_by: str | None
    received_at: Instant
    issued_at: Instant
    expires_at: Instant
    decided_at: Instant | None
    approval_id: str | None


class BundleList(Shown):
    """The newest first."""

    bundles: list[BundleShown]


class ReceivedShown(Shown):
    """It came, from whom it says; `recalled` entries have ended at once."""

    bundle_id: str
    new: bool
    recalled: int


class ProblemShown(Shown):
    """What cannot be taken, and where it stands."""

    place: str
    entry_id: str
    code: str
    zh: str
    en: str


class AlreadyShown(Shown):
    """Somebody who seems to be listed here already."""

    id: str
    entry_id: str
    how: str
    similarity_cos: float | None


class AlikeShown(Shown):
    """Two who look alike, or one and a member of staff."""

    id: str
    other_id: str | None
    operator_id: str | None
    similarity_cos: float


class DifferenceShown(Shown):
    """What acceptance would change, as a whole."""

    new: list[str]
    changed: list[str]
    same: list[str]
    gone: list[str]
    already: list[AlreadyShown]
    alike: list[AlikeShown]
    refused: list[ProblemShown]
    alike_from_cos: float | None


class BundleDetail(Shown):
    """A list that came, and what it would change; nothing yet while its faces are looked at."""

    bundle: BundleShown
    difference: DifferenceShown | None


@routes.get("/watchlist/keys", responses=failures(401, 403), summary="本院公钥 This hospital's public keys")
def keys(operator: OnDuty, system: Here) -> KeysShown:
    """供对方登记与加密。 For others to register and to seal to."""
    require(operator, *READERS)
    signing, sealing = own_public_keys(system.watchlist)
    return KeysShown(issuer_id=issuer_id_of(signing), signing_key=signing.hex(), sealing_key=sealing.hex())


@routes.get("/watchlist/issuers", responses=failures(401, 403), summary="签发方 Issuers")
def issuers(operator: OnDuty, system: Here) -> IssuerList:
    """已登记的公钥。 Keys that are registered."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = all_issuers(connection)
    return IssuerList(
        issuers=[
            IssuerShown(
                issuer_id=one.id,
                name=one.name,
                source=one.source,
                public_key=one.public_key.hex(),
                active=one.active,
                highest_number=one.highest_number,
                registered_at=one.registered_at_us,
            )
            for one in found
        ]
    )


@routes.post(
    "/watchlist/issuers",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请登记签发方 Ask to register an issuer",
)
def add_issuer(body: IssuerBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须另两人批准；指纹应以其他途径核对。 Two others must agree; compare the fingerprint by another way."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_issuer(
            connection,
            name=body.name,
            source=body.source,
            public_key=bytes.fromhex(body.public_key),
            reason=body.reason,
            operator=operator,
            now_us=write.now_us,
        )
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.post(
    "/watchlist/issuers/{issuer_id}/close", status_code=204, responses=_WRITE, summary="停用签发方 Close an issuer"
)
def close(issuer_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """不再接收其名单。 No more of its lists are taken."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> None:
        close_issuer(connection, issuer_id, staff_id=operator.id, now_us=write.now_us)

    return write.answer(act, status=204)


@routes.post(
    "/watchlist/bundles",
    status_code=201,
    responses=_WRITE,
    openapi_extra=raw_body(_BINARY),
    summary="接收名单包 Take a bundle in",
)
def receive(
    data: RawBody,
    operator: OnDuty,
    system: Here,
    list_id: Annotated[ListId, Query()],
    passphrase: Annotated[str | None, Header(alias="X-Bundle-Passphrase", max_length=200)] = None,
) -> ReceivedShown:
    """只核验签名与格式，不会因此布控任何人。 Nobody is listed by it; the same file twice is one bundle."""
    require(operator, *KEEPERS)
    received = receive_bundle(
        system.watchlist,
        data,
        list_id=list_id,
        passphrase=passphrase,
        operator=operator,
        now_us=system.clock.now_us(),
    )
    return ReceivedShown(bundle_id=received.bundle_id, new=received.new, recalled=received.recalled)


@routes.get("/watchlist/bundles", responses=failures(401, 403, 422), summary="收到的名单包 Bundles that came")
def bundles(operator: OnDuty, system: Here, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> BundleList:
    """最新的在前。 The newest first."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = all_bundles(connection, limit=limit)
    return BundleList(bundles=[_bundle_shown(one) for one in found])


@routes.get("/watchlist/bundles/{bundle_id}", responses=_LOOK, summary="名单包差异 What a bundle would change")
def bundle(bundle_id: Id, operator: OnDuty, system: Here) -> BundleDetail:
    """新增、变更、移除、已在册、过于相似、不予接收。 New, changed, gone, here already, too alike, refused."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = find_bundle(connection, bundle_id)
    difference = None if found.report is None else _difference_shown(unpacked(found.report))
    return BundleDetail(bundle=_bundle_shown(found), difference=difference)


@routes.post(
    "/watchlist/bundles/{bundle_id}/import",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请接受名单包 Ask that a bundle is accepted",
)
def accept(bundle_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """整体接受或不接受，须另两人批准。 As a whole or not at all; two others must agree."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_import(connection, bundle_id, reason=body.reason, operator=operator, now_us=write.now_us)
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.post(
    "/watchlist/lists/{list_id}/export",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请导出名单 Ask for an export",
)
def ask_for_export(list_id: ListId, body: ExportBody, operator: OnDuty, write: StaffWrite) -> Response:
    """仅导出本院自有条目；须另一人批准。 Our own cases alone; another must agree."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_export(
            connection,
            list_id,
            recipient=body.recipient,
            reason=body.reason,
            operator=operator,
            now_us=write.now_us,
        )
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.post(
    "/watchlist/exports/{approval_id}",
    response_class=Response,
    responses={200: {"description": "sealed bundle", "content": {_BINARY: {}}}, **_WRITE},
    summary="下载名单包（留痕） Fetch an export, on record",
)
def export(approval_id: Id, body: SealBody, operator: OnDuty, system: Here) -> Response:
    """仅申请人，一次；以口令或对方公钥加密。 For who asked, once; sealed by a passphrase or to a key."""
    require(operator, *KEEPERS)
    sealed = export_bundle(
        system.watchlist,
        approval_id,
        issuer_name=system.settings.hospital_name_zh,
        operator=operator,
        now_us=system.clock.now_us(),
        passphrase=body.passphrase,
        recipient_key=_recipient(body.recipient_key),
        revoke_all=body.revoke_all,
    )
    return private(sealed, _BINARY, download=f"{approval_id}.bundle")


def _recipient(key: str | None) -> bytes | None:
    if key is None:
        return None
    if int(key, 16) == 0:
        raise InvalidInput("recipient_key", zh="不是有效的 X25519 公钥", en="is no X25519 key")
    return bytes.fromhex(key)


def _bundle_shown(one: StoredBundle) -> BundleShown:
    return BundleShown(
        bundle_id=one.id,
        issuer_id=one.issuer_id,
        list_id=one.list_id,
        number=one.number,
        sha256=one.sha256,
        state=one.state,
        received_by=one.received_by,
        received_at=one.received_at_us,
        issued_at=one.issued_at_us,
        expires_at=one.expires_at_us,
        decided_at=one.decided_at_us,
        approval_id=one.approval_id,
    )


def _difference_shown(found: Difference) -> DifferenceShown:
    return DifferenceShown(
        new=list(found.new),
        changed=list(found.changed),
        same=list(found.same),
        gone=list(found.gone),
        already=[
            AlreadyShown(id=one.id, entry_id=one.entry_id, how=one.how, similarity_cos=one.similarity_cos)
            for one in found.already
        ],
        alike=[
            AlikeShown(id=one.id, other_id=one.other_id, operator_id=one.operator_id, similarity_cos=one.similarity_cos)
            for one in found.alike
        ],
        refused=[
            ProblemShown(place=one.place, entry_id=one.entry_id, code=one.code, zh=one.zh, en=one.en)
            for one in found.refused
        ],
        alike_from_cos=found.alike_from_cos,
    )

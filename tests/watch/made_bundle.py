"""Bundles of an issuer who does not exist, whole or broken in one place."""

import hashlib
import io
import json
import zipfile

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shouhao.watch.bundle import FORMAT, issuer_id_of, public_key_of

KEY = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"j" * 32)
PUBLIC = public_key_of(KEY)
ISSUER_ID = issuer_id_of(PUBLIC)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def given(entry_id, *photos, **changed):
    return {
        "id": entry_id,
        "name": f"某{entry_id}",
        "aliases": [],
        "document": None,
        "ground_code": "police_notice",
        "ground": "行政处罚决定书",
        "listed_at": "2026-02-01T08:00:00+08:00",
        "expires_at": "2026-12-31T00:00:00+08:00",
        "photos": [sha256(one) for one in photos],
        "documents": [],
        **changed,
    }


def manifest_of(entries, *, number=1, key=KEY, **changed):
    return {
        "format": FORMAT,
        "issuer": {"name": "某市公安局", "key": public_key_of(key).hex()},
        "number": number,
        "issued_at": "2026-03-01T08:00:00+08:00",
        "expires_at": "2026-11-01T00:00:00+08:00",
        "list": {"name": "号贩子名单", "ground": "治安管理"},
        "entries": entries,
        "revoked": [],
        "revokes_all": False,
        **changed,
    }


def signed(written, key=KEY):
    return key.sign(FORMAT.encode() + b"\0" + written)


def zipped(files, *, how=zipfile.ZIP_STORED):
    """A ZIP of (name, bytes) in this order, names repeated or hostile as they are given."""
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", how) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, compress_type=how)
    return place.getvalue()


def bundle(entries, *photos, documents=(), key=KEY, written=None, more=(), **changed):
    """A whole bundle; `written` replaces the manifest's bytes, before it is signed."""
    written = json.dumps(manifest_of(entries, key=key, **changed)).encode() if written is None else written
    files = [("manifest.json", written), ("manifest.sig", signed(written, key))]
    files += [(f"photos/{sha256(one)}", one) for one in photos]
    files += [(f"documents/{sha256(one)}", one) for one in documents]
    return zipped([*files, *more])


def key_of(issuer_id):
    return PUBLIC if issuer_id == ISSUER_ID else None


def decoded(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return msgspec.json.decode(archive.read("manifest.json"))

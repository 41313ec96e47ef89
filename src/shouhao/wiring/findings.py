"""Wiring of findings: who takes in what detectors found, and erases it when its time is over."""

from shouhao.flows.finding_duty import FindingFolders, erase_old_findings
from shouhao.flows.work import Duty
from shouhao.settings import Settings
from shouhao.store.engine import Database
from shouhao.store.vault import Vault


def finding_duties(settings: Settings, db: Database, vault: Vault) -> list[Duty]:
    """What is done about findings by itself; reading a whole night takes its time, and no release may wait for it."""
    days = settings.findings_keep_days
    erase = Duty(
        name="findings_over",
        do=lambda now_us: erase_old_findings(db, keep_days=days, now_us=now_us),
        every_s=3600.0,
    )
    if settings.findings_dir is None:
        return [erase]
    take = FindingFolders(db, vault, settings.findings_dir, keep_days=days)
    return [Duty(name="findings", do=take, every_s=30.0), erase]

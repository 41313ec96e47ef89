"""Phones and browsers: what a device calls itself and which id it carries.

Three sorts of device ids are about, because apps of several ages are: random ones, short ones, and those of old apps,
which begin with eight digits of the model. So thousands of honest phones share a beginning, and one model of every
thirty is in one pocket of twelve.
"""

import random
from dataclasses import dataclass

from shouhao.lab.scalping.chance import Weighted, zipf

_MODELS_TEXT = (
    "M2012K11AC V2055A PEQM00 iPhone14,5 iPhone12,1 ELS-AN00 LIO-AL00 V2254A PGT-AN10 NOH-AN00 iPhone15,3 RMX3461 "
    "22021211RC PHM110 V2073A ANA-AN00 OXF-AN00 JEF-AN00 iPhone13,2 CPH2025 M2007J17C VOG-AL00 BMH-AN10 2201123C "
    "V1962A PCLM10 iPhone11,8 MI8 HMA-AL00 LYA-AL00 REA-AN00 ALN-AL80 23013RK75C V2227A iPhone16,1 SM-G9910"
)
_MODELS = _MODELS_TEXT.split(" ")
_APP_VERSIONS = ("5.4.2", "5.4.1", "5.4.0", "5.3.6", "5.2.0", "4.9.8")
_WECHAT_VERSIONS = ("8.0.49", "8.0.48", "8.0.47", "8.0.44", "8.0.32", "7.0.22", "6.7.3")
_CHROME_VERSIONS = (133, 132, 131, 128, 120, 109, 86)
#: An old phone that nobody has updated for eight years; some honest people have one, and one script says it is one.
STALE_WECHAT = (
    "Mozilla/5.0 (Linux; Android 5.0; SM-N9100 Build/LRX21V) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/37.0.0.0 Mobile Safari/537.36 MicroMessenger/6.5.7.1041 NetType/WIFI Language/zh_CN"
)
_ID_SORTS = Weighted((60, 25, 15))
_RANDOM_ID, _SHORT_ID = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One device: a phone, or a browser at a desk."""

    id: str
    model: str
    app: str  #: what the hospital's app calls itself
    wechat: str
    web: str

    def agent(self, channel: str) -> str:
        """The user agent on a channel."""
        return {"app": self.app, "wechat": self.wechat}.get(channel, self.web)


class Shop:
    """Where devices come from."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._model, self._app, self._wechat, self._chrome = (
            zipf(len(of), 1.1) for of in (_MODELS, _APP_VERSIONS, _WECHAT_VERSIONS, _CHROME_VERSIONS)
        )
        self._type_codes = {model: f"86{self._rng.randrange(10**6):06d}" for model in _MODELS}

    def phone(self, *, model: str | None = None, old_app: bool = False, stale: bool = False) -> Phone:
        """A phone; its model and its versions by how common they are.

        Args:
            old_app: its id begins with its model's digits.
        """
        known = model or _MODELS[self._model.draw(self._rng)]
        return Phone(
            id=self.device_id(known, old_app=old_app),
            model=known,
            app=self._app_agent(known),
            wechat=STALE_WECHAT if stale else self._wechat_agent(known),
            web=self._web_agent(),
        )

    def model(self) -> str:
        """One of the common models."""
        return _MODELS[self._model.draw(self._rng)]

    def device_id(self, model: str, *, old_app: bool = False) -> str:
        """The id that an app on this model would carry."""
        sort = self._ID_OLD if old_app else _ID_SORTS.draw(self._rng)
        if sort == _RANDOM_ID:
            h = f"{self._rng.getrandbits(128):032x}"
            return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
        if sort == _SHORT_ID:
            return f"{self._rng.getrandbits(64):016x}"
        return f"{self._type_codes[model]}{self._rng.randrange(10**7):07d}"

    _ID_OLD = 2

    def _app_agent(self, model: str) -> str:
        version = _APP_VERSIONS[self._app.draw(self._rng)]
        if model.startswith("iPhone"):
            return (
                f"HospitalApp/{version} ({model}; iOS {self._rng.choice((15, 16, 17, 18))}.{self._rng.randint(0, 6)})"
            )
        return f"HospitalApp/{version} (Android {self._rng.choice((10, 11, 12, 13, 14))}; {model})"

    def _wechat_agent(self, model: str) -> str:
        version, net = _WECHAT_VERSIONS[self._wechat.draw(self._rng)], self._rng.choice(("WIFI", "4G", "5G"))
        if model.startswith("iPhone"):
            system = f"{self._rng.choice((15, 16, 17))}_{self._rng.randint(0, 6)}"
            return (
                f"Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                f"Mobile/15E148 MicroMessenger/{version} NetType/{net} Language/zh_CN"
            )
        return (
            f"Mozilla/5.0 (Linux; Android {self._rng.choice((10, 11, 12, 13))}; {model}) AppleWebKit/537.36 (KHTML, "
            f"like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/{version} NetType/{net} "
            "Language/zh_CN"
        )

    def _web_agent(self) -> str:
        version = _CHROME_VERSIONS[self._chrome.draw(self._rng)]
        system = self._rng.choice(
            ("Windows NT 10.0; Win64; x64", "Windows NT 6.1; WOW64", "Macintosh; Intel Mac OS X 10_15_7")
        )
        more = self._rng.choice(("", "", f" Edg/{version}.0.0.0", " 360SE", " QQBrowser/13.5.0"))
        return (
            f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36{more}"
        )

"""Consent texts: the words that people are asked with, each in numbered versions that stay for ever. Pure.

What somebody agreed to is these words and no others, so a change of one word is a new version, which is asked anew; a
test holds the hash of every version that was ever in force. `{hospital}` and `{contact}` are filled in when shown.
Source: PIPL art. 14, 16, 17, 29 to 31; measures on face recognition art. 5 to 7 and 10.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

Kind = Literal["notice", "messages", "child_data", "face_check", "face_leave_out"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Scope = Literal["account", "patient"]

#: Whose consent it is: of whoever signs in, or of one patient.
SCOPES: Final[Mapping[Kind, Scope]] = {
    "notice": "account",
    "messages": "account",
    "child_data": "patient",
    "face_check": "patient",
    "face_leave_out": "patient",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One text in one language."""

    title: str
    what: str  #: is used
    why: str
    kept: str  #: how long, and how safe
    without: str  #: what happens without it


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentText:
    """One version of one text."""

    kind: Kind
    version: str
    zh: Words
    en: Words

    @property
    def sha256(self) -> str:
        """The hash of its words in both languages, which each consent keeps."""
        said = {"kind": self.kind, "version": self.version, "zh": asdict(self.zh), "en": asdict(self.en)}
        return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


#: Every version, the oldest of each kind first; the last of a kind is in force.
TEXTS: Final[tuple[ConsentText, ...]] = (
    ConsentText(
        kind="notice",
        version="2026-1",
        zh=Words(
            title="我们怎样使用您的信息",
            what="就诊人的姓名、证件号码、出生日期和手机号；预约、候补和就诊情况；登录与操作的时间、网络地址和设备编号。",
            why="用于确认一人一档、预约挂号、告诉您结果、发现倒号。这些是预约挂号所必需的。"
            "点“我已阅读”只表示看过，不代表同意其他任何事；需要您同意的，在本页逐项单独询问。",
            kept="姓名、证件号码和手机号加密保存，页面上只显示一部分；工作人员查看之前须先登记理由。"
            "保存多久由{hospital}按法律规定的期限决定。",
            without="不想在网上提供的，带证件到窗口办理，规则和机会相同。"
            "您可以查看、复制、更正自己的信息，也可以要求删除、要求解释或投诉。联系{hospital}：{contact}",
        ),
        en=Words(
            title="How we use your information",
            what="Patients’ names, document numbers, birth days and phones; bookings, waits and visits; when and from "
            "which address and device you sign in and act.",
            why="To keep one record a person, to book, to tell you results, and to find scalpers. Booking is not "
            "possible without it. “I have read this” says that you saw it and agrees to nothing else; what needs your "
            "consent is asked for on this page, each thing by itself.",
            kept="Names, numbers and phones are kept sealed and shown in part; staff write down why before they look. "
            "How long it is kept {hospital} decides within what the law sets.",
            without="If you would rather not give it online, bring your document to the window: rules and chances are "
            "the same. You may see, copy and correct what is yours, ask for erasure or an explanation, or complain. "
            "Contact {hospital}: {contact}",
        ),
    ),
    ConsentText(
        kind="messages",
        version="2026-1",
        zh=Words(
            title="把结果发到手机",
            what="您登录所用渠道的账号，以及要告诉您的事：候补到号、抽签结果。",
            why="候补到的号有确认时限，过时会给下一位。发消息是为了让您及时知道。",
            kept="交给发送渠道的只有编号和时限，没有姓名、证件和病情。撤回后不再发送。",
            without="不发消息（登录验证码除外）。结果和时限照样在“我的”里看得到，也可打电话或到窗口询问。机会完全相同。",
        ),
        en=Words(
            title="Results to my phone",
            what="Your account with the channel that you use, and what there is to tell: a slot that came to you, the "
            "result of a draw.",
            why="A slot that comes from the waitlist must be accepted in time, or it goes to the next. A message lets "
            "you know early.",
            kept="The carrier is given ids and deadlines, and no name, document or illness. After you withdraw, "
            "nothing more is sent.",
            without="No messages (codes for signing in apart). Results and deadlines stand in “Mine” all the same; the "
            "phone line and the window tell you too. Your chances are exactly the same.",
        ),
    ),
    ConsentText(
        kind="child_data",
        version="2026-1",
        zh=Words(
            title="监护人同意：使用孩子的信息",
            what="未满 14 周岁孩子的姓名、证件号码、出生日期，预约、候补和就诊情况，以及谁是监护人。",
            why="由您作为监护人在网上为孩子预约、候补和退号。孩子的信息只作此用。",
            kept="与成人一样加密保存，查看须先登记理由。刷脸等其他事项不包括在内，另外询问。"
            "撤回后，孩子的刷脸核对立即停用，照片随即删除。",
            without="孩子照样可以预约和看病。不想在网上留信息的，请在“就诊人”中解绑，改到窗口办理，规则和机会相同。",
        ),
        en=Words(
            title="Guardian’s consent: my child’s information",
            what="Name, document number and birth day of a child under 14, bookings, waits and visits, and who the "
            "guardians are.",
            why="So that you, as guardian, can book, wait and return slots for the child online. It is used for "
            "nothing else.",
            kept="Sealed like that of adults, and looked at only after writing down why. Faces and all else are not in "
            "this and are asked for apart. When you withdraw, checks of the child’s face stop at once and the "
            "photograph is erased.",
            without="The child can be booked for and treated all the same. If you want nothing kept online, unbind the "
            "child under “People” and come to the window: rules and chances are the same.",
        ),
    ),
    ConsentText(
        kind="face_check",
        version="2026-1",
        zh=Words(
            title="人证合一：刷脸核对身份",
            what="您自己提供的照片，和由它算出的人脸特征。人脸是敏感个人信息，一旦泄露无法更换，所以单独问您。",
            why="取号或办理时，只与您本人的照片比对，确认来的是您，防止号被倒卖冒用。不与任何名单比对，不作其他用途。",
            kept="加密保存在医院内，不经互联网对外传输。撤回后立即停止比对，随即销毁密钥并删除照片和特征。",
            without="出示证件，由工作人员核对，效力相同。预约、候补、取号和就诊都不受影响。",
        ),
        en=Words(
            title="Checking my face against my document",
            what="A photograph that you give yourself, and the numbers computed from the face. A face is sensitive: "
            "once it is out, it cannot be changed. That is why this is asked by itself.",
            why="When you check in, you are compared with your own photograph alone, so that nobody comes in your name "
            "with a slot that was sold. It is compared with no list and used for nothing else.",
            kept="Sealed, in the hospital, and not sent over the internet. When you withdraw, comparing stops at once, "
            "the key is destroyed, and photograph and numbers are erased.",
            without="Show your document and staff will check it: it counts the same. Booking, waiting, checking in and "
            "seeing the doctor are not affected.",
        ),
    ),
    ConsentText(
        kind="face_leave_out",
        version="2026-1",
        zh=Words(
            title="用我的照片避免误认",
            what="您为刷脸核对提供的同一张照片的人脸特征。",
            why="有人多日频繁出现在窗口时，会由人复核是不是号贩子。您当天有预约的，先用您的照片比对一次，把您排除在外。"
            "只得出“是”或“不是”，不记录是谁。",
            kept="不另外保存任何东西，比对完即清除。撤回“刷脸核对”时，这一项也随之撤回。",
            without="不作这项比对，其他一切不变。",
        ),
        en=Words(
            title="My photograph, so that I am not mistaken",
            what="The same numbers of your face that you gave for checks against your document.",
            why="When somebody is at the windows on many days, people look whether it may be a scalper. If you had an "
            "appointment on such a day, your photograph is compared once to leave you out. The answer is yes or no; "
            "who it was is not written down.",
            kept="Nothing more is kept; it is cleared after comparing. Withdrawing the check of your face withdraws "
            "this too.",
            without="This comparison is not made. Nothing else changes.",
        ),
    ),
)


def text_in_force(kind: Kind) -> ConsentText:
    """The words that are asked with now."""
    return [text for text in TEXTS if text.kind == kind][-1]


def find_text(kind: str, version: str) -> ConsentText | None:
    """The words that somebody agreed to, however long ago."""
    return next((text for text in TEXTS if (text.kind, text.version) == (kind, version)), None)

"""Words of a dry run: what each figure is and where it ends, in the order in which they are shown."""

from collections.abc import Mapping
from typing import Literal

Unit = Literal["sessions", "slots", "people", "share"]

#: What each figure is, in the order in which they are shown.
FIGURES: Mapping[str, tuple[Unit, str, str]] = {
    "sessions": ("sessions", "参与试算的排班数。", "Sessions that were given out again."),
    "seats": (
        "slots",
        "这些排班放出的号数，不含加号和来源方自留的号。",
        "Slots that they released; extra ones and those the source kept are not among them.",
    ),
    "asked": (
        "people",
        "放号后申请过的人数，一人只计一次；因限额、限制等被拒的不计，放弃申请的无从得知。",
        (
            "People who asked, each once. Who was refused for a limit or a restriction is not counted; who gave up"
            " without asking is not seen."
        ),
    ),
    "served": (
        "people",
        "得到过号的人数，一人只计一次，含退回后再给出的号。",
        "People who got a slot, each once, with slots that came back and were given again.",
    ),
    "contested": (
        "sessions",
        "申请人数多于号数的排班数。",
        "Sessions for which more people asked than there were slots.",
    ),
    "drawn": ("sessions", "全部或部分经抽签放号的排班数。", "Sessions of which all or some went by draw."),
    "too_small": (
        "sessions",
        "号数不够拨给各部分的排班数；试算时各部分按比例缩小。",
        "Sessions too small for the parts of the policy; here the parts shrink in proportion.",
    ),
    "chance": (
        "share",
        "供不应求的排班中，申请人得到该排班号的比例，按排班平均。先到先得时这不是机会，而是快者所得。",
        (
            "In contested sessions, the share of those who asked that got a slot of that session, as a mean over"
            " sessions. Under first come it is no chance: the fast get it."
        ),
    ),
    "first_second": (
        "share",
        "给出的号中，归于放号后 1 秒内首次申请者的比例。抽签时他们仍可能中签，但不是因为快。",
        (
            "Of the slots given, the share that went to people who first asked within one second of the release. In a"
            " draw they may still win, but not for being fast."
        ),
    ),
    "first_ten": (
        "share",
        "给出的号中，归于放号后 10 秒内首次申请者的比例。抽签时他们仍可能中签，但不是因为快。",
        (
            "Of the slots given, the share that went to people who first asked within ten seconds of the release. In a"
            " draw they may still win, but not for being fast."
        ),
    ),
    "crowd": (
        "slots",
        "归于曾为 3 人及以上申请的账号的号数；其中有家庭，也可能有号贩子，此数不加区分。",
        (
            "Slots that went to accounts which asked for three or more people; families are among them, scalpers may"
            " be, and this figure does not tell them apart."
        ),
    ),
    "again": (
        "people",
        "原来得到号的人中，在该策略下也会得到号的人数。",
        "Of the people who got a slot as it was, those who would also get one under the policy.",
    ),
    "neither": (
        "people",
        "两种规则下都没有得到号的人数。",
        "People who get nothing either way.",
    ),
    "returned": (
        "slots",
        "退回或逾期未付而放出的号数。策略改变后退号的多少也会变，试算按同样多计。",
        "Slots that were given back or let go unpaid. Under another policy other numbers come back; here as many do.",
    ),
    "handed_on": (
        "slots",
        "退回后按候补次序给出、不再公开的号数；假定没有得到号的申请人都在候补。",
        "Slots that came back and went down the waitlist and not to the public, if everybody who got nothing waited.",
    ),
}

#: What holds for all figures.
LIMITS: tuple[tuple[str, str], ...] = (
    (
        "过去的需求是原规则下的需求；规则改变后，人们申请的时间、方式和人数都会变。",
        "The demand is demand under the old rule: under another, people ask otherwise, at other moments.",
    ),
    ("没有申请就放弃的人看不到。", "Nobody who gave up without asking is seen."),
    (
        "每人单独计算：同行的家人没有合为一组，每人的预约限额没有重新核算。",
        (
            "Everybody stands alone: families who would enter together are not joined, and limits a person are not"
            " applied anew."
        ),
    ),
    (
        "同一科室同时放号的排班按一次抽签计，申请的先后作为志愿次序。",
        (
            "Sessions of one department that were released at one moment count as one draw, and the order in which a"
            " person asked for them as their wishes."
        ),
    ),
    (
        "曾经抽签的排班没有先后可言，先到先得时的次序按随机计。",
        "Where a session went by draw nobody was first, so under first come its order is taken by chance.",
    ),
    (
        "含随机的数字是多次试算的平均，不是预测。",
        "Figures in which chance has a part are means over several draws, not a forecast.",
    ),
)

PART_USE: tuple[str, str] = (
    "拨给各部分的号数，以及其中有人以该方式申请的号数。过去的数据不标记转诊，转诊部分总显示为无人申请。",
    (
        "Slots set apart for each part, and for how many of them somebody asked that way. Past demand has no mark of a"
        " referral, so that part always shows as not asked for."
    ),
)
CONTESTED: tuple[str, str] = (
    "申请人数多于号数的排班，最紧张的在前；机会为申请人在该策略下得到该排班号的比例。",
    (
        "Sessions for which more people asked than there were slots, the tightest first; the chance is the share of its"
        " askers who would have a slot of it under the policy."
    ),
)

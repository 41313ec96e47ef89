"""Words of the comparison: rows, captions, findings and what was assumed. Chinese first, English second."""

ROWS: dict[str, tuple[str, str]] = {
    "gang_share_first": ("最初被团伙拿走的号", "slots the gang got at first"),
    "held_by_patients": ("最终由患者自己得到的号", "slots that patients got by themselves in the end"),
    "held_by_buyers": ("最终由患者向团伙买到的号", "slots that patients bought from the gang"),
    "honest_chance": ("一位患者自己得到号的机会", "a patient's chance to get one by themselves"),
    "sales_tried": ("团伙试图转卖的次数", "resales that the gang tried"),
    "sales_reached": ("转卖成功（号真的到了买家手里）", "resales after which the buyer had the slot"),
    "strangers_chance": ("任何一个想要该号的人碰巧得到它的机会", "the chance of anybody else who wants that slot"),
    "extra_yuan": ("患者付给团伙的钱，元", "what patients paid the gang, yuan"),
    "sold_out_s": ("约满所需时间，秒", "seconds to sell out"),
}

NOT_IN_THE_PRODUCT = (
    "（旧做法；本系统已不提供，由实验室开关模拟）",
    " (the old way; the product has it no more, a switch of the lab's imitates it)",
)

KEYS: dict[str, tuple[str, str]] = {
    "first": (
        "最初谁得到了号；虚线为团伙在人数中的占比",
        "Who got the slots at first; dashed: the gang's share of the people",
    ),
    "speed": (
        "患者自己得到号的机会，按手速从快（1）到慢（10）分十组",
        "A patient's chance to get a slot, by speed: from the fastest tenth (1) to the slowest (10)",
    ),
    "end": ("最终号在谁手里", "Who holds the slots in the end"),
    "resales": ("转卖成功的比例", "Resales after which the buyer had the slot"),
}

#: For the regime of that name; filled in with its own numbers.
FINDINGS: tuple[tuple[str, str, str], ...] = (
    (
        "first_come_open",
        (
            "先到先得、退号即刻公开：团伙拿走 {gang_share_first} 的号，转卖成功 {sales_reached}，患者为此多付 "
            "{extra_yuan} 元；只有手最快的人还有机会。"
        ),
        (
            "First come with open returns: the gang takes {gang_share_first} of the slots, {sales_reached} of its "
            "resales succeed, and patients pay {extra_yuan} yuan on top; only the fastest have a chance."
        ),
    ),
    (
        "first_come",
        (
            "只加候补：团伙最初仍拿走 {gang_share_first}，但转卖成功 {sales_reached}；它退掉的号归候补的人，最终 "
            "{held_by_patients} 的号由患者自己得到。"
        ),
        (
            "With a waitlist alone the gang still takes {gang_share_first} at first, but {sales_reached} of its "
            "resales succeed: what it returns goes to those who wait, and {held_by_patients} of the slots end with "
            "patients."
        ),
    ),
    (
        "draw_alone",
        (
            "只抽签、不候补：团伙最初得到 {gang_share_first}；但退回的号休息 1 至 2 小时后公开，脚本一直守着，转卖仍"
            "成功 {sales_reached}。间隔只能拖延，候补才能堵住。"
        ),
        (
            "With a draw alone the gang gets {gang_share_first} at first; yet returned slots open after one to two "
            "hours, its script keeps looking, and {sales_reached} of its resales still succeed. A rest only delays; "
            "the waitlist is what closes the door."
        ),
    ),
    (
        "draw",
        (
            "抽签加候补：团伙最初得到 {gang_share_first}，与其人数占比 {fair} 相当；转卖成功 {sales_reached}；手快手"
            "慢机会一样。"
        ),
        (
            "Draw and waitlist: the gang gets {gang_share_first} at first, about its share of the people, {fair}; "
            "{sales_reached} of its resales succeed; fast or slow, the chance is the same."
        ),
    ),
)

#: What the figures rest on.
ASSUMED: tuple[tuple[str, str], ...] = (
    (
        (
            "团伙占人数的 {fair}。只要这些身份是真实的，任何对人一视同仁的规则都不可能让它所得低于这个比例；“按比例”"
            "就是公平规则的极限。要再低，只能减少它手里的身份（人证核验、识别团伙）。"
        ),
        (
            "The gang is {fair} of the people. As long as its identities are real, no rule that treats people alike "
            "can give it less: in proportion is the best that a fair rule can do. Less than that takes fewer "
            "identities in its hands (checking who is there, finding rings)."
        ),
    ),
    (
        (
            "假设：患者从可以操作到按下平均约 3 秒，每人有 {wishes} 个可接受的排班；团伙脚本 5 至 60 毫秒，每个身份只"
            "占一个号，随后找空手而归、愿意买的患者（{would_buy:.0%}），退号并立即用买家名字再约，每个 {price_yuan} "
            "元。"
        ),
        (
            "Assumed: patients take about 3 s to press, and would each take {wishes} sessions; the gang's script "
            "takes 5 to 60 ms. Each of its identities takes one slot, finds a patient who went away empty-handed and "
            "would buy ({would_buy:.0%}), returns it and books at once in the buyer's name, for {price_yuan} yuan "
            "each."
        ),
    ),
    (
        (
            "假设：{pays:.0%} 的患者按时付款，{returns:.0%} 之后退号，{notices:.0%} 及时看到候补通知；没有候补时，"
            "{looks_again:.0%} 的人隔几分钟再看一次。这里没有对机器的拦截（网关限流、验证），只看规则本身。"
        ),
        (
            "Assumed: {pays:.0%} of patients pay in time, {returns:.0%} return later, {notices:.0%} see an offer in "
            "time; where there is no waitlist {looks_again:.0%} look again every few minutes. Nothing here stops "
            "machines (limits, challenges): it shows what the rules alone do."
        ),
    ),
    (
        "“±”为各次重复之间的标准差。每次结束都核对了全部数据不变式。演示人物都是编造的，结束后不留下任何文件。",
        (
            "“±” is the standard deviation over the repetitions. After each, every invariant of the data was checked. "
            "The people are made up, and no file of them is left."
        ),
    ),
)

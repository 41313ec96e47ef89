"""Limits of the method, in plain words. Chinese first, English second."""

LIMITS: tuple[tuple[str, str], ...] = (
    (
        (
            "它看到的是记录，不是人。同一份记录常有清白的解释：给全家约号、单位代办、养老院、共用的网络。能认出的已"
            "列在“为它说话的情况”里，认不出的还有很多。"
        ),
        (
            "It sees records, not people. The same records often have an honest explanation: booking for a family, "
            "for a care home, for colleagues, over a shared network. What could be recognised is listed as "
            "speaking for the subject; much cannot be."
        ),
    ),
    (
        "各条权重按“理由互不相干”相加。理由若出自同一件事，分数会偏高；已知的重叠已扣除，未知的没有。",
        (
            "Weights are added as if reasons did not depend on each other. Where they come from one and the same "
            "thing the score is too high; overlaps that are known have been taken off, others have not."
        ),
    ),
    (
        "基准率（一般有多少人倒号）是假定的，不是从这些数据里量出来的。它对所有人相同，只移动起点，不改变排序。",
        (
            "The base rate (how many people scalp at all) is assumed and not measured in these data. It is one for "
            "all of a kind: it moves the start, not the order."
        ),
    ),
    (
        "慢的、用真手机和家庭宽带、每个账号只约几次的倒号者，可能完全看不出来。没有发现不等于没有。",
        (
            "Scalpers who go slowly, with real phones over home lines and few bookings an account, may not show at "
            "all. Nothing found does not mean nothing there."
        ),
    ),
    (
        (
            "日志里的浏览器标识、转发地址（X-Forwarded-For）、Cookie 由对方自己填写，可以伪造；只有服务器记下的地址"
            "和时间较可靠。"
        ),
        (
            "User agents, forwarded addresses (X-Forwarded-For) and cookies are written by the sender and can be "
            "made up; only the address and the time that the server took down are fairly sure."
        ),
    ),
    (
        (
            "与放号时刻比较的理由取决于时钟。两个来源的时钟差已估计并写明，但差值会漂移；差值与所说的间隔相近时不要"
            "采信。导出中没有放号时刻的，取多人同时开始抢号的那一整分钟。"
        ),
        (
            "Reasons that compare with the moment of a release depend on clocks. The difference between sources "
            "was estimated and is stated, but clocks drift: do not rely on an interval that is about as long as "
            "the difference. Where the export does not say when slots were released, it is taken to be the full "
            "minute in which a crowd began to ask."
        ),
    ),
    (
        "页面只显示每条理由的前几行；完整的出处在 findings.jsonl 里，每条理由最多引用 1,000 行。",
        (
            "The page shows the first lines of each reason; all places are in findings.jsonl, at most 1,000 rows a "
            "reason."
        ),
    ),
    (
        "处理之前请给当事人申诉的机会，并由另一人复核。系统可以延迟、加验证、指路，不能替人认定。",
        (
            "Before anything is done, let the person concerned answer, and have a second person look. The system "
            "may delay, ask for more proof and point; it does not decide."
        ),
    ),
)

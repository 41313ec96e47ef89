"""Words of the report's page: reasons, deeds, and what is real in it and what is not. Chinese first, English second."""

REASONS: dict[str, tuple[str, str]] = {
    "booking.session_not_released": ("尚未放号", "not released yet"),
    "booking.sold_out": ("号源已约满", "sold out"),
    "booking.already_booked": ("本人在该排班已有预约", "this person already has a slot of the session"),
    "booking.limit_reached": ("已达个人预约上限", "this person's limit is reached"),
    "booking.binding_too_new": ("绑定时间过短，不能约热门号", "bound too recently for a hot session"),
    "booking.restricted": ("在限制期内（退号冷静、爽约等）", "restricted for a while (after a return, no-shows)"),
    "booking.slot_taken": ("指定的号已被约走", "the slot asked for is taken"),
    "booking.session_closed": ("该排班已停止预约", "the session takes no more bookings"),
    "booking.hold_expired": ("支付时限已过", "the time to pay is over"),
    "booking.wrong_state": ("当前状态不能进行此操作", "not possible in the booking's state"),
    "booking.offer_expired": ("候补确认时限已过", "the time to accept is over"),
    "booking.already_waiting": ("已在该排班候补中", "waits for this session already"),
    "booking.too_many_waits": ("候补数已达上限", "on as many waitlists as allowed"),
    "booking.waitlist_not_open": ("现在不能加入候补", "the waitlist cannot be joined now"),
    "booking.waitlist_closed": ("候补已截止", "the waitlist is closed"),
    "booking.draw_not_open": ("不在抽签报名时间内", "the draw does not take entries now"),
    "booking.duplicate_entry": ("本人已在这次抽签中", "this person is in the draw already"),
    "booking.same_person_entered": ("同名同生日者已用另一证件报名", "the same person entered by another document"),
    "booking.busy": ("排队已满，请稍后再试", "the queue is full, try again"),
    "unavailable": ("系统繁忙，请稍后再试", "busy, try again"),
}

HALVES: dict[str, tuple[str, str]] = {
    "am": ("上午", "morning"),
    "pm": ("下午", "afternoon"),
    "evening": ("晚上", "evening"),
}

DEEDS: dict[str, tuple[str, str]] = {
    "book": ("预约", "booking"),
    "again": ("约到后再约一次", "asking again after getting one"),
    "repeat": ("同一请求重发", "the same request again"),
    "begin_payment": ("发起支付", "beginning to pay"),
    "pay": ("付款", "paying"),
    "return": ("退号", "returning"),
    "enter": ("抽签报名", "entering a draw"),
    "join": ("加入候补", "joining a waitlist"),
    "accept": ("确认中签或候补到的号", "accepting an offer"),
    "decline": ("放弃中签或候补到的号", "declining an offer"),
}

#: Filled in with the report's own numbers.
NOTES: tuple[tuple[str, str], ...] = (
    (
        (
            "真的：服务器就是正式程序，独立进程，内置默认设置（SQLite 写入磁盘后才答复）；"
            "{requests} 个 HTTP 请求（{deeds}），放号、抽签、候补排序和转交由后台任务按时执行。"
        ),
        (
            "Real: the server is the program itself in its own process with embedded defaults (SQLite, on disk before "
            "any answer); {requests} HTTP requests ({deeds_en}); the worker released the sessions at their time, "
            "made the draws, put the waitlists in order and handed slots on."
        ),
    ),
    (
        (
            "不是真的：所有姓名、证件号、手机号、医生和排班均由种子随机生成"
            "({departments} 个科室，{doctors} 位医生，{sessions} 个排班，{slots} 个号）；没有真实患者。"
        ),
        (
            "Not real: every name, ID number, phone, doctor and session is made up from a seed ({departments} "
            "departments, {doctors} doctors, {sessions} sessions, {slots} slots); there is no real patient."
        ),
    ),
    (
        (
            "预先写入：{patients} 位患者通过与接口相同的登记与核验流程直接写入数据库（{people_s} 秒），"
            "绑定日期回填 30 天，否则不能约热门号。实名核验只核对证件格式。"
        ),
        (
            "Seeded: {patients} patients went into the database through the same registering and verifying flows as "
            "the interface uses ({people_s} s), bound 30 days back, or hot sessions would refuse them. Verification "
            "looks at the form of the document only."
        ),
    ),
    (
        ("登录凭证由演示程序用系统自己的密钥签发，没有发送 {patients} 条验证码；只有上面那位新患者走了验证码登录。"),
        (
            "Sign-ins were issued by the demo with the system's own key instead of {patients} codes by phone; only "
            "the new patient above signed in with a code."
        ),
    ),
    (
        (
            "付款使用演示网关，不涉及真实资金；未付款号的保留时间缩短为 {hold_s} 秒（正式默认 900 秒），"
            "抽签报名窗口缩短为 {window_s} 秒（正式默认 120 秒）。"
            "中签者、候补者如何得知轮到自己（短信、推送）没有演示：演示程序直接读出轮到谁，再由其本人经接口确认。"
        ),
        (
            "Payment is the reference gateway's, no money moves; unpaid slots are held for {hold_s} s (in life, by "
            "default, 900 s), and a draw takes entries for {window_s} s (in life, 120 s). How winners and those who "
            "wait hear of it (message, notice) is not shown: the demo reads whose turn it is, and they accept over the "
            "interface."
        ),
    ),
    (
        (
            "每位患者一条自己的 TCP 连接，普通患者同时最多打开 {places} 条（实际最多 {most_open} 条），"
            "团伙另有 {gang_connections} 条；没有空位的患者在客户端一侧等待，"
            "这段等待计入患者等待时间，不计入服务器延迟。"
        ),
        (
            "Each patient has a TCP connection of their own; at most {places} are open at once (in fact {most_open}), "
            "the gang's {gang_connections} apart. Who finds no free place waits on the clients' side; that counts in "
            "the patients' waits and not in the server's latency."
        ),
    ),
    (
        (
            "{hung_up} 位患者在收到答复前断线，再用同一幂等键询问；"
            "遇到“繁忙”{busy} 次、连接中断 {line_broken} 次，均重试到得到明确答复。"
        ),
        (
            "{hung_up} patients hung up before the answer and asked again with the same key. “Busy” was heard "
            "{busy} times and the line broke {line_broken} times; each was asked again until the answer was definite."
        ),
    ),
    (
        (
            "昨夜的日志与预约是生成的，不是上面这个早晨的；号贩是生成器的剧本，检测用的是正式的 shouhao analyze，"
            "在另外的进程里，看不到标签。摄像机是模拟的，推送的照片是真的；识别、报警与处置走的是正式流程。"
        ),
        (
            "The night's logs and bookings are made up and are not this morning's; its scalpers follow the generator's "
            "script, and the detection is the program itself in another process, which sees no label. The cameras are "
            "simulated and the photographs real; finding, alarming and answering are the program's own."
        ),
    ),
    (
        (
            "工作人员是演示人员，各有自己的密钥与培训记录；提名、两人批准、每一步处置都由他们经接口完成。"
            "法定文件是试用文件，正式运行的系统不接受。"
        ),
        (
            "The staff are made up, each with a key and a training of their own, and every proposal, approval and step "
            "is theirs. The papers of the law are a trial's, which a production system refuses."
        ),
    ),
)

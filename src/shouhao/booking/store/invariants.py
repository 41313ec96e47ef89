"""What must hold of bookings at any time; invariants 1 and 2 of the design, from every side."""

from shouhao.store.invariants import Invariant

INVARIANTS = (
    Invariant(
        code="slot_has_one_live_holder",
        zh="一个号源最多一个有效预约",
        en="A slot has at most one live booking",
        sql="SELECT slot_id FROM bookings WHERE live GROUP BY slot_id HAVING count(*) > 1",
    ),
    Invariant(
        code="slot_and_booking_agree",
        zh="号源与其预约互相指向",
        en="A taken slot names a live booking of that slot, and a live booking is named by its slot",
        sql="""
            SELECT s.id FROM slots s LEFT JOIN bookings b ON b.id = s.booking_id
            WHERE s.state = 'taken'
              AND (b.id IS NULL OR NOT b.live OR b.slot_id <> s.id OR b.session_id <> s.session_id)
            UNION ALL
            SELECT b.id FROM bookings b LEFT JOIN slots s ON s.id = b.slot_id AND s.booking_id = b.id
            WHERE b.live AND s.id IS NULL
        """,
    ),
    Invariant(
        code="session_gives_no_more_than_it_has",
        zh="有效预约数不超过排班号源数",
        en="No session has more live bookings than slots",
        sql="""
            SELECT b.session_id FROM bookings b WHERE b.live GROUP BY b.session_id
            HAVING count(*) > (SELECT count(*) FROM slots s WHERE s.session_id = b.session_id)
        """,
    ),
    Invariant(
        code="person_has_one_live_booking_a_session",
        zh="同一就诊人在同一排班最多一个有效预约",
        en="A person has at most one live booking in a session",
        sql="SELECT patient_id FROM bookings WHERE live GROUP BY patient_id, session_id HAVING count(*) > 1",
    ),
    Invariant(
        code="held_has_an_end",
        zh="待支付的号都有时限",
        en="Every held slot has a time at which it is let go",
        sql="SELECT id FROM bookings WHERE state = 'held' AND hold_expires_at_us IS NULL",
    ),
    Invariant(
        code="money_has_a_slot_or_is_owed_back",
        zh="已收的费用要么对应有效预约，要么在退款",
        en="Money that was taken belongs to a kept slot, or is owed back",
        sql="""
            SELECT p.id FROM payments p JOIN bookings b ON b.id = p.booking_id
            WHERE p.state = 'paid' AND b.state IN ('offered', 'held', 'returned', 'expired')
        """,
    ),
    Invariant(
        code="extra_slot_is_never_public",
        zh="加号只属于其就诊人，退回后不再放出",
        en="An extra slot is its patient's alone and is never free for others",
        sql="SELECT id FROM slots WHERE extra AND state = 'free'",
    ),
    Invariant(
        code="booking_was_recorded",
        zh="每个有效预约都有事件记录",
        en="Every live booking has its event",
        sql="""
            SELECT slot_id, patient_id FROM bookings WHERE live
            EXCEPT SELECT slot_id, patient_id FROM events WHERE kind IN ('booked', 'extra_slot_added', 'offered')
        """,
    ),
    Invariant(
        code="reserved_says_for_whom",
        zh="保留的号都写明留给谁",
        en="A reserved slot says for whom, and no other does",
        sql="SELECT id FROM slots WHERE (state = 'reserved') <> (reserved_for IS NOT NULL)",
    ),
    Invariant(
        code="returned_slots_go_to_those_who_wait",
        zh="有人候补时，退回的号不会公开放出",
        en="What came back is not open to everyone while somebody waits for it",
        sql="""
            SELECT m.slot_id FROM slot_moves m JOIN slots s ON s.id = m.slot_id AND s.state = 'free'
            WHERE m.way IN ('public', 'merged')
              AND NOT EXISTS (SELECT 1 FROM slot_moves n WHERE n.slot_id = m.slot_id AND n.at_us > m.at_us)
              AND EXISTS (SELECT 1 FROM waits w WHERE w.session_id = m.session_id AND w.state = 'waiting'
                          AND w.drawn_at_us <= m.at_us)
        """,
    ),
    Invariant(
        code="on_site_returns_stay_off_line",
        zh="在院内退回的号不再回到线上公开号源",
        en="What was returned in the house is never open online again",
        sql="SELECT slot_id FROM slot_moves WHERE why = 'returned_on_site' AND way IN ('rest', 'public', 'care')",
    ),
    Invariant(
        code="offer_and_wait_agree",
        zh="候补转来的号与候补记录一致",
        en="An offer of a waitlist names a place that was offered, and such a place has its offer",
        sql="""
            SELECT b.id FROM bookings b LEFT JOIN waits w ON w.id = b.wait_id
            WHERE b.state = 'offered' AND b.wait_id IS NOT NULL AND (w.id IS NULL OR w.state <> 'offered')
            UNION ALL
            SELECT w.id FROM waits w WHERE w.state = 'offered'
              AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.wait_id = w.id AND b.state = 'offered')
        """,
    ),
    Invariant(
        code="offered_has_an_end",
        zh="待确认的号都有时限",
        en="Every offer has a time at which it goes on",
        sql="SELECT id FROM bookings WHERE state = 'offered' AND hold_expires_at_us IS NULL",
    ),
    Invariant(
        code="nobody_enters_a_sealed_draw",
        zh="封存后的抽签没有新增报名",
        en="No entry came into a draw after its entries were sealed",
        sql="""
            SELECT e.id FROM draw_entries e JOIN draws d ON d.id = e.draw_id
            WHERE d.sealed_at_us IS NOT NULL AND e.entered_at_us > d.sealed_at_us
        """,
    ),
)

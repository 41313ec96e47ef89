"""The patients' pages by hand: what a hostile browser, site or text may try, and what each answer carries."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from shouhao.web.public.pages.signing_in import own
from web.served import Hospital, resident_id

PHONE = "13800138000"


class Browser:
    """A client that keeps cookies and sends forms as they stand on a page."""

    def __init__(self, base: str) -> None:
        self.http = httpx.Client(base_url=base, follow_redirects=False, timeout=20)

    def form_of(self, path: str, action: str) -> dict[str, str]:
        """The hidden fields of a form on a page."""
        page = self.http.get(path)
        assert page.status_code == 200, page.text
        form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page.text, re.DOTALL)
        assert form is not None, page.text
        return {
            name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        }

    def send(self, path: str, action: str, **fields: str) -> httpx.Response:
        return self.http.post(action, data={**self.form_of(path, action), **fields})

    def sign_in(self, hospital: Hospital, phone: str = PHONE) -> None:
        self.send("/sign-in", "/sign-in/code", phone=phone)
        seal = self.form_of("/sign-in", "/sign-in/code")
        said = self.http.post("/sign-in", data={**seal, "phone": phone, "code": hospital.outbox.codes[f"+86{phone}"]})
        assert said.status_code == 303, said.text

    def add_myself(self) -> None:
        fields = {"relation": "self", "name": "张三", "kind": "resident_id", "number": resident_id(), "phone": PHONE}
        said = self.send("/people/new", "/people", **fields)
        assert said.status_code == 303, said.text


@pytest.fixture
def browser(sqlite_hospital: Hospital) -> Iterator[Browser]:
    one = Browser(sqlite_hospital.public.removesuffix("/api/v1"))
    yield one
    one.http.close()


@pytest.fixture
def other(sqlite_hospital: Hospital) -> Iterator[Browser]:
    """Somebody else's."""
    one = Browser(sqlite_hospital.public.removesuffix("/api/v1"))
    one.http.get("/")
    yield one
    one.http.close()


def test_every_page_carries_a_strict_policy_and_is_kept_by_nobody(browser):
    for path in ("/", "/sign-in", "/nothing"):
        headers = browser.http.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
    page = browser.http.get("/").text
    assert not re.search(r"<(style|script)>|\son\w+=|style=", page), "nothing inline"
    assert not re.search(r'(src|href)="(https?:)?//', page), "nothing from elsewhere"


def test_a_style_or_script_is_kept_for_long_under_an_address_of_its_content(browser):
    address = re.search(r'href="(/static/site\.css\?\w+)"', browser.http.get("/").text)
    assert address is not None
    assert "immutable" in browser.http.get(address[1]).headers["cache-control"]
    for path in ("/static/../app.py", "/static/%2e%2e%2fapp.py", "/static/nothing.js"):
        assert browser.http.get(path).status_code == 404


def test_pages_of_ones_own_lead_a_stranger_to_the_sign_in_and_back(browser):
    for path in ("/mine", "/people", "/people/new", "/bookings/bk_1"):
        said = browser.http.get(path)
        assert (said.status_code, said.headers["location"]) == (303, f"/sign-in?back={path}")


@pytest.mark.parametrize(
    "path", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere", "", "\n/x", "/a\tb"]
)
def test_a_sign_in_leads_back_to_pages_of_ours_alone(path):
    assert own(path) == "/mine"


def test_cookies_are_out_of_scripts_reach_and_do_not_travel_to_us_from_other_sites(browser, sqlite_hospital):
    first = browser.http.get("/")
    assert "HttpOnly" in first.headers["set-cookie"]
    browser.send("/sign-in", "/sign-in/code", phone=PHONE)
    seal = browser.form_of("/sign-in", "/sign-in/code")
    code = sqlite_hospital.outbox.codes[f"+86{PHONE}"]
    said = browser.http.post("/sign-in", data={**seal, "phone": PHONE, "code": code})
    cookie = said.headers["set-cookie"]
    assert "sh_sign_in=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_form_of_another_site_is_refused_and_nothing_happens(browser, other, sqlite_hospital):
    browser.sign_in(sqlite_hospital)
    browser.add_myself()
    action = f"/sessions/{sqlite_hospital.session}/book"
    fields = browser.form_of(f"/sessions/{sqlite_hospital.session}", action)
    patient_id = re.search(
        r'name="patient_id" value="([^"]+)"', browser.http.get(f"/sessions/{sqlite_hospital.session}").text
    )
    assert patient_id is not None
    whole = {**fields, "patient_id": patient_id[1]}
    before = sqlite_hospital.state()
    assert browser.http.post(action, data={**whole, "seal": ""}).status_code == 403
    assert browser.http.post(action, data={**whole, "seal": "0" * 64}).status_code == 403
    assert browser.http.post(action, data=whole, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.http.post(action, data=whole, headers={"sec-fetch-site": "same-site"}).status_code == 403
    said = other.http.post(action, data=whole)
    assert said.headers["location"].startswith("/sign-in"), "nobody is signed in there"
    assert sqlite_hospital.state() == before
    assert browser.http.post(action, data=whole).headers["location"].startswith("/bookings/")


def test_the_seal_of_one_browser_is_no_use_in_another(browser, other, sqlite_hospital):
    fields = browser.form_of("/sign-in", "/sign-in/code")
    assert other.http.post("/sign-in/code", data={**fields, "phone": PHONE}).status_code == 403
    assert sqlite_hospital.outbox.codes == {}


def test_a_form_that_is_sent_twice_acts_once(browser, sqlite_hospital):
    browser.sign_in(sqlite_hospital)
    browser.add_myself()
    page = f"/sessions/{sqlite_hospital.session}"
    fields = browser.form_of(page, f"{page}/book")
    patient_id = re.search(r'name="patient_id" value="([^"]+)"', browser.http.get(page).text)
    assert patient_id is not None
    sent = [browser.http.post(f"{page}/book", data={**fields, "patient_id": patient_id[1]}) for _ in range(2)]
    assert sent[0].headers["location"] == sent[1].headers["location"]
    assert len(sqlite_hospital.events("booked")) == 1


def test_somebody_elses_booking_is_not_shown_and_not_returned(browser, sqlite_hospital):
    member = sqlite_hospital.member("13800138077")
    booking = sqlite_hospital.booking_of(member, sqlite_hospital.patient_of(member, 7, "李四"))
    browser.sign_in(sqlite_hospital)
    said = browser.http.get(f"/bookings/{booking['id']}")
    assert said.status_code == 404
    assert "李" not in said.text
    seal = browser.form_of("/", "/choose")["seal"]
    assert browser.http.post(f"/bookings/{booking['id']}/return", data={"seal": seal}).status_code == 404
    assert member.get(f"/bookings/{booking['id']}").json()["state"] == "held"


def test_what_is_asked_for_or_refused_is_text_on_the_page_and_never_markup(browser):
    said = browser.http.get("/", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in said.text
    assert "&lt;script&gt;" in said.text
    said = browser.http.get('/sessions/<img src=x onerror="alert(1)">')
    assert said.status_code in {404, 422}
    assert "<img" not in said.text


def test_a_wrong_code_is_said_on_the_same_page_and_signs_nobody_in(browser):
    browser.send("/sign-in", "/sign-in/code", phone=PHONE)
    seal = browser.form_of("/sign-in", "/sign-in/code")
    said = browser.http.post("/sign-in", data={**seal, "phone": PHONE, "code": "000000"})
    assert said.status_code == 401
    assert 'role="alert"' in said.text
    assert "sh_sign_in" not in said.headers.get("set-cookie", "")


def test_signing_out_ends_the_sign_in_everywhere(browser, sqlite_hospital):
    browser.sign_in(sqlite_hospital)
    token = browser.http.cookies["sh_sign_in"]
    assert browser.send("/", "/sign-out").status_code == 303
    browser.http.cookies.set("sh_sign_in", token)
    assert browser.http.get("/mine").headers["location"].startswith("/sign-in")


def test_a_form_that_is_too_large_or_no_form_at_all_is_refused(browser):
    seal = browser.form_of("/", "/choose")["seal"]
    assert browser.http.post("/choose", data={"seal": seal, "back": "x" * 200_000}).status_code == 413
    assert browser.http.post("/choose", content=b"\xff\xfe&seal=%zz").status_code == 403
    assert browser.http.post("/choose", content="&".join(f"f{n}=1" for n in range(500))).status_code == 403


def test_the_api_is_served_beside_the_pages_as_before(browser):
    said = browser.http.get("/api/v1/departments")
    assert said.status_code == 401
    assert said.headers["content-type"].startswith("application/json")
    assert browser.http.get("/healthz").status_code == 200

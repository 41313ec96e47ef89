"""Scalping: made-up days of a hospital whose honest people are odd and whose scalpers are known; detectors' measure.

`generate.py` lives the days and writes what the hospital would have kept of them (`inputs/`: nginx logs, events) and,
beside it, who was what (`labels.json`); `judge.py` measures any tool's findings against that. Nothing in here knows a
detector. Honest people and scalpers come from the same functions: the same phones, lines, pages, pauses; a gang differs
by what its trade needs and its tools do. Ids are chance, and every pause is drawn, so that the way of making tells
nothing.

What odd honest people do, and which naive rule would accuse them for it (tests/lab/test_scalping_oddities.py lets each
rule loose on days without any scalper; shares are in population.py):

| honest oddity | where | naive rule that it fools |
|---|---|---|
| refreshes hundreds of times a minute by hand | impatient | more than 100 requests in a minute is a machine |
| a browser extension reloads the page | auto_refresh | a constant period is a script |
| taps from before the release on | anticipator | nobody acts within 150 ms of a release |
| a link straight to a doctor; signs up and books | deep_link, newcomer | who books without looking is a script |
| thousands behind one address | carrier, hospital Wi-Fi, office | many accounts on one address are a farm |
| many addresses a day, new ones each morning | roamer, IPv6 privacy | one sign-in over many addresses is a proxy list |
| spouses, parents, helpers on one phone; a phone sold | shared_phone, helper, second_hand | many accounts, one device |
| dozens of elders on one phone or one account | care_home | many accounts on one device; many patients of one account |
| a village's doctor, a legal escort | village_doctor, escort | one account for many patients; bound, booked, unbound |
| one child, four accounts | shared_child, couple | a patient bound to several accounts is shared around |
| a company signs up its staff in an hour and pays | office_drive | accounts created in series; one payer for many |
| the health insurance pays | insured | one payer for many |
| a new phone; cookies cleared each time | changed_phone, clears_cookies | one account on many devices |
| the wrong child was chosen; the mother takes over | family, shared_child, couple | returned, taken again in a minute |
| looks every few seconds for a returned slot | return_watcher | a stranger cannot take a returned slot so fast |
| returns for another day, more than once | rebooker | who returns again and again trades |
| does not come | stays_away | slots nobody came for were hoarded |
| a misspelt name, a newborn named | anybody | an edited patient with a live booking was sold |
| binds an aunt at night, tries for her in the morning | helps_others | strangers bound before a release are customers |
| sits up at night | night_owl | who acts at three in the night is a machine |
| one kiosk, one camera, hundreds of people | kiosk | one device for many patients; one backdrop |
| elders before one wall; twins | care_home, family | one backdrop, or one face, for many patients |
| a doctor on night duty adds slots for the same ill few | chronic | extra slots off hours for the same recipients |
| a probe every minute, a partner, search engines | noise.py | constant period; far more requests than anybody |
| a phone that was never updated | anybody, eight in a thousand | a stale user agent is a script |

What it is not: a picture of one real hospital. The shares are assumptions, chosen so that each oddity is there in the
small size already; how often each is in life has to come from a hospital's own days.
"""

"""Who may act now: channels and their keys, codes sent to phones, short sign-ins."""

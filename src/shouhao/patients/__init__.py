"""Real people: documents, accounts that act for them, guardians, and who confirmed that they are real."""

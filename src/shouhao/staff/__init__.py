"""The people who work with the system: operators and their roles. Everything starts from deny."""

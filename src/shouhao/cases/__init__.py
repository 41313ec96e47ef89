"""Cases: what people and machines point at, until it is handed over or laid aside. Tips are the beginning."""

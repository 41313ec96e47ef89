"""What was found, kept for people to judge: runs, findings, judgements. The only files of the room that speak SQL."""

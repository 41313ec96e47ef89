"""Faces: one engine for two purposes that never touch, the watchlist (1:N) and the checks of consenting patients (1:1).

A picture goes through images, detect, align, quality and embed; what is kept goes through gallery and store.
"""

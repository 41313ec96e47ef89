"""Videos that nobody should have made."""


def bits(*parts: tuple[int, int]) -> str:
    return "".join(format(value, f"0{width}b") for value, width in parts)


def ue(value: int) -> str:
    """Exp-Golomb (ITU-T H.264, 9.1)."""
    coded = format(value + 1, "b")
    return "0" * (len(coded) - 1) + coded


def sequence_parameters(*, width_px: int, height_px: int) -> bytes:
    """A sequence parameter set that claims this size, with start code (ITU-T H.264, 7.3.2.1)."""
    coded = bits((66, 8), (0, 8), (51, 8)) + ue(0) + ue(0) + ue(2) + ue(1) + "0"
    coded += ue(width_px // 16 - 1) + ue(height_px // 16 - 1) + "1" + "1" + "0" + "0" + "1"
    coded += "0" * (-len(coded) % 8)
    raw = bytes(int(coded[n : n + 8], 2) for n in range(0, len(coded), 8))
    guarded = bytearray()
    for byte in raw:
        if guarded.endswith(b"\0\0") and byte <= 3:
            guarded.append(3)
        guarded.append(byte)
    return b"\0\0\0\1\x67" + bytes(guarded)


def claiming(data: bytes, *, width_px: int, height_px: int) -> bytes:
    """A stream whose pictures claim another size than they have."""
    from shouhao.lab.streams import units_in  # noqa: PLC0415 - a lab's, for a test

    kept = [b"\0\0\0\1" + unit for unit in units_in(data) if unit[0] & 0x1F != 7]
    return sequence_parameters(width_px=width_px, height_px=height_px) + b"".join(kept)

"""Numbers as plain digits."""


def plain(number: int | float) -> str:
    """The shortest digits that mean the number, without an exponent; a whole number without a fraction."""
    text = repr(number)
    if "e" not in text:
        return text.removesuffix(".0")
    sign = "-" if number < 0 else ""
    digits, exponent = text.removeprefix("-").split("e")
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent)
    digits = whole + fraction
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return sign + (digits[:point].ljust(point, "0") + f".{digits[point:]}".rstrip("."))

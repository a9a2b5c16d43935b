#!/usr/bin/env python3
"""Draw the example site's font, "Galley Slug": capitals and digits set from square slugs of type on a 5 x 7 grid.

Usage: make_font.py OUTPUT.woff2     (needs python3-fonttools and python3-brotli)
The result is committed; run this only to change the letters.
"""
import sys

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

CELL = 100
ROWS = {
    "A": "01110 10001 10001 11111 10001 10001 10001", "B": "11110 10001 10001 11110 10001 10001 11110",
    "C": "01111 10000 10000 10000 10000 10000 01111", "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 10000 11110 10000 10000 11111", "F": "11111 10000 10000 11110 10000 10000 10000",
    "G": "01111 10000 10000 10011 10001 10001 01111", "H": "10001 10001 10001 11111 10001 10001 10001",
    "I": "01110 00100 00100 00100 00100 00100 01110", "J": "00111 00010 00010 00010 00010 10010 01100",
    "K": "10001 10010 10100 11000 10100 10010 10001", "L": "10000 10000 10000 10000 10000 10000 11111",
    "M": "10001 11011 10101 10101 10001 10001 10001", "N": "10001 11001 10101 10011 10001 10001 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110", "P": "11110 10001 10001 11110 10000 10000 10000",
    "Q": "01110 10001 10001 10001 10101 10010 01101", "R": "11110 10001 10001 11110 10100 10010 10001",
    "S": "01111 10000 10000 01110 00001 00001 11110", "T": "11111 00100 00100 00100 00100 00100 00100",
    "U": "10001 10001 10001 10001 10001 10001 01110", "V": "10001 10001 10001 10001 10001 01010 00100",
    "W": "10001 10001 10001 10101 10101 11011 10001", "X": "10001 10001 01010 00100 01010 10001 10001",
    "Y": "10001 10001 01010 00100 00100 00100 00100", "Z": "11111 00001 00010 00100 01000 10000 11111",
    "0": "01110 10011 10101 10101 11001 10001 01110", "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111", "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010", "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "01110 10000 10000 11110 10001 10001 01110", "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110", "9": "01110 10001 10001 01111 00001 00001 01110",
    ".": "00000 00000 00000 00000 00000 01100 01100", "-": "00000 00000 00000 01110 00000 00000 00000",
    "/": "00001 00001 00010 00100 01000 10000 10000", " ": "00000 00000 00000 00000 00000 00000 00000",
}


def draw(pattern):
    """One square with a hair of space around it for each set cell: slugs in a frame."""
    pen = TTGlyphPen(None)
    for row, bits in enumerate(pattern.split()):
        for column, bit in enumerate(bits):
            if bit == "1":
                x, y, inset = column * CELL, (6 - row) * CELL, 5
                pen.moveTo((x + inset, y + inset))
                pen.lineTo((x + inset, y + CELL - inset))
                pen.lineTo((x + CELL - inset, y + CELL - inset))
                pen.lineTo((x + CELL - inset, y + inset))
                pen.closePath()
    return pen.glyph()


def main(path):
    names = {char: "u%04X" % ord(char) for char in ROWS}
    order = [".notdef"] + list(names.values())
    glyphs = {".notdef": draw("11111 10001 10001 10001 10001 10001 11111")}
    glyphs.update({names[char]: draw(pattern) for char, pattern in ROWS.items()})
    cmap = {ord(char): name for char, name in names.items()}
    cmap.update({ord(char.lower()): name for char, name in names.items() if char.isalpha()})
    builder = FontBuilder(CELL * 9, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (CELL * 6, 0) for name in order})
    builder.setupHorizontalHeader(ascent=CELL * 8, descent=-CELL)
    builder.setupNameTable({"familyName": "Galley Slug", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=CELL * 8, sTypoDescender=-CELL, usWinAscent=CELL * 8, usWinDescent=CELL)
    builder.setupPost()
    builder.font.flavor = "woff2"
    builder.font["head"].created = builder.font["head"].modified = 3786912000  # a fixed day: same bytes each time
    builder.font.recalcTimestamp = False
    builder.font.save(path)


if __name__ == "__main__":
    main(sys.argv[1])

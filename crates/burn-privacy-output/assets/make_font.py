"""Makes DejaVuSans-plots.ttf of DejaVuSans.ttf 2.37 (needs fonttools): python make_font.py DejaVuSans.ttf"""

import sys

from fontTools import subset
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

# Latin-1, Greek, superscripts, dashes, quotation marks, and a few signs of mathematics.
CHARACTERS = [
    *range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x391, 0x3AA), *range(0x3B1, 0x3CA), *range(0x2070, 0x207C),
    0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x2192, 0x2212, 0x221E, 0x2264, 0x2265,
]

# Plotters 0.3 with ab_glyph draws bitmap text above its anchor: the baseline lies half a size (ascent + descent) below
# the top of a box that is size / 1.24 high. Outlines that lie lower by this share of the size make up for it.
TOO_HIGH = 0.217

font = TTFont(sys.argv[1])
options = subset.Options(hinting=False, legacy_kern=True, layout_features=[], name_IDs=["*"])
options.drop_tables += ["FFTM", "GSUB", "GPOS", "GDEF", "MATH", "gasp"]
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=CHARACTERS)
subsetter.subset(font)

lower = round(TOO_HIGH * (font["hhea"].ascent - font["hhea"].descent))
glyphs = font.getGlyphSet()
lowered = {}
for name in font.getGlyphOrder():
    record = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(record)
    pen = TTGlyphPen(None)
    for command, points in record.value:
        getattr(pen, command)(*[point and (point[0], point[1] - lower) for point in points])
    lowered[name] = pen.glyph()
for name, glyph in lowered.items():
    font["glyf"][name] = glyph
for record in font["name"].names:
    if record.nameID in (1, 3, 4, 16):
        record.string = "DejaVu Sans Lowered"
    elif record.nameID == 6:
        record.string = "DejaVuSans-Lowered"
font.save("DejaVuSans-plots.ttf")

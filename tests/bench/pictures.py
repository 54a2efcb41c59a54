#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of a run, and its pictures: whole, true to the figures, legible, and made of nothing from elsewhere.

    pictures.py SAMPLE DRAW     the programs that make a sample and draw it
"""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

SVG = "{http://www.w3.org/2000/svg}"
P50 = 15  # of the fields of a cell; the last is its verdict
HTML = "{http://www.w3.org/1999/xhtml}"
sample, draw = sys.argv[1:]
failed = 0


def check(truth, what):
    global failed
    if not truth:
        failed += 1
        print("FAILED:", what)


def text_of(element):
    return "".join(element.itertext())


def drawn(lines, folder):
    """The page's tree, its text, and the tree of each picture, of a result file with these lines."""
    file, page, pictures = (os.path.join(folder, name) for name in ("run", "page.html", "pictures"))
    with open(file, "wb") as out:
        out.write(b"\n".join(lines) + b"\n")
    for name in os.listdir(pictures) if os.path.isdir(pictures) else []:
        os.unlink(os.path.join(pictures, name))
    subprocess.run([draw, file, page, pictures], check=True)
    with open(page, encoding="utf-8") as text:
        text = text.read()
    trees = {name: xml.parse(os.path.join(pictures, name)).getroot() for name in sorted(os.listdir(pictures))}
    return xml.fromstring(text), text, trees


def nanoseconds(text):
    number, unit = text.split(" ")
    return float(number) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


def check_figures(page, cells):
    """Each cell is a row of a table, in the order of the file within each table, with its median or the reason why there is none."""
    rows = [row for details in page.iter(HTML + "details") for row in details.iter(HTML + "tr") if row.find(HTML + "td") is not None]
    left = [(cell[P50].split(" ")[0], cell[-1]) for cell in cells]
    check(len(rows) == len(cells), f"{len(rows)} rows for {len(cells)} cells")
    for row in rows:
        fields = [text_of(field) for field in row.findall(HTML + "td")]
        if len(fields) == 5:
            match = [one for one in left if one[1] == fields[4]]
        elif fields[4]:
            match = [one for one in left if not one[1] and float(one[0]) > 0 and abs(nanoseconds(fields[4]) / float(one[0]) - 1) < 0.006]
        else:
            match = [one for one in left if not one[1] and one[0] == "-1"]
        check(match, f"no cell says what this row says: {fields}")
        if match:
            left.remove(match[0])
    check(not left, f"{len(left)} cells are in no row")


def check_picture(name, tree):
    width, height = (float(part) for part in tree.get("viewBox").split()[2:])
    names = [(float(text.get("x")), float(text.get("y"))) for group in tree.iter(SVG + "g") for text in group.iter(SVG + "text")]
    check(names, f"{name}: nothing in it is named")
    for path in tree.iter(SVG + "path"):
        for letter, numbers in re.findall(r"([MLHV])([-0-9. ]+)", path.get("d")):
            at = [float(number) for number in numbers.split()]
            check(all(-0.5 <= number <= max(width, height) + 0.5 for number in at), f"{name}: {letter}{numbers} is outside")
    for text in tree.iter(SVG + "text"):
        check(0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height, f"{name}: {text_of(text)} is outside")
    for i, (x, y) in enumerate(names):
        check(all(x != p or abs(y - q) >= 14 for p, q in names[:i]), f"{name}: two names at {y}")


with tempfile.TemporaryDirectory(prefix="ipcway-pictures-") as folder:
    made = os.path.join(folder, "made")
    subprocess.run([sample, made], check=True)
    with open(made, "rb") as file:
        lines = file.read().splitlines()
    cells = [line.decode().split("\t")[1:] for line in lines if line.startswith(b"cell")]

    page, text, pictures = drawn(lines, folder)
    check_figures(page, cells)
    check(len(list(page.iter(SVG + "svg"))) == len(pictures) > 8, f"{len(pictures)} pictures")
    for name, tree in pictures.items():
        check_picture(name, tree)
    check(not re.search(r"\b(src|href)=|url\(|@import|<script", text), "the page asks for something from elsewhere")
    for word in ("AMD EPYC", "kvm", "2026-05-28", "tuned", "libnng"):
        check(word in text, f"{word} is not told")

    # A line of a picture of sizes ends as high as its cell says: twice the messages, the same distance wherever it is.
    tree = pictures["one-way-polling-other-core.svg"]
    scale = [(float(t.get("y")), text_of(t)) for t in tree.findall(SVG + "text") if re.fullmatch(r"10+( [kM])?|1( [kM])?", text_of(t))]
    value = {y: float(t.split(" ")[0]) * {"": 1, "k": 1e3, "M": 1e6}[t.partition(" ")[2]] for y, t in scale}
    (y1, v1), (y2, v2) = list(value.items())[0], list(value.items())[-1]
    from math import log10

    for group in tree.iter(SVG + "g"):
        title = text_of(group.find(SVG + "title"))
        for (number, unit), circle in zip(re.findall(r": ([0-9.]+)( [kMG])?/s", title), group.findall(SVG + "circle")):
            told = float(number) * {"": 1, " k": 1e3, " M": 1e6}[unit]
            drawn_at = 10 ** (log10(v1) + (float(circle.get("cy")) + 4 - y1) / (y2 - y1) * log10(v2 / v1))
            check(abs(drawn_at / told - 1) < 0.02, f"{title}: drawn at {drawn_at:.0f}")

    # Texts of others are text.
    bad = b'<script>alert("1 & 2")</script>\xff\xc0\xaf'
    page, text, _ = drawn([line.replace(b"\tlibnng: pair0", b"\t" + bad) for line in lines], folder)
    check("<script" not in text and "alert(" in text, "a text of others became a part of the page")

    # Nothing measured: no picture, and the reasons.
    page, text, pictures = drawn([line for line in lines[:2]] + [line for line in lines if b"\tnot here: " in line] +
                                 [b"end\t%d" % sum(b"\tnot here: " in line for line in lines)], folder)
    check(not pictures and "<svg" not in text and "not here: built without" in text, "a run without figures")

print("FAILED" if failed else "ok")
sys.exit(failed != 0)

"""The reference as HTML from what reference.py read: a page for each header and an index, in one folder, without
scripts and without anything from elsewhere. Imported by make_reference."""

import html
import re

import csource
import reference

STYLE = """:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 0 auto; padding: 1rem }
pre { background: color-mix(in srgb, currentColor 7%, transparent); padding: .6rem .8rem; overflow-x: auto;
  font-size: 13px; line-height: 1.4 }
h1 { line-height: 1.2 } h2 { border-bottom: 1px solid; margin-top: 2.5rem }
h3 { font-family: monospace; margin: 2rem 0 .3rem } h3 a { color: inherit; text-decoration: none }
dt { font-family: monospace } dd { margin: 0 0 .3rem 2rem } code { font-size: .92em }
.returns::before, .threads::before { font-weight: 600 }
.returns::before { content: "Returns: " } .threads::before { content: "Threads: " }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page_of(header):
    return header.name[:-2] + ".html"


class Writer:
    def __init__(self, headers, version, folder):
        self.headers, self.version, self.folder = headers, version, folder
        self.places = {}  # name -> page#anchor
        for header in headers:
            for entry in header.entries():
                self.places[entry.name] = f"{page_of(header)}#{entry.name}"
                if entry.kind == "enum" or "enum" in entry.code:
                    for name in re.findall(r"\bGALLEY_\w+", csource.blank(entry.code)):
                        self.places.setdefault(name, f"{page_of(header)}#{entry.name}")

    def links(self, text, own=""):
        """Escaped text in which every name of the library leads to its place."""
        def link(found):
            place = self.places.get(found[1])
            if not place or found[1] == own:
                return found[0]
            return f'<a href="{place}">{found[0]}</a>'

        return re.sub(r"\b((?:galley|GALLEY)_\w+)(?:\(\))?", link, html.escape(text, quote=False))

    def words(self, paragraphs, own, css=""):
        attribute = f' class="{css}"' if css else ""
        parts = []
        for kind, words in paragraphs:
            if kind == "code":
                parts.append(f"<pre>{self.links(words, own)}</pre>")
            else:
                text = re.sub(r"`([^`]+)`", r"<code>\1</code>", self.links(words, own))
                parts.append(f"<p{attribute}>{text}</p>")
        return "\n".join(parts)

    def function(self, entry):
        description, returns, threads = reference.split_doc(entry.doc, reference.returns_void(entry))
        if returns and returns[0][0] == "text": # the label says it
            returns = [("text", re.sub(r"^Returns? ", "", returns[0][1])), *returns[1:]]
        prototype = "\n".join(reference.wrapped_prototype(entry))
        return (f"<pre>{self.links(prototype, entry.name)}</pre>\n" + self.words(description, entry.name) + "\n"
                + self.words(returns, entry.name, "returns") + "\n" + self.words(threads, entry.name, "threads"))

    def entry(self, entry):
        title = f"<h3 id=\"{entry.name}\"><a href=\"#{entry.name}\">{entry.name}</a></h3>\n"
        if entry.kind == "enum":
            title = f"<h3 id=\"{entry.name}\"><a href=\"#{entry.name}\">{enum_title(entry)}</a></h3>\n"
        if entry.kind == "function":
            return title + self.function(entry)
        words = self.words(reference.paragraphs(entry.doc), entry.name)
        return f"{title}{words}\n<pre>{self.links(entry.code.strip(), entry.name)}</pre>"

    def header(self, header):
        parts = [f'<p><a href="index.html">galley {self.version}</a></p>', f"<h1>galley/{header.name}</h1>",
                 self.words(reference.paragraphs(header.rules()), "")]
        for section in header.sections:
            if section.title:
                anchor = re.sub(r"\W+", "-", section.title)
                parts.append(f'<h2 id="{anchor}">{html.escape(section.title)}</h2>')
            parts.append(self.words(reference.paragraphs(section.text), ""))
            told = sorted([(entry.line, self.entry(entry)) for entry in section.entries]
                          + [(line, self.words(reference.paragraphs(note), "")) for line, note in section.notes])
            parts += [text for _, text in told]
        self.write_page(page_of(header), f"galley/{header.name}", parts)

    def index(self):
        parts = [f"<h1>galley {self.version}: the library</h1>",
                 "<p>One page for each header. The same words are manual pages: "
                 "<code>man 3 galley_res_text</code>, <code>man galley-http</code>.</p>"]
        for header in self.headers:
            parts.append(f'<h2><a href="{page_of(header)}">galley/{header.name}</a></h2>')
            parts.append(f"<p>{html.escape(header.summary())}.</p>\n<dl>")
            for entry in header.entries():
                if entry.kind == "function":
                    parts.append(f'<dt><a href="{self.places[entry.name]}">{entry.name}</a></dt>'
                                 f"<dd>{html.escape(reference.summary(entry))}</dd>")
            parts.append("</dl>")
        self.write_page("index.html", f"galley {self.version}: the library", parts)

    def write_page(self, name, title, parts):
        body = "\n".join(part for part in parts if part.strip())
        (self.folder / name).write_text(PAGE.format(title=title, style=STYLE, body=body), encoding="utf-8")

    def write(self):
        self.index()
        for header in self.headers:
            self.header(header)


def enum_title(entry):
    """GALLEY_DROP_SHUTDOWN, GALLEY_DROP_EXPIRED, ... are GALLEY_DROP_…; one constant keeps its name."""
    names = re.findall(r"^\s*(GALLEY_\w+)", csource.blank(entry.code).replace("{", "{\n"), re.M)
    if len(names) < 2:
        return entry.name
    common = names[0]
    for name in names:
        while not name.startswith(common):
            common = common[:-1]
    return common.rpartition("_")[0] + "_…"

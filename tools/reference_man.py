"""Manual pages of section 3 from what reference.py read: a page for each function and each type, one for each header.
Imported by make_reference."""

import re

import reference


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")


def line_safe(text):
    """No line of it is taken for a request."""
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


class Writer:
    """Writes the pages of one version of the library."""

    def __init__(self, headers, version, folder):
        self.headers, self.version, self.folder = headers, version, folder
        self.pages = {}  # names that have a page -> section-3 page name
        for header in headers:
            for entry in header.entries():
                if entry.kind in ("function", "type"):
                    self.pages[entry.name] = entry.name

    def inline(self, words, own):
        """A paragraph: names of functions and types in bold, with (3) where there is a page; code in bold."""
        def mark(found):
            if found[1]:
                return f"\\fB{escape(found[1])}\\fP"
            name, call = found[2], found[3] or ""
            if name == own or name not in self.pages:
                return f"\\fB{escape(name)}\\fP{escape(call)}"
            inside = call[1:-1]
            return f"\\fB{name}\\fP(3)" if call == "()" or not call else f"\\fB{name}\\fP({escape(inside)})"

        text, at = "", 0
        for found in re.finditer(r"`([^`\n]+)`|\b((?:galley|GALLEY)_\w+)(\(\))?", words):
            text += escape(words[at:found.start()]) + mark(found)
            at = found.end()
        return line_safe(text + escape(words[at:]))

    def body(self, paragraphs, own):
        lines = []
        for number, (kind, words) in enumerate(paragraphs):
            if number:
                lines.append(".PP")
            if kind == "code":
                lines += [".in +4n", ".nf", line_safe(escape(words.expandtabs())), ".fi", ".in"]
            else:
                lines += [self.inline(sentence, own) for sentence in reference.sentences(words)]
        return lines

    def page(self, name, summary, blocks):
        lines = ['.\\" Made by tools/make_reference from include/galley; change the comments there.',
                 f'.TH {name} 3 "" "galley {self.version}" "Library Functions Manual"', ".nh", ".ad l",
                 ".SH NAME", f"{name} \\- {line_safe(escape(summary))}"]
        for title, content in blocks:
            if content:
                lines += [f".SH {title}", *content]
        (self.folder / f"{name}.3").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def synopsis(self, header, lines):
        library = "-lgalley-pool" if header.name in ("base.h", "pool.h") else "-lgalley -lgalley-pool"
        return [".nf", f"\\fB#include <galley/{header.name}>\\fP", ".PP", *lines, ".fi", ".PP",
                f"Link with \\fI{escape(library)}\\fP."]

    def see_also(self, header, entry):
        """The pages that its words and declaration name, and the header's."""
        words = entry.doc + " " + entry.code
        names = {name for name in re.findall(r"\bgalley_\w+", words) if name in self.pages and name != entry.name}
        names = sorted(names) + [header_page(header)]
        return [f".BR {escape(name)} (3){',' if name != names[-1] else ''}" for name in names]

    def function(self, header, entry):
        names = reference.parameter_names(entry)
        lines = []
        for line in reference.wrapped_prototype(entry):
            text = escape(line)
            for name in names:
                text = re.sub(rf"(?<=[ *(]){name}(?=[,)])", rf"\\fI{name}\\fB", text)
            lines.append(f"\\fB{text}\\fP")
        description, returns, threads = reference.split_doc(entry.doc, reference.returns_void(entry))
        common = [part for text in header.common(entry) for part in reference.paragraphs(text)]
        rules = header.rules().partition(". ")[2] if ". " in header.rules().partition("\n\n")[0] else \
            header.rules().partition("\n\n")[2]
        self.page(entry.name, reference.summary(entry), [
            ("SYNOPSIS", self.synopsis(header, lines)),
            ("DESCRIPTION", self.body(description, entry.name)),
            ("RETURN VALUE", self.body(returns, entry.name)),
            ("THREADS AND BLOCKING", self.body(threads, entry.name)),
            ("RULES FOR SEVERAL FUNCTIONS", self.body(common, entry.name)),
            ("RULES OF THE HEADER", self.body(reference.paragraphs(rules), entry.name)),
            ("SEE ALSO", self.see_also(header, entry))])

    def type(self, header, entry):
        lines = [".nf", f"\\fB#include <galley/{header.name}>\\fP", ".PP", line_safe(escape(entry.code)), ".fi"]
        self.page(entry.name, reference.summary(entry) if entry.doc else f"a type of galley/{header.name}", [
            ("SYNOPSIS", lines),
            ("DESCRIPTION", self.body(reference.paragraphs(entry.doc) or [("text", "See the functions that take it.")],
                                      entry.name)),
            ("SEE ALSO", self.see_also(header, entry))])

    def listed(self, section):
        """A section of a header's page: constants as they are declared, functions and types by a line each."""
        lines = []
        for entry in section.entries:
            if entry.kind in ("function", "type"):
                lines += [".TP", f".BR {entry.name} (3)"]
                lines.append(line_safe(escape(reference.summary(entry) if entry.doc else "a type")))
                continue
            lines += [".PP", *self.body(reference.paragraphs(entry.doc), ""), ".PP", ".nf",
                      line_safe(escape(entry.code.strip())), ".fi"]
        parts = [part for text in [section.text, *(note for _, note in section.notes)]
                 for part in reference.paragraphs(text)]
        return [*self.body(parts, ""), *lines]

    def header(self, header):
        blocks = [("SYNOPSIS", self.synopsis(header, [])),
                  ("DESCRIPTION", self.body(reference.paragraphs(header.rules()), ""))]
        for section in header.sections:
            if section.entries:
                blocks.append((f'"{(section.title or "names").upper()}"', self.listed(section)))
        self.page(header_page(header), header.summary(), blocks)

    def write(self):
        for header in self.headers:
            self.header(header)
            for section in header.sections:
                for entry in section.entries:
                    if entry.kind == "function":
                        self.function(header, entry)
                    elif entry.kind == "type":
                        self.type(header, entry)


def header_page(header):
    """galley/pool.h has the page galley-pool(3)."""
    return "galley-" + header.name[:-2].replace("_", "-")

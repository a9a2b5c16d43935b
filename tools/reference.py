"""Reads the public headers: what each declares, with the comment that stands before it. Imported by make_reference and
check_reference, so that the manual pages, the HTML and the check are made from the same words.

A header is: its first comment (what holds for all of it); sections, `/* ---- title ---- ... */`; declarations, each
below its own `/** comment */`; other plain comments, which hold up to the next section."""

import re
import textwrap
from dataclasses import dataclass, field

import csource

SECTION = re.compile(r"^-{3,} *(.*?) *-{3,} *\n?", re.S)
PIECE = re.compile(r"/\*.*?\*/|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*|[^\s/#]", re.S | re.M)
SENTENCE_END = re.compile(r"(?<=[.!?)])(?<!\.\.)(?<! \.)(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9\"`(*{])(?<=[.!?]\s)"
                          r"|(?<=[.!?]\))\s+(?=[A-Z0-9\"`*{])")
FOR_ALL = re.compile(r"\bfunctions\s+below\b")
# What a sentence of a comment is about, by how it begins.
IS_RETURN = re.compile(r"(Returns?\b|0[,;. ]|-?\d+[,; ]|GALLEY_E[A-Z]+\b|Also GALLEY_E|NULL\b|ptr NULL|[Tt]rue\b|"
                       r"[Ff]alse\b|As there\b)")
IS_THREAD = re.compile(r"(Any (other )?thread|Blocks\b|Never blocks|Does not block|May block|Set-up (thread|call)[.;]|"
                       r"The thread that|Only (the|on|inside|for)\b.*\b(thread|handler)|On (any|the|its|one)\b.*"
                       r"\b(thread|loop)\b|Returns without waiting|Takes no lock)")


@dataclass
class Entry:
    """One declaration: a function, type, enum or macro."""

    kind: str  # function, type, enum, macro
    name: str
    doc: str  # without comment marks; "" if it has none
    code: str  # as in the header
    header: str
    line: int
    section: "Section" = None


@dataclass
class Section:
    title: str  # "" before the first section
    text: str  # of the section's comment
    notes: list = field(default_factory=list)  # (line, other plain comments)
    entries: list = field(default_factory=list)


@dataclass
class Header:
    name: str  # pool.h
    text: str  # its first comment
    sections: list = field(default_factory=list)

    def entries(self):
        return [entry for section in self.sections for entry in section.entries]

    def summary(self):
        return self.text.partition(" — ")[2].replace("\n", " ").partition(". ")[0].rstrip(".")

    def rules(self):
        """The first comment without the words that name the file."""
        text = self.text.partition(" — ")[2] or self.text
        return text[:1].upper() + text[1:]

    def common(self, entry):
        """What is said for several entries, this one among them: a list of texts. Comments of sections and plain
        comments hold up to the next section; so do comments of types that speak of "functions below". Those before
        the first section hold for all of the header."""
        texts = []
        for section in self.sections:
            if section is not self.sections[0] and section is not entry.section:
                continue
            texts.append((0, section.text))
            texts += [(line, note) for line, note in section.notes if line < entry.line]
            texts += [(other.line, other.doc) for other in section.entries
                      if other.kind == "type" and other.line < entry.line and FOR_ALL.search(other.doc)]
        return [text for _, text in sorted(texts) if text]


def comment_text(comment):
    """The words of a comment, without its marks; indentation below the first line is kept."""
    lines = re.sub(r"^/\*+|\*+/$", "", comment).split("\n")
    lines = [lines[0].strip()] + [re.sub(r"^ {1,2}\*( |$)", "", line) for line in lines[1:]]
    # Comments without a star on each line, and those that are set in by one more column.
    rest = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    cut = min(rest, default=0)
    lines = [lines[0]] + [line[cut:].rstrip() for line in lines[1:]]
    return "\n".join(lines).strip("\n")


def entry_name(kind, code):
    plain = csource.blank(code)
    if kind == "macro":
        return re.match(r"\s*#\s*define\s+(\w+)", code)[1]
    if kind == "enum":
        first = re.search(r"\{\s*(GALLEY_[A-Z0-9]+(?:_[A-Z0-9]+)*)", plain)
        return first[1] if first else "enum"
    if kind == "function":
        return csource.declared_name(plain)
    tail = re.search(r"\}\s*(\w+)\s*;$", plain)
    by_type = re.match(r"typedef\s[^(]*?\b(galley_\w+)\s*\(", plain)
    return tail[1] if tail else by_type[1] if by_type else re.findall(r"\w+", plain)[-1]


def kind_of(code):
    if code.startswith("GALLEY_API"):
        return "function"
    return "enum" if re.match(r"enum\s*\{", code) else "type"


def declaration_end(plain, start):
    """Offset behind the ; that ends the declaration at `start`."""
    depth = 0
    for at in range(start, len(plain)):
        depth += (plain[at] in "{(") - (plain[at] in "})")
        if plain[at] == ";" and depth == 0:
            return at + 1
    return len(plain)


def add_comment(header, comment, line):
    """A plain comment: the header's first, a section, or a note."""
    text = comment_text(comment)
    found = SECTION.match(text)
    if found:
        header.sections.append(Section(" ".join(found[1].split()), text[found.end():].strip("\n")))
    elif not header.text:
        header.text = text
    else:
        header.sections[-1].notes.append((line, text))


def read_header(path):
    text = path.read_text()
    plain = csource.blank(text)
    header, doc, at = Header(path.name, "", [Section("", "")]), "", 0
    while found := PIECE.search(text, at):
        piece, start, at = found[0], found.start(), found.end()
        line, code = csource.line_of(text, start), None
        if piece.startswith("/**"):
            doc = comment_text(piece)
            continue
        if piece.startswith("/*"):
            add_comment(header, piece, line)
        elif piece.lstrip().startswith("#"):
            if doc and re.match(r"\s*#\s*define", piece):
                code, kind = piece, "macro"
        elif opening := re.compile(r'extern "C" \{|\}').match(text, start):
            at = opening.end()
        else:
            at = declaration_end(plain, start)
            code = text[start:at]
            kind = kind_of(code)
        if code:
            section = header.sections[-1]
            section.entries.append(Entry(kind, entry_name(kind, code), doc, code, path.name, line, section))
        doc = ""
    return header


def read(root):
    """Every public header, base.h and pool.h first."""
    order = ["base.h", "pool.h", "http.h", "server.h"]
    paths = csource.files(root, ("include/galley",), (".h",))
    key = {name: number for number, name in enumerate(order)}
    return [read_header(path) for path in sorted(paths, key=lambda path: (key.get(path.name, 99), path.name))]


# ---- the words of a comment


def paragraphs(text):
    """("text" or "code", words) for each paragraph; what is set in by two or more columns is code."""
    found = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        for is_code, lines in grouped(block.split("\n")):
            found.append(("code", textwrap.dedent("\n".join(lines))) if is_code else ("text", " ".join(" ".join(lines).split())))
    return [part for part in found if part[1].strip()]


def grouped(lines):
    groups = []
    for line in lines:
        is_code = line.startswith("  ")
        if not groups or groups[-1][0] != is_code:
            groups.append((is_code, []))
        groups[-1][1].append(line)
    return groups


def sentences(words):
    return [part for part in SENTENCE_END.split(words) if part and part.strip()]


def split_doc(doc, is_void):
    """A function's comment in three parts, each a list of paragraphs: description, what it returns, threads."""
    description, returns, threads = [], [], []
    for kind, words in paragraphs(doc):
        target = description
        if kind == "code":
            (returns if returns and not threads else description).append((kind, words))
            continue
        parts = {id(description): [], id(returns): [], id(threads): []}
        for sentence in sentences(words):
            if IS_THREAD.match(sentence):
                target = threads
            elif IS_RETURN.match(sentence):
                target = returns
            elif target is threads:
                target = description
            parts[id(target)].append(sentence)
        for part in (description, returns, threads):
            if parts[id(part)]:
                part.append(("text", " ".join(parts[id(part)])))
    if not is_void and not returns and description:
        returns = [("text", sentences(description[0][1])[0])] # "The method's number."
    return description, returns, threads


def summary(entry, longest=90):
    """The first sentence of a comment, cut where a clause ends."""
    text = next((words for kind, words in paragraphs(entry.doc) if kind == "text"), entry.name)
    line = sentences(text)[0].rstrip(".:")
    while len(line) > longest:
        shorter = re.match(r"(.*)[;:,(]", line[:longest + 1], re.S)
        line = shorter[1].rstrip() if shorter and len(shorter[1]) > 10 else line[:longest].rpartition(" ")[0] + " …"
    return line


# ---- a function's declaration


def returns_void(entry):
    if "(" not in csource.blank(entry.code):
        return False # by a function type: galley_handler galley_static_serve
    return bool(re.match(r"GALLEY_API\s+void\s+galley_", entry.code))


def prototype(entry):
    """int galley_x(int a, void (*f)(void *b)); in one line, without attributes."""
    code = re.sub(r"/\*.*?\*/", "", entry.code, flags=re.S)
    code = re.sub(r"\bGALLEY_(API|MUST_CHECK|PRINTF\([^)]*\))", "", code)
    return re.sub(r"\s+([;,)])", r"\1", " ".join(code.split())).replace(" ;", ";")


def wrapped_prototype(entry, width=76):
    """The lines of a prototype, broken behind commas of the outer parentheses."""
    line = prototype(entry)
    if len(line) <= width or "(" not in line:
        return [line]
    start = line.index("(") + 1
    pieces, depth, at = [], 0, start
    for place in range(start, len(line)):
        depth += (line[place] == "(") - (line[place] == ")")
        if line[place] == "," and depth == 0:
            pieces.append(line[at:place + 1])
            at = place + 2
    pieces.append(line[at:])
    indent = start if start + max(map(len, pieces)) <= width else 8
    lines = [line[:start] + (pieces.pop(0) if indent == start else "")]
    for piece in pieces:
        fits = len(lines[-1]) + 1 + len(piece) <= width and lines[-1].strip() and not lines[-1].endswith("(")
        lines = lines[:-1] + [lines[-1] + " " + piece] if fits else lines + [" " * indent + piece]
    return lines


def parameter_names(entry):
    line = prototype(entry)
    inside = re.sub(r"\(\*(\w+)\)\([^()]*\)", r" \1", line[line.find("(") + 1:line.rfind(")")])
    return [re.findall(r"\w+", part)[-1] for part in inside.split(",") if re.search(r"\w\W+\w", part)]

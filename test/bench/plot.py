"""Pictures and tables of the side-by-side parts: plot.py PART CSV DIR MACHINE

Reads test,label,round,metric,value, writes DIR/PART.svg (some parts have more than one) and DIR/PART.md, and
prints the part's lines of the benchmark's table: goal|what|value|quartiles|relation|limit|note.
Values are medians of the rounds, whiskers and brackets their quartiles; a ratio is the median of the
ratios of the rounds.  Needs nothing but Python.
"""
import collections
import csv
import html
import math
import statistics
import sys

# ---- Figures ----


class Figures:
    def __init__(self, name):
        self.rounds = collections.defaultdict(dict)
        with open(name, encoding="ascii") as file:
            for row in csv.DictReader(file):
                key = row["test"], row["label"], row["metric"]
                self.rounds[key][row["round"]] = float(row["value"])

    def values(self, test, label, metric):
        return list(self.rounds.get((test, label, metric), {}).values())

    def median(self, test, label, metric):
        values = self.values(test, label, metric)
        return statistics.median(values) if values else None

    def quartiles(self, test, label, metric):
        return quartiles(self.values(test, label, metric))

    def ratios(self, test, label, base, metric, base_test=None):
        """Of one label to another, by rounds."""
        mine = self.rounds.get((test, label, metric), {})
        theirs = self.rounds.get((base_test or test, base, metric), {})
        return [mine[r] / theirs[r] for r in mine if theirs.get(r)]


def quartiles(values):
    if len(values) < 2:
        return (values[0], values[0]) if values else (0, 0)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def number(value):
    """Three digits, or all of an integer's."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 4)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(ms):
    if not ms:
        return "-" if ms is None else "0"
    if ms >= 1000:
        return f"{number(ms / 1000)} s"
    return f"{number(ms)} ms" if ms >= 1 else f"{number(ms * 1000)} us"


def report(goal, what, values, relation="", limit="", note=""):
    low, high = quartiles(values)
    middle = statistics.median(values) if values else 0
    print(f"{goal}|{what}|{middle:.6g}|{low:.6g} {high:.6g}|{relation}|{limit}|{note}")


# ---- Markdown ----


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["--:"] * (len(head) - 1)) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


# ---- SVG ----

STYLE = """
text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2933 }
.card { fill: #ffffff; stroke: #d5dbe1 }
.title { font-size: 17px; font-weight: 600 }
.panel { font-weight: 600 }
.mine { font-weight: 600 }
.note, .tick { fill: #5b6875; font-size: 11.5px }
.grid { stroke: #dfe4e9; stroke-width: 1 }
.one { stroke: #1f2933; stroke-width: 1.5; stroke-dasharray: 4 3 }
.whisker { stroke: #1f2933; stroke-width: 1.2 }
.ours { fill: #2f6fd0 } .other { fill: #a3b1bf } .bad { fill: #d0454c } .allowed { fill: #e39b3b }
.s0 { fill: #2f6fd0 } .s1 { fill: #7fb2ee } .s2 { fill: #8a63c9 } .s3 { fill: #e39b3b } .s4 { fill: #d0454c } .s5 { fill: #a3b1bf }
@media (prefers-color-scheme: dark) {
text { fill: #e3e8ed } .card { fill: #14191f; stroke: #37424d } .note, .tick { fill: #9aa7b3 }
.grid { stroke: #2a333c } .one, .whisker { stroke: #e3e8ed } .other { fill: #66747f } .s5 { fill: #66747f }
}
"""
BAR = 15
STEP = 22


def wrapped(text, width):
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


class Picture:
    """A card with a title, bars in panels, and a note below."""

    def __init__(self, width, title, subtitle):
        self.width = width
        self.parts = []
        self.text(20, 30, title, "title")
        self.text(20, 50, subtitle, "note")
        self.bottom = 62

    def text(self, x, y, text, css="", anchor="start"):
        css = f' class="{css}"' if css else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{html.escape(text)}</text>')

    def rect(self, x, y, width, height, css):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.8):.1f}" height="{height}" class="{css}"/>'
        )

    def line(self, x1, y1, x2, y2, css):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>')

    def save(self, name, note):
        lines = wrapped(note, self.width // 7)
        height = self.bottom + 16 + 15 * len(lines)
        for i, line in enumerate(lines):
            self.text(20, self.bottom + 20 + 15 * i, line, "note")
        with open(name, "w", encoding="utf-8") as file:
            file.write(
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:.0f}" '
                f'width="{self.width}" height="{height:.0f}" role="img">\n<style>{STYLE}</style>\n'
                f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{height - 1:.0f}" rx="8" class="card"/>\n'
            )
            file.write("\n".join(self.parts) + "\n</svg>\n")


class Scale:
    """From values to lengths, linear from 0 or logarithmic, with ticks that are round."""

    def __init__(self, values, length, log=False, limit=None):
        values = [v for v in values if v]
        self.length, self.log = length, log
        high = limit or max(values, default=1)
        if log:
            self.low = 10 ** math.floor(math.log10(min(values, default=1)))
            self.high = max(high, self.low * 10)
            top = math.ceil(math.log10(self.high))
            self.ticks = [10.0**e for e in range(round(math.log10(self.low)), top + 1)]
            self.ticks = [t for t in self.ticks if t <= self.high]
        else:
            self.low, self.high = 0, high
            step = 10 ** math.floor(math.log10(high))
            step = next(s for s in (step / 5, step / 2, step, step * 2) if high / s <= 5)
            self.ticks = [i * step for i in range(int(high / step + 1e-9) + 1)]

    def __call__(self, value):
        if self.log:
            if value <= self.low:
                return 0
            return self.length * math.log(value / self.low) / math.log(self.high / self.low)
        return self.length * value / self.high


Bar = collections.namedtuple("Bar", "label value low high css text")


def panel(picture, x, y, width, title, bars, scale, names=150, tick=number, one=False):
    """Bars below each other, their names at the left, their values at their ends.  Returns the bottom."""
    left = x + names
    picture.text(x, y + 14, title, "panel")
    top = y + 24
    bottom = top + len(bars) * STEP
    for value in scale.ticks:
        at = left + scale(value)
        picture.line(at, top, at, bottom, "grid")
        picture.text(at, bottom + 13, tick(value), "tick", "middle")
    for i, bar in enumerate(bars):
        at = top + i * STEP + 3
        if bar.label:
            mine = "mine" if bar.label.startswith(("cached_query", "HTTP: cached_query")) else ""
            picture.text(left - 8, at + 12, bar.label, mine, "end")
        end = left
        if bar.value is not None:
            picture.rect(left, at, scale(bar.value), BAR, bar.css)
            end = left + scale(bar.value)
            if bar.high > bar.low:
                middle = at + BAR / 2
                picture.line(left + scale(bar.low), middle, left + min(scale(bar.high), width - names), middle, "whisker")
                end = max(end, left + min(scale(bar.high), width - names))
        picture.text(end + 5, at + 12, bar.text, "")
    if one:
        picture.line(left + scale(1), top - 3, left + scale(1), bottom, "one")
    picture.bottom = max(picture.bottom, bottom + 22)
    return bottom + 30


# ---- The parts ----

ARTICLE = [
    ("no_cache", "no cache", "other"),
    ("lru_cache", "lru_cache", "other"),
    ("redis_json", "Redis + JSON, as in the article", "other"),
    ("cached_rows", "cached_query, RealDictCursor", "ours"),
    ("redis_raw", "Redis, JSON text sent on", "other"),
    ("cached_json_redis", "cached_query_json, from Redis", "ours"),
    ("cached_json", "cached_query_json, from memory", "ours"),
    ("floor", "(the same bytes from the process)", "other"),
]
SEGMENTS = [
    ("query in the server", "s0"),
    ("to the application", "s1"),
    ("Redis", "s2"),
    ("decode", "s3"),
    ("encode", "s4"),
    ("HTTP", "s5"),
]


def article_segments(f, endpoint):
    """Where a request's time goes; the server's share of `db` was measured by EXPLAIN ANALYZE."""
    of = lambda metric: f.median("article", endpoint, metric) or 0
    server = {"no_cache": "direct", "cached_rows": "cached"}.get(endpoint)
    query = min(f.median("article", server, "server") or 0, of("db")) if server else 0
    parts = [query, of("db") - query, of("cache"), of("decode"), of("encode")]
    return parts + [max(0, of("total") - sum(parts))]


def article(f, out, note):
    total = {e: f.median("article", e, "total") for e, _, _ in ARTICLE}
    rows, returned = (int(f.median("article", "table", m)) for m in ("rows", "returned"))
    base = total["redis_json"]
    speed = {e: statistics.median(f.ratios("article", "redis_json", e, "total")) for e, _, _ in ARTICLE}
    picture = Picture(
        960,
        "The article's web service: time of a whole request, shorter is better",
        f"{returned:,} rows of a table of {rows:,}, as JSON over HTTP (FastAPI, psycopg2); all but \"no cache\" are hits; "
        "x: times as fast as the article's Redis + JSON",
    )
    x = 270
    for name, css in SEGMENTS:
        picture.rect(x, 64, 12, 12, css)
        picture.text(x + 17, 75, name)
        x += 40 + 7 * len(name)
    y = 84
    fast = [e for e in ARTICLE if total[e[0]] < base / 5]
    for title, which in (("all of them", ARTICLE), ("the fast ones, enlarged", fast)):
        if not which:
            continue
        scale = Scale([total[e] for e, _, _ in which], 540)
        bars = [Bar(label, None, 0, 0, "", "") for _, label, _ in which]
        top = y + 24
        y = panel(picture, 20, y, 880, title, bars, scale, 250, duration) + 8
        for i, (endpoint, _, _) in enumerate(which):
            at = 270.0  # where the bars of a panel begin
            for (_, css), ms in zip(SEGMENTS, article_segments(f, endpoint)):
                if ms > 0:
                    picture.rect(at, top + i * STEP + 3, scale(ms), BAR, css)
                    at += scale(ms)
            picture.text(at + 6, top + i * STEP + 15, f"{duration(total[endpoint])}, {number(speed[endpoint])} x")
    picture.save(f"{out}/article.svg", note)
    lines = []
    for endpoint, label, _ in ARTICLE:
        low, high = f.quartiles("article", endpoint, "total")
        cells = [label, f"{duration(total[endpoint])} [{duration(low)} - {duration(high)}]", f"{number(speed[endpoint])} x"]
        lines.append(cells + [duration(ms) if ms >= 0.05 else "" for ms in article_segments(f, endpoint)])
    size = f.median("article", "cached_json", "bytes") / 1e6, f.median("article", "redis_json", "bytes") / 1e6
    text = table(["endpoint", "request", "speed"] + [name for name, _ in SEGMENTS], lines)
    text += (
        f"\nBodies: {size[0]:.1f} MB as `cached_query_json` writes it, {size[1]:.1f} MB as FastAPI does. The document's "
        "time in the server is part of \"to the application\". What the article itself prints leaves out encode and HTTP. "
        "The application's malloc keeps freed memory (MALLOC_TRIM_THRESHOLD_, for all endpoints alike).\n"
    )
    for endpoint, goal, limit in (("cached_json", "G10", 20), ("cached_json_redis", "", ""), ("cached_rows", "", ""), ("redis_raw", "", "")):
        label = next(name for e, name, _ in ARTICLE if e == endpoint)
        ratios = f.ratios("article", "redis_json", endpoint, "total")
        note = f"{duration(base)} / {duration(total[endpoint])}"
        report(goal, f"article: Redis + JSON / {label}", ratios, ">=" if goal else "", limit, note)
    report("", "article: no cache / cached_query_json, from memory", f.ratios("article", "no_cache", "cached_json", "total"))
    return text


PEERS = [
    ("direct", "the query itself", "other"),
    ("view", "materialized view", "other"),
    ("pgpool", "Pgpool-II, hit", "other"),
    ("redis", "Redis GET (no decoding)", "other"),
    ("exact", "cached_query, exact", "ours"),
    ("cached", "cached_query", "ours"),
]
RESULTS = [
    ("row", "1 row by primary key"),
    ("sum", "4 rows, an aggregate"),
    ("thousand", "1,000 rows"),
    ("list", "100,000 rows"),
]


def peers_picture(f, name, note, title, subtitle, clients, metric, show):
    picture = Picture(960, title, subtitle)
    y = 66
    for result, label in RESULTS:
        low = []
        for column, mode in enumerate(("prepared", "simple")):
            test = f"peers.{result}.{mode}.{clients}"
            values = {who: f.median(test, who, metric) for who, _, _ in PEERS}
            both = [f.median(f"peers.{result}.{m}.{clients}", who, metric) for m in ("prepared", "simple") for who, _, _ in PEERS]
            scale = Scale(both, 190, log=True)
            bars = [
                Bar(who_label, values[who], *f.quartiles(test, who, metric), css, show(values[who]))
                for who, who_label, css in PEERS
            ]
            low.append(panel(picture, 20 + column * 470, y, 360, f"{label}, {mode}", bars, scale, 170, show))
        y = max(low)
    picture.save(name, note)


def peers(f, out, note):
    peers_picture(
        f, f"{out}/peers.svg", note, "Time of one request, 1 client: shorter is better (logarithmic scale)",
        "14 columns (the aggregate: 4), text format, unix sockets; medians, lines are quartiles", 1, "p50", duration,
    )
    peers_picture(
        f, f"{out}/peers_tps.svg", note, "Requests per second, 8 clients: longer is better (logarithmic scale)",
        "14 columns (the aggregate: 4), text format, unix sockets; medians, lines are quartiles", 8, "tps", number,
    )
    text = ""
    for mode in ("prepared", "simple"):
        lines = []
        for result, label in RESULTS:
            for clients in (1, 2, 8):
                test = f"peers.{result}.{mode}.{clients}"
                cells = [f"{label}, {clients} client" + "s" * (clients > 1)]
                for who, _, _ in PEERS:
                    p50, p99, tps = (f.median(test, who, m) for m in ("p50", "p99", "tps"))
                    cells.append(f"{duration(p50)} / {duration(p99)} / {number(tps)}")
                lines.append(cells)
        text += f"{mode.capitalize()} statements: p50 / p99 / requests per second\n\n"
        text += table(["result"] + [label for _, label, _ in PEERS], lines) + "\n"
    report("G4", "peers: Pgpool-II's hit / ours, 1 row, prepared", f.ratios("peers_g4", "pgpool", "cached", "p50"), ">=", 4,
           f"{duration(f.median('peers_g4', 'pgpool', 'p50'))} / {duration(f.median('peers_g4', 'cached', 'p50'))}")
    for result, label in RESULTS:
        for mode in ("prepared", "simple"):
            for clients in (1, 8):
                test = f"peers.{result}.{mode}.{clients}"
                ratios = {who: f.ratios(test, who, "cached", "p50") for who in ("direct", "view", "pgpool", "redis")}
                others = ", ".join(f"{who} {number(statistics.median(r))}" for who, r in ratios.items() if who != "pgpool")
                report("", f"peers: {label}, {mode}, {clients}: Pgpool-II / ours", ratios["pgpool"], "", "", others)
    return text


WRITES = [
    ("direct", "the query itself", "other"),
    ("exact", "cached_query, exact", "ours"),
    ("ttl", "cached_query, ttl of 1 s", "ours"),
    ("pgpool", "Pgpool-II", "other"),
    ("pgpool_past", "Pgpool-II, written past it", "other"),
    ("redis", "application + Redis", "other"),
]


def percent_tick(value):
    return f"{value:.0f} %" if value in (0, 60, 100) else ""


def writes(f, out, note):
    picture = Picture(
        1080,
        "Reads and writes mixed: more requests per second are better, stale answers are wrong",
        "8 clients, aggregates of 8 tables; stale: lacks a write whose commit had been confirmed before the question; a ttl of 1 s "
        "allows that. The application deletes its keys after each write",
    )
    y = 66
    shares = (0, 1, 10, 50)
    fastest = max(f.median(f"writes.{p}", who, "tps") or 0 for p in shares for who, _, _ in WRITES)
    slowest = [f.median(f"writes.{p}", who, "tps") for p in shares for who, _, _ in WRITES]
    lines = []
    for percent in shares:
        test = f"writes.{percent}"
        tps, hits, stale = [], [], []
        for who, label, css in WRITES:
            value = f.median(test, who, "tps")
            tps.append(Bar(label, value, *f.quartiles(test, who, "tps"), css, number(value)))
            reads = sum(f.values(test, who, "reads"))
            part = 0 if who == "direct" else 100 * sum(f.values(test, who, "hits")) / reads
            hits.append(Bar("", part, 0, 0, css, "" if who == "direct" else f"{number(part)} %"))
            wrong = sum(f.values(test, who, "stale"))
            worst = max(f.values(test, who, "stale_ms"))
            share = 100 * wrong / reads
            stale.append(Bar("", share, 0, 0, "allowed" if who == "ttl" else "bad", f"{number(share)} %" if wrong else "0"))
            lines.append([f"{percent} % writes, {label}", number(value), duration(f.median(test, who, "p50")),
                          duration(f.median(test, who, "p99")), "" if who == "direct" else f"{number(part)} %",
                          f"{wrong:,.0f} of {reads:,.0f}", duration(worst) if wrong else ""])
        bottom = panel(picture, 20, y, 480, f"{percent} % writes: requests per second (logarithmic)", tps,
                       Scale(slowest, 250, log=True, limit=fastest), 180)
        panel(picture, 540, y, 220, "hits among the reads", hits, Scale([], 170, limit=100), 0, percent_tick)
        panel(picture, 800, y, 220, "stale answers", stale, Scale([], 170, limit=100), 0, percent_tick)
        y = bottom
    picture.save(f"{out}/writes.svg", note)
    for percent in shares:
        test = f"writes.{percent}"
        report("", f"writes: {percent} %, exact / direct, per second", f.ratios(test, "exact", "direct", "tps"))
        report("", f"writes: {percent} %, exact / Pgpool-II, per second", f.ratios(test, "exact", "pgpool", "tps"))
        reads = sum(f.values(test, "exact", "reads"))
        report("exact", f"writes: {percent} %, exact answers that were stale", [sum(f.values(test, "exact", "stale"))], "<=", 0,
               f"of {reads:,.0f}; Pgpool-II's {sum(f.values(test, 'pgpool', 'stale')):,.0f} of {sum(f.values(test, 'pgpool', 'reads')):,.0f}, "
               f"written past it {sum(f.values(test, 'pgpool_past', 'stale')):,.0f} of {sum(f.values(test, 'pgpool_past', 'reads')):,.0f}, "
               f"application + Redis {sum(f.values(test, 'redis', 'stale')):,.0f} of {sum(f.values(test, 'redis', 'reads')):,.0f}")
    return table(["", "per second", "p50 of reads", "p99", "hits", "stale answers", "stale by up to"], lines)


TENANTS = [
    ("direct", "the query itself", "other"),
    ("exact", "cached_query, exact", "ours"),
    ("tracked", "cached_query, exact, tracked by tenant", "ours"),
    ("pgpool", "Pgpool-II", "other"),
    ("redis", "application + Redis", "other"),
]


def tenants(f, out, note):
    picture = Picture(
        1180,
        "One table of 1,000 tenants, 10 % single-row writes: more requests per second are better, stale answers are wrong",
        "8 clients, sums of one tenant's rows; stale: lacks a write whose commit had been confirmed before the question. "
        "The application deletes the tenant's key after each write",
    )
    tps, hits, stale, lines = [], [], [], []
    for who, label, css in TENANTS:
        value = f.median("tenants", who, "tps")
        reads, wrong = sum(f.values("tenants", who, "reads")), sum(f.values("tenants", who, "stale"))
        part = 0 if who == "direct" else 100 * sum(f.values("tenants", who, "hits")) / reads
        worst = max(f.values("tenants", who, "stale_ms"))
        tps.append(Bar(label, value, *f.quartiles("tenants", who, "tps"), css, number(value)))
        hits.append(Bar("", part, 0, 0, css, "" if who == "direct" else f"{number(part)} %"))
        stale.append(Bar("", wrong, 0, 0, "bad", number(wrong)))
        lines.append([label, number(value), duration(f.median("tenants", who, "p50")), duration(f.median("tenants", who, "p99")),
                      "" if who == "direct" else f"{number(part)} %", f"{wrong:,.0f} of {reads:,.0f}",
                      duration(worst) if wrong else ""])
    panel(picture, 20, 66, 560, "requests per second", tps, Scale([b.value for b in tps], 250), 250)
    panel(picture, 620, 66, 220, "hits among the reads", hits, Scale([], 170, limit=100), 0, percent_tick)
    panel(picture, 880, 66, 220, "stale answers", stale, Scale([b.value for b in stale] + [1], 170), 0)
    picture.save(f"{out}/tenants.svg", note)
    rates = [h / r for h, r in zip(f.values("tenants", "tracked", "hits"), f.values("tenants", "tracked", "reads"))]
    report("G18", "tenants: hit ratio, tracked by tenant", rates, ">=", 0.85)
    report("G18", "tenants: tracked / by table, per second", f.ratios("tenants", "tracked", "exact", "tps"), ">=", 2)
    for who, label, _ in TENANTS:
        if who not in ("tracked", "exact"):
            report("", f"tenants: tracked / {label}, per second", f.ratios("tenants", "tracked", who, "tps"))
    wrong = sum(f.values("tenants", "tracked", "stale")) + sum(f.values("tenants", "exact", "stale"))
    report("exact", "tenants: exact answers that were stale", [wrong], "<=", 0,
           ", ".join(f"{label}: {sum(f.values('tenants', who, 'stale')):,.0f} of {sum(f.values('tenants', who, 'reads')):,.0f}"
                     for who, label, _ in TENANTS))
    return table(["", "per second", "p50 of reads", "p99", "hits", "stale answers", "stale by up to"], lines)


BULK = [("copy", "COPY"), ("insert", "INSERT .. SELECT"), ("update", "UPDATE"), ("delete", "DELETE")]


def bulk(f, out, note):
    picture = Picture(960, "The trigger of a tracked table, in bulk", "processor time of the backend for each row of a million; shorter is better")
    kinds = sorted({metric.partition(".")[2] for _, _, metric in f.rounds}, key=int)
    bars, lines = [], []
    for name, label in BULK:
        for kind in kinds:
            metric = f"{name}.{kind}"
            plain = f.rounds[("bulk", "plain", metric)]
            more = {who: [f.rounds[("bulk", who, metric)][r] - plain[r] for r in plain] for who in ("tracked", "idle")}
            what = f"{label}, {'one tenant' if kind == '1' else f'{int(kind):,} tenants'}"
            base = f.median("bulk", "plain", metric)
            middle, idle = statistics.median(more["tracked"]), statistics.median(more["idle"])
            low, high = quartiles(more["tracked"])
            bars.append(Bar(what, max(middle, 0), max(low, 0), max(high, 0), "ours", f"+{middle:.2f} us"))
            bars.append(Bar("a trigger that does nothing", max(idle, 0), 0, 0, "other", f"+{idle:.2f} us ({base:.2f} without)"))
            lines.append([what, f"{base:.2f} us", f"+{middle:.2f} us", f"{low:.2f} - {high:.2f}", f"+{idle:.2f} us"])
            report("G19", f"bulk: {what}, us a row more", more["tracked"], "<=", 0.4,
                   f"{base:.2f} us without; a trigger that does nothing +{idle:.2f}")
    panel(picture, 20, 66, 900, "microseconds a row more than untracked", bars, Scale([b.value for b in bars] + [0.4], 400), 260)
    picture.save(f"{out}/bulk.svg", note)
    return table(["", "untracked", "tracked", "quartiles", "a trigger that does nothing"], lines)


STAMPEDE = [
    ("direct", "the query itself", "other"),
    ("pgpool", "Pgpool-II", "other"),
    ("cached", "cached_query", "ours"),
    ("stale", "cached_query, stale_for", "ours"),
    ("slow_lru", "HTTP: lru_cache", "other"),
    ("slow_redis", "HTTP: Redis + JSON, the article's", "other"),
    ("slow_cached", "HTTP: cached_query_json", "ours"),
]


def stampede(f, out, note):
    picture = Picture(
        960,
        "100 clients ask at once for an answer that is not there: how often does the query run?",
        "an aggregate over a million rows; cold caches (stale_for: an answer that has just expired); FastAPI runs at most 40 requests at a time; shorter is better",
    )
    runs, middle, last, lines = [], [], [], []
    for who, label, css in STAMPEDE:
        value, ms = f.median("stampede", who, "executions"), f.median("stampede", who, "last")
        runs.append(Bar(label, value, *f.quartiles("stampede", who, "executions"), css, number(value)))
        p50 = f.median("stampede", who, "p50")
        middle.append(Bar("", p50, *f.quartiles("stampede", who, "p50"), css, duration(p50)))
        last.append(Bar("", ms, *f.quartiles("stampede", who, "last"), css, duration(ms)))
        lines.append([label, number(value), duration(f.median("stampede", who, "p50")), duration(ms)])
    times = [b.value for b in last]
    panel(picture, 20, 66, 420, "executions of the query", runs, Scale([], 150, limit=100), 230)
    panel(picture, 460, 66, 220, "how long half of the clients wait", middle, Scale(times, 170), 0, duration)
    panel(picture, 715, 66, 220, "how long the last waits", last, Scale(times, 170), 0, duration)
    picture.save(f"{out}/stampede.svg", note)
    for who in ("cached", "stale", "slow_cached"):
        label = next(name for w, name, _ in STAMPEDE if w == who)
        if not all(f.values("stampede", who, "executions")):
            raise SystemExit(f"{label}: executions were not counted")
        report("", f"stampede: executions, {label}", f.values("stampede", who, "executions"), "<=", 1)
    for who in ("direct", "pgpool", "slow_lru", "slow_redis"):
        label = next(name for w, name, _ in STAMPEDE if w == who)
        report("", f"stampede: executions, {label}", f.values("stampede", who, "executions"))
    return table(["", "executions", "median client", "last client"], lines)


EVICTION = [("none", "no cache", "other"), ("lru", "eviction = lru", "ours"), ("cost", "eviction = cost (default)", "ours")]


def eviction(f, out, note):
    picture = Picture(
        960,
        "A cache too small for its queries: what is kept, by last use or by cost?",
        "2,000 calls of 600 queries of mixed cost and size, Zipf-like, into 8 MB; time of the whole trace, shorter is better",
    )
    none = f.median("eviction", "none", "last")
    total, lines = [], []
    for who, label, css in EVICTION:
        ms = f.median("eviction", who, "last")
        hits, misses = f.median("eviction", who, "hits"), f.median("eviction", who, "misses")
        saved = f"{100 * (1 - ms / none):.0f} %"
        ratio = "" if hits is None else f"{100 * hits / (hits + misses):.1f} %"
        text = duration(ms) + ("" if hits is None else f": saves {saved}, {ratio} hits")
        total.append(Bar(label, ms, *f.quartiles("eviction", who, "last"), css, text))
        lines.append([label, duration(ms), "" if hits is None else saved, ratio, number(f.median("eviction", who, "evictions"))])
    panel(picture, 20, 66, 660, "time of the trace", total, Scale([b.value for b in total], 460), 190, duration)
    picture.save(f"{out}/eviction.svg", note)
    report("", "eviction: time of the trace, cost / lru", f.ratios("eviction", "cost", "lru", "last"), "<=", 1)
    for who in ("lru", "cost"):
        saved = [1 - r for r in f.ratios("eviction", who, "none", "last")]
        report("", f"eviction: share of the time that {who} saves", saved)
    return table(["", "time of the trace", "saved", "hits", "evictions"], lines)


LOSES = [
    ("a row by primary key, prepared: hit / the query", "loses_hit_prepared", "cached", "direct"),
    ("a row by primary key, simple: hit / the query", "loses_hit_simple", "cached", "direct"),
    ("a row, simple: hit / Pgpool-II's hit", "loses_pgpool", "cached", "pgpool"),
    ("rows by key, each once: miss / the query", "loses_miss", "cached", "direct"),
    ("100,000 rows: RealDictCursor / Redis + json.loads", "loses_decode", "realdict", "redis_json"),
    ("  plain cursor / Redis + json.loads", "loses_decode", "tuples", "redis_json"),
    ("  json.loads of cached_query_json / Redis + json.loads", "loses_decode", "document", "redis_json"),
    ("  RealDictCursor: hit / the query", "loses_decode", "realdict", "direct"),
]


def loses(f, out, note):
    picture = Picture(
        960,
        "Where it loses: time with cached_query / time without, beyond the line it is slower",
        "single rows by key, the simple protocol, answers that nobody asks for again, and decoding in Python (logarithmic scale)",
    )
    bars, lines = [], []
    for label, test, mine, theirs in LOSES:
        ratios = f.ratios(test, mine, theirs, "p50")
        value = statistics.median(ratios)
        low, high = quartiles(ratios)
        times = f"{duration(f.median(test, mine, 'p50'))} / {duration(f.median(test, theirs, 'p50'))}"
        bars.append(Bar(label.strip(), value, low, high, "bad" if value > 1.05 else "ours", f"{number(value)}   ({times})"))
        lines.append([label.strip(), number(value), f"{number(low)} - {number(high)}", times])
        report("", f"loses: {label.strip()}", ratios, "", "", times)
    panel(picture, 20, 66, 730, "ratio", bars, Scale([b.value for b in bars] + [0.1, 10], 330, log=True), 360, number, one=True)
    picture.save(f"{out}/loses.svg", note)
    return table(["", "ratio", "quartiles", "times"], lines)


PARTS = {"article": article, "peers": peers, "writes": writes, "tenants": tenants, "bulk": bulk, "stampede": stampede, "eviction": eviction, "loses": loses}


def main():
    part, name, out, machine = sys.argv[1:]
    text = PARTS[part](Figures(name), out, machine)
    with open(f"{out}/{part}.md", "w", encoding="utf-8") as file:
        file.write(f"### {part.capitalize()}\n\n{text}\n{machine}\n")


if __name__ == "__main__":
    main()

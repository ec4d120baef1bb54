#!/usr/bin/python3
"""Runs figures and does their statistics. tests/bench/run.sh calls it; see there.

A figure is a class in figures/*.py that sets NAME, WHAT and TARGET and has prepare(bench),
baseline() and subject(), which return what is achieved in a second, or a Sample; both are
called once in each round, in turns, or as often as its TURNS says. It is listed in its module's
FIGURES. What has no baseline is listed in FACTS, and has measure(), which returns numbers by name.
"""

import argparse
import fnmatch
import importlib
import json
import os
import pkgutil
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import figures  # noqa: E402
from programs import Missing, Programs, Sample  # noqa: E402


def find(kind, patterns, but=()):
    """Classes of all modules in figures/, in the order of their names and of FIGURES or FACTS."""
    found = []
    for module in sorted(m.name for m in pkgutil.iter_modules(figures.__path__)):
        found += getattr(importlib.import_module("figures." + module), kind, [])
    return [f for f in found
            if (not patterns or any(fnmatch.fnmatchcase(f.NAME, p) for p in patterns))
            and not any(fnmatch.fnmatchcase(f.NAME, p) for p in but)]


class Bench:
    """What figures share: sizes, programs, and fixtures, which are made once."""

    def __init__(self, options, work):
        self.rounds = options.rounds
        self.seconds = options.seconds
        self.scale = options.scale
        self.work = work
        self.programs = Programs(options.bin, work)
        self.fixtures = {}

    def scaled(self, count, least=1):
        """Of what the whole run has so many of."""
        return max(least, int(count * self.scale))

    def fixture(self, cls):
        if cls not in self.fixtures:
            self.fixtures[cls] = cls(self)
        return self.fixtures[cls]

    def drop_fixtures(self):
        for fixture in self.fixtures.values():
            fixture.close()
        self.fixtures = {}


def middle(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def spread_of(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def mean_of(samples):
    cpu = [s.cpu_us for s in samples if s.cpu_us is not None]
    return Sample(statistics.mean(s.rate for s in samples), statistics.mean(cpu) if cpu else None)


def run_figure(bench, cls):
    """Returns what is known of a figure, for the table and JSON."""
    figure = cls()
    figure.prepare(bench)
    baseline, subject = [], []
    for number in range(bench.rounds):
        of_baseline, of_subject = [], []
        turns = [(figure.baseline, of_baseline), (figure.subject, of_subject)]
        for turn in range(getattr(cls, "TURNS", 1)):
            for measure, samples in turns if (number + turn) % 2 == 0 else turns[::-1]:
                sample = measure()
                samples.append(sample if isinstance(sample, Sample) else Sample(sample))
        baseline.append(mean_of(of_baseline))
        subject.append(mean_of(of_subject))
        print("%s %s: baseline %s, subject %s" % (time.strftime("%X"), cls.NAME, baseline[-1],
                                                  subject[-1]), flush=True)
    result = {
        "name": cls.NAME, "what": cls.WHAT, "target": cls.TARGET,
        "baseline": spread_of([s.rate for s in baseline]),
        "subject": spread_of([s.rate for s in subject]),
        "ratio": spread_of([s.rate / b.rate for s, b in zip(subject, baseline)]),
        "baseline_cpu_us": middle([s.cpu_us for s in baseline]),
        "subject_cpu_us": middle([s.cpu_us for s in subject]),
        "rounds": [{"baseline": b.rate, "subject": s.rate} for b, s in zip(baseline, subject)],
    }
    if hasattr(figure, "extra"):
        result["extra"] = figure.extra()
    return result


def run_fact(bench, cls):
    fact = cls()
    fact.prepare(bench)
    return {"name": cls.NAME, "what": cls.WHAT, "values": fact.measure()}


def run_all(bench, chosen, run):
    results, skipped = [], []
    for cls in chosen:
        try:
            results.append(run(bench, cls))
        except Missing as missing:
            skipped.append({"name": cls.NAME, "why": str(missing)})
            print("%s: skipped: %s" % (cls.NAME, missing), flush=True)
    return results, skipped


# --- what comes out ---------------------------------------------------------------------------


def print_table(results):
    form = "%-18s %12s %12s %7s %-15s %7s %11s %11s"
    print()
    print(form % ("figure", "baseline/s", "subject/s", "ratio", "(least, most)", "target", "CPU base",
                  "CPU subject"))
    for r in results:
        cpu = ["%.1f us" % r[k] if r[k] is not None else "-"
               for k in ("baseline_cpu_us", "subject_cpu_us")]
        print(form % (r["name"], "%.0f" % r["baseline"]["median"], "%.0f" % r["subject"]["median"],
                      "%.2f" % r["ratio"]["median"],
                      "(%.2f, %.2f)" % (r["ratio"]["min"], r["ratio"]["max"]),
                      "-" if r["target"] is None else "%.2f" % r["target"], *cpu))
    for r in results:
        for name, value in r.get("extra", {}).items():
            print("%s %s %s" % (r["name"], name, value))
    print()
    for r in results:
        if r["ratio"]["median"] > 0:
            print("ratio %s %.2f %.2f %.2f" % (r["name"], r["ratio"]["median"], r["ratio"]["min"],
                                               r["ratio"]["max"]))


def print_facts(facts):
    for fact in facts:
        print("%s: %s" % (fact["name"], fact["what"]))
        for name, value in fact["values"].items():
            print("fact %s %s %.1f" % (fact["name"], name, value))


PLOT = """set terminal pngcairo size 1200,600 font ",11"
set output "%(png)s"
set title "subject by baseline: median, least and most of %(rounds)d rounds"
set style fill solid 0.5
set boxwidth 0.6
set yrange [0:*]
set xtics rotate by -35
set grid ytics
set key top right
set rmargin 12
plot "%(data)s" using 0:2:xtic(1) with boxes lc rgb "#4477aa" title "ratio", \\
     "" using 0:2:3:4 with yerrorbars lc rgb "black" notitle, \\
     "" using ($0-0.3):5:(0.6):(0) with vectors nohead lw 2 lc rgb "#cc3311" title "target"
"""


def plot(results, out, rounds):
    """PNGs of ratios near 1, and of those far above it."""
    if shutil.which("gnuplot") is None:
        print("no plots: gnuplot is not there")
        return
    for name, some in (("ratios", [r for r in results if (r["target"] or 1) <= 2]),
                       ("ratios_of_codecs", [r for r in results if (r["target"] or 1) > 2])):
        if not some:
            continue
        data, png = os.path.join(out, name + ".dat"), os.path.join(out, name + ".png")
        with open(data, "w", encoding="utf-8") as f:
            for r in some:
                ratio = r["ratio"]
                target = "NaN" if r["target"] is None else r["target"]
                f.write("%s %f %f %f %s\n" % (r["name"].replace("_", "\\\\_"), ratio["median"],
                                              ratio["min"], ratio["max"], target))
        script = PLOT % {"png": png, "data": data, "rounds": rounds}
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
        os.unlink(data)


def describe_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "")
    return {"processors": os.cpu_count(), "model": model, "kernel": os.uname().release,
            "load": os.getloadavg()}


def parse(argv):
    parser = argparse.ArgumentParser(description="Measures Annals against bare programs.")
    parser.add_argument("--bin", required=True, help="where Bazel has put the programs")
    parser.add_argument("--rounds", type=int, help="in each, both are measured once (5)")
    parser.add_argument("--seconds", type=float, help="of one measurement (3)")
    parser.add_argument("--scale", type=float, help="of the sizes of data (1)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of a second, a fiftieth of the data")
    parser.add_argument("--only", action="append", metavar="NAME", help="such figures; * and ? match")
    parser.add_argument("--but", action="append", metavar="NAME", default=[],
                        help="not such figures")
    parser.add_argument("--out", default="bench-results", help="where JSON and plots go")
    parser.add_argument("--list", action="store_true", help="print the figures' names and end")
    options = parser.parse_args(argv)
    quick = options.quick
    options.rounds = options.rounds or (3 if quick else 5)
    options.seconds = options.seconds or (1 if quick else 3)
    options.scale = options.scale or (0.02 if quick else 1)
    options.bin = os.path.abspath(options.bin)
    return options


def main(argv):
    options = parse(argv)
    chosen = find("FIGURES", options.only, options.but)
    facts = find("FACTS", options.only, options.but)
    if options.list or not chosen + facts:
        print("\n".join("%-18s %s" % (f.NAME, f.WHAT)
                        for f in chosen + facts or find("FIGURES", None) + find("FACTS", None)))
        return 0 if options.list else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = tempfile.mkdtemp(prefix="annals-bench.")
    bench = Bench(options, work)
    machine = describe_machine()
    try:
        results, skipped = run_all(bench, chosen, run_figure)
        facts, also_skipped = run_all(bench, facts, run_fact)
        bench.drop_fixtures()
    finally:
        bench.programs.end()
        shutil.rmtree(work)
    print_table(results)
    print_facts(facts)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": machine, "rounds": options.rounds, "seconds": options.seconds,
                   "scale": options.scale, "figures": results, "facts": facts,
                   "skipped": skipped + also_skipped}, f, indent=2)
    plot(results, options.out, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

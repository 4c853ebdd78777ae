#!/usr/bin/env python3
"""Program by program, lets the 1st, 2nd, 3rd … call of each kind fail, until the run completes: once, and from then on.

What must hold each time: exit 0 with the right output, or exit 1 with one line that names the program, a path and the reason; never another end. Under a
final name stands the whole right content, the earlier one, or nothing; no temporary file stays; the inputs are as before; and the
program, run again without the fault, gives the right output. Usage: failing_calls.py [--sample N] [--jobs N] [--only PROGRAM] [--call CALL]."""
import argparse
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from scenario import (BUILD, ENVIRONMENT, MODEL, NAMES, OUTPUTS, PROGRAMS, Dataset, Fault, files_below, library_or_skip, points, read, run_all, temporaries, write)

EFFECTS = {  # per kind of call: what happens in life
    "write": ["ENOSPC", "EIO", "EDQUOT", "EINTR", "short"],
    "read": ["EIO", "EINTR", "short"],
    "open": ["EMFILE", "EIO", "ENOMEM", "EINTR", "ENOSPC"],
    "close": ["EIO", "EINTR"],
    "fsync": ["EIO", "ENOSPC", "EINTR"],
    "rename": ["EIO", "ENOSPC"],
    "link": ["EIO", "ENOSPC", "EPERM"],
    "unlink": ["EIO"],
    "mkdir": ["ENOSPC", "EIO"],
    "mmap": ["ENOMEM"],
    "flock": ["ENOLCK", "EINTR"],
    "stat": ["EIO", "ENOMEM"],
    "lseek": ["EIO"],
    "fchmod": ["EIO", "EPERM"],
    "allocate": ["ENOMEM"],
}
# What processing_stats.json says of the dataset, not of the run.
COUNTS = ("total_paired_items", "processed_items", "midi_files_processed", "text_files_processed", "tokens", "notes", "failures")
# Libraries that end the process where they find no memory: theirs are the only allocations after which a clean abort counts.
ABORTING = ("libdnnl.so", "libgomp.so", "libstdc++.so")


class Case:
    """One program with its operands, relative to a folder that is set up anew for every run."""

    def __init__(self, name, program, arguments, inputs, outputs, earlier=None, fsync=False):
        self.name, self.program, self.arguments, self.outputs = name, program, arguments, outputs
        self.inputs = inputs            # {path: content}
        self.earlier = earlier or {}    # {path: content}: what stands under the outputs' names before
        self.environment = {"FSYNC": "1"} if fsync else {}
        # What makes a file appear whole and last: without these calls there would be nothing to fail.
        self.needed = {"rename": 1, "flock": 1, "fsync": 2 if fsync or earlier else 0}  # fsync: the file and its folder

    def set_up(self, folder):
        for path, content in {**self.inputs, **self.earlier}.items():
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            write(f"{folder}/{path}", content)
        os.makedirs(f"{folder}/out", exist_ok=True)

    def run(self, folder, fault=None):
        environment = {**ENVIRONMENT, "LOG_LEVEL": "error", **self.environment, **(fault.environment if fault else {})}
        done = subprocess.run([f"{PROGRAMS}/{self.program}", *self.arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if fault:
            fault.finish()
        return done

    def results(self, folder):
        """What stands under the outputs' names, except for plan's caches and the journal: they may hold less after a fault, and checksums guard them."""
        found = {}
        for path in files_below(folder):
            is_output = any(path == output or output.endswith("/") and path.startswith(output) for output in self.outputs)
            if is_output and ".reprise-" not in path and not path.endswith((".index", "signatures", "known", "work/journal")):
                found[path] = self.shape(path, read(f"{folder}/{path}"))
        return found

    @staticmethod
    def shape(path, content):
        """What must be the same in every run: no times."""
        if path.endswith("progress"):
            return len(content)
        if path.endswith("processing_stats.json") and content.startswith(b"{"):
            return {key: value for key, value in json.loads(content).items() if isinstance(value, (int, list)) and key in COUNTS}
        return content


def shard_cases(dataset):
    """The cases, with inputs from a finished run of the dataset."""
    work = files_below(dataset.work)

    def pick(ending):
        return next(path for path in work if path.endswith(ending))

    piece = next(line for line in read(f"{dataset.work}/{pick('.mk')}").decode().splitlines() if ".piece:" in line)
    name, tok, emb = re.match(r"\$\(WORK_DIR\)/pieces/(\w+).piece: \| \$\(TOK_DIR\)/(\w+).tok \$\(EMB_DIR\)/(\w+).emb", piece).groups()
    tok_list, emb_list, tok, emb = pick(f"{tok}.midi"), pick(f"{emb}.text"), pick(f"{tok}.tok"), pick(f"{emb}.emb")
    content = {path: read(f"{dataset.work}/{path}") for path in work}
    midi = read(f"{dataset.data}/{[n for n in files_below(dataset.data) if n.endswith('.mid')][0]}")
    pieces = {path: content[path] for path in work if path.startswith("pieces/")}
    names = {"list.pieces": content[pick(".pieces")]}
    caption = b"A slow waltz.\nFast drums and a bass.\n"
    earlier = {f"out/{output}": b"of yesterday\n" for output in OUTPUTS}
    earlier |= {f"out/{output}.bak": b"of the day before\n" for output in OUTPUTS}
    return [
        Case("midi2tok, a shard", "midi2tok", ["list.midi", "out/a.tok"], {"list.midi": content[tok_list]}, ["out/a.tok"], fsync=True),
        Case("midi2tok, reusing", "midi2tok", ["--reuse", "reuse", "list.midi", "out/a.tok"],
             {"list.midi": content[tok_list], "reuse": b"old.tok\n", "old.tok": content[tok]}, ["out/a.tok"]),
        Case("midi2tok, a file", "midi2tok", ["in.mid", "out/new/a.json"], {"in.mid": midi}, ["out/new/a.json"]),
        Case("text2emb, a shard", "text2emb", ["--model", MODEL, "list.text", "out/a.emb"], {"list.text": content[emb_list]}, ["out/a.emb"]),
        Case("text2emb, a file", "text2emb", ["--model", MODEL, "in.txt", "out/a.npy"], {"in.txt": caption}, ["out/a.npy"]),
        Case("combine", "combine", ["--tok", "a.tok", "--emb", "a.emb", "a.pairs", "out/a.piece"],
             {"a.tok": content[tok], "a.emb": content[emb], "a.pairs": content[f"plan/{name}.pairs"]}, ["out/a.piece"], fsync=True),
        Case("combine --assemble", "combine", ["--assemble", "--pieces", "pieces", "list.pieces", "out/processed_data.json"], {**pieces, **names},
             ["out/processed_data.json", "out/processed_data.json.bak"], earlier),
        Case("stats", "stats", ["--pieces", "pieces", "--errors", "out/errors.jsonl", "--work", "work", "--record", "0" * 32,
                                "--file", "processed_data.json", "--file", "errors.jsonl", "list.pieces", "out/processing_stats.json"],
             {**pieces, **names, "work/progress": content["progress"], "work/journal": content["journal"], "out/processed_data.json": b"[\n]\n"},
             ["out/errors.jsonl", "out/processing_stats.json", "out/processing_stats.json.bak", "out/.record"],
             {path: old for path, old in earlier.items() if path != "out/processed_data.json"}),
    ]


def plan_cases(dataset):
    arguments = ["--tok", f"{PROGRAMS}/midi2tok", "--emb", f"{PROGRAMS}/text2emb --model {MODEL}", "--piece", f"{PROGRAMS}/combine", "--depends",
                 f"{PROGRAMS}/midi2tok", "--depends", MODEL, "--batch-size", "2", "--checkpoint-interval", "2", "--output", "out", dataset.input, "work"]
    first = Case("plan, the first", "plan", arguments, {}, ["work/"])
    with tempfile.TemporaryDirectory() as folder:
        first.set_up(folder)
        first.run(folder)
        known = {f"work/{path}": read(f"{folder}/work/{path}") for path in files_below(f"{folder}/work")}
    again = Case("plan, again", "plan", arguments, {path: known[path] for path in known if path.endswith((".index", "signatures", "known"))}, ["work/"])
    return [first, again]


def describe(case, call, effect, number, sticky):
    return f"{case.name}: {call} {number}{' and all later' if sticky else ''}: {effect}"


def judge(case, folder, done, fault, reference, call, effect):
    """The findings of one run with a fault."""
    stderr = done.stderr.decode(errors="replace")
    lines = [line for line in stderr.splitlines() if line.startswith(f"{case.program}: ")]
    results, found = case.results(folder), []
    if done.returncode == 0:
        if results != reference and not tells_unusable(case, results, effect):
            found.append("exit 0, but not the right output")
    elif done.returncode == 1:
        reason = "memory" if effect == "ENOMEM" else os.strerror(getattr(errno, effect, 0))
        # A program that plan asks for its signature says for itself what is wrong.
        asked = sum(stderr.count(f"{name}: ") for name in NAMES[1:]) if case.program == "plan" and "no signature from" in stderr else 0
        # A fault that stays meets several items; each has its line.
        if not lines or len(lines) != len(set(lines)) or stderr.count("\n") != len(lines) + asked or (len(lines) > 1 and "changed during the run" not in lines[0]):
            found.append(f"not one line of explanation for each problem but {stderr!r}")
        elif effect != "ENOMEM" and not any(name in lines[0] for name in ("out", "work", "/", *case.inputs)):
            found.append(f"no file is named in {stderr!r}")
        elif reason not in stderr:
            found.append(f"the reason ({reason}) is not given in {stderr!r}")
    elif not (call == "allocate" and done.returncode == -6 and fault.library.startswith(ABORTING)):
        found.append(f"ended with {done.returncode} {fault.library} {stderr!r}")
    for path, content in results.items():
        earlier = [case.shape(path, old) for old in (case.earlier.get(path), case.inputs.get(path)) if old is not None]
        earlier += [case.earlier[path[:-4]]] if path.endswith(".bak") else []
        if done.returncode != 0 and content != reference.get(path) and content not in earlier and not (path not in reference and is_list(path)):
            found.append(f"under {path} stands neither the earlier nor the right content")
    for path, content in case.inputs.items():
        if path not in reference and not path.startswith((*case.outputs, "work/journal")) and (not os.path.exists(f"{folder}/{path}") or read(f"{folder}/{path}") != content):
            found.append(f"the input {path} is gone or altered")
    # An unlink that fails leaves what it should have removed, and a killed or aborted program too: plan sweeps that.
    if call != "unlink" and done.returncode >= 0 and temporaries(folder):
        found.append(f"left behind: {temporaries(folder)}")
    return [f"{finding}; stderr {stderr!r}" if "stderr" not in finding and stderr and stderr not in finding else finding for finding in found]


def is_list(path):
    """plan's lists are named by their contents: those of a plan with an unreadable item stand beside the right ones."""
    return path.endswith((".midi", ".text", ".pairs", ".pieces", ".plan", "-reuse"))


def tells_unusable(case, results, effect):
    """plan may go on where one MIDI file cannot be read for a reason of its own, if the shard's list says so."""
    lists = b"".join(content for path, content in results.items() if path.endswith(".midi"))
    return case.program == "plan" and effect == "EIO" and os.strerror(errno.EIO).encode() in lists


def try_fault(case, library, folder, reference, call, effect, number, sticky):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        case.set_up(place)
        programs = NAMES if case.program == "plan" else [case.program]
        fault = Fault(library, folder, programs, call, effect, number, sticky)
        what = describe(case, call, effect, number, sticky)
        try:
            done = case.run(place, fault)
        except subprocess.TimeoutExpired:
            return [f"{what}: does not end"]
        found = judge(case, place, done, fault, reference, call, effect)
        if fault.hits == 0:
            found.append("the call was not reached: the number of calls differs from run to run")
        again = case.run(place)
        results = case.results(place)
        # Backups have moved on by one run where the faulty one got that far.
        wrong = [path for path in {**reference, **results} if not path.endswith(".bak") and results.get(path) != reference.get(path) and
                 not (path not in reference and is_list(path))]
        if again.returncode != 0 or wrong:
            found.append(f"the next run does not repair it: exit {again.returncode}, {wrong}, {again.stderr.decode(errors='replace')!r}")
        return [f"{what}: {finding}" for finding in found]


def count_calls(case, library, folder):
    """How many calls of each kind there are, and what the case gives without a fault."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        case.set_up(place)
        fault = Fault(library, folder, NAMES if case.program == "plan" else [case.program], " ".join(EFFECTS))
        done = case.run(place, fault)
        assert done.returncode == 0, f"{case.name} fails without a fault: {done.stderr.decode()}"
        return fault.of_kind, case.results(place)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0, help="points of each kind (all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--call", default="")
    parser.add_argument("--one-effect", action="store_true", help="the first effect of each kind alone")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="reprise-failing-")
    try:
        library = library_or_skip(folder)
        dataset = Dataset(f"{folder}/dataset", 6)
        made = dataset.make()
        assert made.returncode == 0, made.stdout
        tasks, table = [], []
        for case in plan_cases(dataset) + shard_cases(dataset):
            if not case.name.startswith(options.only):
                continue
            counts, reference = count_calls(case, library, folder)
            for call, least in case.needed.items():
                if counts[call] < least:
                    tasks.append(lambda words=f"{case.name}: {counts[call]} calls of {call}, at least {least} are needed": [words])
            for call, effects in EFFECTS.items():
                if (options.call and call != options.call) or (call == "allocate" and BUILD in ("asan", "tsan")):
                    continue
                before = len(tasks)
                for number in points(counts[call], options.sample):
                    for effect in effects[:1] if options.one_effect else effects:
                        # An interruption does not last.
                        for sticky in (False,) if effect == "EINTR" else (False, True):
                            tasks.append(lambda at=(case, library, folder, reference, call, effect, number, sticky): try_fault(*at))
                if counts[call]:
                    table.append(f"{case.name:20} {call:10} {counts[call]:6} calls {len(tasks) - before:6} runs")
        print("\n".join(table), flush=True)
        findings = run_all(tasks, options.jobs, lambda runs, found: f"failing calls: {runs} runs with a fault, {found} findings")
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if findings else 0)


main()

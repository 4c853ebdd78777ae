#!/usr/bin/env python3
"""Program by program, lets the 1st, 2nd, 3rd … call of each kind fail, until the run completes: once, and from then on.

What must hold each time: exit 0 with the right output, or exit 1 with one line that names the program, a path and the reason; never another end. Under a
final name stands the whole right content, the earlier one, or nothing; no temporary file stays; the inputs are as before; and the
program, run again without the fault, gives the right output. Also, the program
is killed there. Usage: failing_calls.py [--sample N] [--jobs N] [--only CASE] [--call CALL]."""
import argparse
import errno
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

from scenario import (BUILD, ENVIRONMENT, NAMES, OUTPUTS, PROGRAMS, Dataset, Fault, files_below, library_or_skip, points, read, report, run_all, temporaries, write)

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
NEEDED_TO_SWEEP = ("unlink", "flock")
BUILDER = "{make}"  # in its place comes the process number of a make
for call in ("write", "fsync", "rename", "link", "unlink", "mkdir", "close"):
    EFFECTS[call].append("kill")
# What processing_stats.json says of the dataset, not of the run.
COUNTS = ("total_paired_items", "processed_items", "midi_files_processed", "text_files_processed", "tokens", "notes", "failures")


class Case:
    """One program with its operands, relative to a folder that is set up anew for every run. What it prints is one of its results, under the name "stdout"."""

    def __init__(self, name, program, arguments, inputs, outputs, earlier=None, environment=None, children=False, locks=1, renames=1, tells=False):
        self.name, self.program, self.arguments, self.outputs = name, program, arguments, outputs
        self.inputs = inputs            # {path: content}
        self.earlier = earlier or {}    # {path: content}: what stands under the outputs' names before
        self.environment = environment or {}
        self.tells = tells              # it may go on without what it cannot read, if it says so
        self.programs = NAMES if children else [program]
        # What makes a file appear whole and last: without these calls there would be nothing to fail. fsync: the file and its folder.
        self.needed = {"rename": renames, "flock": locks, "fsync": 2 if "FSYNC" in self.environment or earlier else 0}

    def set_up(self, folder):
        for path, content in {**self.inputs, **self.earlier}.items():
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            write(f"{folder}/{path}", content)
        os.makedirs(f"{folder}/out", exist_ok=True)

    def run(self, folder, fault=None):
        environment = {**ENVIRONMENT, "LOG_LEVEL": "error", **self.environment, **(fault.environment if fault else {})}
        # The make for which a lock is held; it ends with the run, and the holder with it.
        make = subprocess.Popen(["sleep", "1000"]) if BUILDER in self.arguments else None
        arguments = [str(make.pid) if argument == BUILDER else argument for argument in self.arguments]
        try:
            done = subprocess.run([f"{PROGRAMS}/{self.program}", *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        finally:
            if make:
                make.kill()
                make.wait()
        if fault:
            fault.finish()
        return done

    def results(self, folder, done):
        """What stands under the outputs' names, except for plan's caches and hints and the journal, which may hold less after a fault, and checksums guard them; and the lock."""
        found = {"stdout": done.stdout} if done.stdout and self.program != "gc" else {}  # gc tells what it did
        for path in files_below(folder):
            is_output = any(path == output or output.endswith("/") and path.startswith(output) for output in self.outputs)
            if is_output and ".reprise-" not in path and not path.endswith((".index", "signatures", "known", "-reuse", "work/journal", "work/lock")):
                found[path] = self.shape(path, read(f"{folder}/{path}"))
        return found

    @staticmethod
    def shape(path, content):
        """What must be the same in every run: no times."""
        if path.endswith("progress"):
            return len(content)
        if path.endswith(".json") and "processing_stats" in path and content.startswith(b"{"):
            return {key: value for key, value in json.loads(content).items() if isinstance(value, (int, list)) and key in COUNTS}
        if path.endswith(".json") and b'"timestamp"' in content:
            return re.sub(rb'"timestamp":"[^"]*"', b"", content)
        return content


def pick(work, ending):
    return next(path for path in files_below(work) if path.endswith(ending))


def contents_of(folder, under):
    """{under/path: content} of all files of a folder."""
    return {f"{under}/{path}": read(f"{folder}/{path}") for path in files_below(folder)}


def shard_cases(dataset):
    """The programs that a build runs, with inputs from a finished run of the dataset."""
    work = files_below(dataset.work)
    piece = next(line for line in read(f"{dataset.work}/{pick(dataset.work, '.mk')}").decode().splitlines() if ".piece:" in line)
    name, tok, emb = re.match(r"\$\(WORK_DIR\)/pieces/(\w+).piece: \| \$\(TOK_DIR\)/(\w+).tok \$\(EMB_DIR\)/(\w+).emb", piece).groups()
    tok_list, emb_list, tok, emb = (pick(dataset.work, ending) for ending in (f"{tok}.midi", f"{emb}.text", f"{tok}.tok", f"{emb}.emb"))
    content = {path: read(f"{dataset.work}/{path}") for path in work}
    midi = read(f"{dataset.data}/{[n for n in files_below(dataset.data) if n.endswith('.mid')][0]}")
    pieces = {path: content[path] for path in work if path.startswith("pieces/")}
    names = {"list.pieces": content[pick(dataset.work, ".pieces")]}
    caption = b"A slow waltz.\nFast drums and a bass.\n"
    earlier = {f"out/{output}": b"of yesterday\n" for output in OUTPUTS}
    earlier |= {f"out/{output}.bak": b"of the day before\n" for output in OUTPUTS}
    cache, sync = {"USE_CACHE": "1", "CACHE_DIR": "out/cache", "LOG_LEVEL": "debug"}, {"FSYNC": "1"}
    encoder = ["--model", dataset.model]
    return [
        Case("midi2tok, a shard", "midi2tok", ["list.midi", "out/a.tok"], {"list.midi": content[tok_list]}, ["out/a.tok"], environment=sync),
        Case("midi2tok, reusing", "midi2tok", ["--reuse", "reuse", "list.midi", "out/a.tok"],
             {"list.midi": content[tok_list], "reuse": b"old.tok\n", "old.tok": content[tok]}, ["out/a.tok"]),
        Case("midi2tok, keeping in the cache", "midi2tok", ["list.midi", f"out/{tok}"], {"list.midi": content[tok_list]}, ["out/"], environment=cache, tells=True),
        Case("midi2tok, a file", "midi2tok", ["in.mid", "out/new/a.json"], {"in.mid": midi}, ["out/new/a.json"]),
        Case("text2emb, a shard", "text2emb", [*encoder, "list.text", "out/a.emb"], {"list.text": content[emb_list]}, ["out/a.emb"]),
        Case("text2emb, reusing", "text2emb", [*encoder, "--reuse", "reuse", "list.text", "out/a.emb"],
             {"list.text": content[emb_list], "reuse": b"old.emb\n", "old.emb": content[emb]}, ["out/a.emb"], environment=sync),
        Case("text2emb, a file", "text2emb", [*encoder, "in.txt", "out/a.npy"], {"in.txt": caption}, ["out/a.npy"]),
        Case("combine", "combine", ["--tok", "a.tok", "--emb", "a.emb", "a.pairs", "out/a.piece"],
             {"a.tok": content[tok], "a.emb": content[emb], "a.pairs": content[f"plan/{name}.pairs"]}, ["out/a.piece"], environment=sync),
        Case("combine --assemble", "combine", ["--assemble", "--pieces", "pieces", "list.pieces", "out/processed_data.json"], {**pieces, **names},
             ["out/processed_data.json", "out/processed_data.json.bak"], earlier),
        Case("stats", "stats", ["--pieces", "pieces", "--errors", "out/errors.jsonl", "--work", "work", "--record", "0" * 32,
                                "--file", "processed_data.json", "--file", "errors.jsonl", "list.pieces", "out/processing_stats.json"],
             {**pieces, **names, "work/progress": content["progress"], "work/journal": content["journal"], "out/processed_data.json": b"[\n]\n"},
             ["out/errors.jsonl", "out/processing_stats.json", "out/processing_stats.json.bak", "out/.record"],
             {path: old for path, old in earlier.items() if path != "out/processed_data.json"}),
    ]


def plan_cases(dataset):
    arguments = ["--tok", f"{PROGRAMS}/midi2tok", "--emb", f"{PROGRAMS}/text2emb --model {dataset.model}", "--piece", f"{PROGRAMS}/combine", "--depends",
                 f"{PROGRAMS}/midi2tok", "--depends", dataset.model, "--batch-size", "2", "--checkpoint-interval", "2", "--output", "out", dataset.input, "work"]
    first = Case("plan, the first", "plan", arguments, {}, ["work/"], children=True)
    with tempfile.TemporaryDirectory() as folder:
        first.set_up(folder)
        first.run(folder)
        known = contents_of(f"{folder}/work", "work")
    known = {path: content for path, content in known.items() if path.endswith((".index", "signatures", "known"))}
    cache = {path.replace("work/", "work/cache/", 1): content for path, content in contents_of(dataset.work, "work").items() if path.endswith((".tok", ".emb"))}
    return [first,
            Case("plan, again", "plan", arguments, known, ["work/"], children=True),
            Case("plan, a build", "plan", ["--build-of", BUILDER, *arguments], {**known, **cache}, ["work/"], children=True,
                 environment={"USE_CACHE": "1", "CACHE_DIR": "work/cache", "LOG_LEVEL": "warning"}, tells=True)]


def looking_cases(dataset, folder):
    """The programs that look at a dataset, move it or clear it away. Once it is complete; once inputs and settings have changed since, and a shard is damaged."""
    complete = {**contents_of(dataset.work, "work"), **contents_of(dataset.out, "out")}
    complete = {path: content for path, content in complete.items() if not path.startswith("work/plan/plan-")}
    hash_then = read(f"{dataset.out}/.record").split()[0].decode()
    plan_then = f"work/plan/{hash_then}.plan"
    changed = Dataset(f"{folder}/changed", 8)
    assert changed.make().returncode == 0
    pairs = json.loads(read(changed.input))
    pairs[3]["text_description"] += " Edited."
    del pairs[5]
    write(changed.input, json.dumps(pairs).encode())
    before = {path for path in files_below(changed.work) if path.endswith(".plan")}
    assert changed.make("-n", "POOLING=cls").returncode == 0
    later, = {path for path in files_below(changed.work) if path.endswith(".plan")} - before
    damaged = pick(changed.work, ".tok")
    edited = {**contents_of(changed.work, "work"), **contents_of(changed.out, "out"), f"work/{damaged}.damaged": b"?"}
    edited = {path: content for path, content in edited.items() if not path.startswith("work/plan/plan-")}
    plan_now, hash_now = f"work/{later}", os.path.basename(later)[:-len(".plan")]
    edited_whole = {path: content for path, content in edited.items() if not path.endswith(".damaged")}
    unbuilt = {path: content for path, content in complete.items() if not path.startswith(("work/tok", "work/emb", "work/pieces", "out/"))}
    checkpoints = ["out/midi.json", "out/text.json", "out/processing.json"]
    export = Case("export", "export", ["--progress", "work/progress", "work", plan_then, *checkpoints], complete, [*checkpoints, *(f"{path}.bak" for path in checkpoints)],
                  {path: b"of yesterday\n" for path in checkpoints}, tells=True, environment={"LOG_LEVEL": "warning"})
    with tempfile.TemporaryDirectory() as place:
        export.set_up(place)
        done = export.run(place)
        assert done.returncode == 0, done.stderr
        exported = {path: read(f"{place}/{path}") for path in checkpoints}
    unstated = {}
    for path in checkpoints:
        file = json.loads(exported[path])
        file.pop("reprise", None)
        for record in file.get("processed_data", []):
            record.pop("reprise", None)
        unstated[path] = json.dumps(file).encode()
    importing = ["--tok", f"{PROGRAMS}/midi2tok", "--emb", f"{PROGRAMS}/text2emb --model {dataset.model}", "--model", dataset.model, "work", plan_then, *checkpoints]
    cache = {path.replace("work/", "cache/", 1): content for path, content in complete.items() if path.endswith((".tok", ".emb"))}
    plain = {"locks": 0, "renames": 0}
    shown = {"LOG_LEVEL": "info"}
    return [
        export,
        Case("import", "import", importing, {**unbuilt, **exported}, ["work/tok/", "work/emb/"], tells=True, environment={"LOG_LEVEL": "warning"}),
        Case("import, unstated", "import", importing, {**unbuilt, **unstated}, ["work/tok/", "work/emb/"], children=True, tells=True, environment={"LOG_LEVEL": "warning"}),
        Case("combine --finished", "combine", ["--finished", "work", plan_then, "out/names.partial"], {**complete, "out/names.partial": b"of yesterday\n"}, ["out/names.partial"], tells=True, environment=shown),
        Case("stats --partial", "stats", ["--partial", plan_now, "--work", "work", "--pieces", "work/pieces", "--errors", "out/errors.partial.jsonl", "list",
                                          "out/processing_stats.partial.json"],
             {**edited_whole, "list": b""}, ["out/errors.partial.jsonl", "out/processing_stats.partial.json"]),
        Case("status", "status", ["--output", "out", "--cache", "cache", "work", hash_then], {**complete, **cache}, [], tells=True, environment=shown, **plain),
        Case("status, of a changed dataset", "status", ["--output", "out", "--cache", "cache", "work", hash_now], edited, [], tells=True, environment=shown, **plain),
        Case("why", "why", ["--output", "out", "--file", "", "work", hash_now], edited, [], **plain),
        Case("why, of a file", "why", ["--output", "out", "--file", pairs[3]["midi_file"], "work", hash_now], edited, [], **plain),
        Case("verify", "verify", ["--output", "out", "work", hash_then], complete, ["work/", "out/"], **plain),
        Case("gc", "gc", ["--output", "out", "work", hash_then], {**complete, **edited}, ["work/"], tells=True, environment={"LOG_LEVEL": "warning"}),
        Case("gc, of a changed dataset", "gc", ["--output", "out", "work", hash_now], {**edited, "work/tok/.reprise-orphan": b"?"}, ["work/"], tells=True, environment={"LOG_LEVEL": "warning"}),
        Case("cache_gc", "cache_gc", ["cache", "9000"], cache, ["cache/"], tells=True, environment={"LOG_LEVEL": "warning"}, **plain),
    ]


def describe(case, call, effect, number, sticky):
    return f"{case.name}: {call} {number}{' and all later' if sticky else ''}: {effect}"


def judge(case, folder, done, fault, reference, call, effect):
    """The findings of one run with a fault."""
    stderr = re.sub("^.*: not tokenized: not a MIDI file .*\n", "", done.stderr.decode(errors="replace"), flags=re.M)  # the broken one of the dataset
    lines = [line for line in stderr.splitlines() if line.startswith(f"{case.program}: ")]
    results, found = case.results(folder, done), []
    reason = "memory" if effect == "ENOMEM" else os.strerror(getattr(errno, effect, 0))
    if done.returncode == 0:
        if results != reference and not tells_unusable(case, results, effect) and not (case.tells and reason in stderr):
            found.append(f"exit 0, but not the right output: {[path for path in {**results, **reference} if results.get(path) != reference.get(path)]}")
    elif effect == "kill":
        if done.returncode != -signal.SIGKILL and case.program == "plan" and "no signature from" not in stderr:
            found.append(f"ended with {done.returncode} after SIGKILL: {stderr!r}")
    elif done.returncode == 1:
        # A program that was asked for something says for itself what is wrong.
        asked = sum(len(re.findall(f"^{name}: ", stderr, re.M)) for name in case.programs if name != case.program)
        # A fault that stays meets several items; each has its line.
        several = case.program in ("verify", "why", "gc", "cache_gc", "import") or case.tells or "changed during the run" in stderr
        if not lines or (len(lines) != len(set(lines)) and effect != "ENOMEM") or stderr.count("\n") != len(lines) + asked or (len(lines) > 1 and not several):
            found.append(f"not one line of explanation for each problem but {stderr!r}")
        elif effect != "ENOMEM" and not any(name in lines[0] for name in ("out", "work", "cache", "/", *case.inputs)):
            found.append(f"no file is named in {stderr!r}")
        elif reason not in stderr and not (call == "stat" and "No such file" in stderr):  # a second look at it found nothing
            found.append(f"the reason ({reason}) is not given in {stderr!r}")
    else:
        found.append(f"ended with {done.returncode} {fault.library} {stderr!r}")
    for path, content in results.items():
        earlier = [case.shape(path, old) for old in (case.earlier.get(path), case.inputs.get(path)) if old is not None]
        earlier += [case.earlier[path[:-4]]] if path.endswith(".bak") else []
        if done.returncode != 0 and path != "stdout" and content != reference.get(path) and content not in earlier and not (path not in reference and is_list(path)) and not is_part(case, path, content, reference):
            found.append(f"under {path} stands neither the earlier nor the right content")
    for path, content in case.inputs.items():
        if path not in reference and not any(path.startswith(output) for output in case.outputs) and path not in ("work/journal", "work/plan/known") and (not os.path.exists(f"{folder}/{path}") or read(f"{folder}/{path}") != content):
            found.append(f"the input {path} is gone or altered")
    for path in reference:
        if path != "stdout" and path in case.inputs and path not in results:
            found.append(f"{path} is gone, which was there and is needed")
    # Who is killed leaves a temporary file, an unlink that fails what it should have removed; without a lock an orphan cannot be told from a file at work. plan sweeps
    # that, and gc.
    if call not in NEEDED_TO_SWEEP and effect != "kill" and new_temporaries(case, folder):
        found.append(f"left behind: {new_temporaries(case, folder)}")
    return [f"{finding}; stderr {stderr!r}" if "stderr" not in finding and stderr and stderr not in finding else finding for finding in found]


def records_of(shard):
    """Of a .tok or .emb: what is said of each item, and what it has: {JSON: bytes}."""
    size = struct.unpack_from("<Q", shard)[0]
    header = json.loads(shard[8:8 + size])

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return shard[8 + size + begin:8 + size + end]

    items = json.loads(header["__metadata__"]["items"])
    if "ids" not in header:
        width = len(tensor("embedding")) // max(1, len(items))
        return {json.dumps(item): tensor("embedding")[i * width:(i + 1) * width] for i, item in enumerate(items)}
    offsets, row = struct.unpack(f"<{len(items) + 1}q", tensor("offsets")), 4 * math.prod(header["ids"]["shape"][1:])
    return {json.dumps(item): tensor("ids")[offsets[i] * row:offsets[i + 1] * row] for i, item in enumerate(items)}


def is_part(case, path, content, reference):
    """What import takes over is a shard of its own, named by its items: with fewer of them it has another name, and each item must be as in the right ones."""
    if case.program != "import" or path in reference or not path.endswith((".tok", ".emb")):
        return False
    right = [record for at, shard in reference.items() if at.endswith((".tok", ".emb")) for record in records_of(shard).items()]
    return all(record in right for record in records_of(content).items())


def new_temporaries(case, folder):
    return [path for path in temporaries(folder) if os.path.relpath(path, folder) not in case.inputs]


def is_list(path):
    """plan's lists are named by their contents: those of a plan with an unreadable item stand beside the right ones."""
    return path.endswith((".midi", ".text", ".pairs", ".pieces", ".plan", "-reuse"))


def tells_unusable(case, results, effect):
    """plan may go on where one MIDI file cannot be read for a reason of its own, if the shard's list says so."""
    lists = b"".join(content for path, content in results.items() if path.endswith(".midi"))
    return case.program == "plan" and effect in ("EIO", "ENOSPC") and os.strerror(getattr(errno, effect)).encode() in lists


def try_fault(case, library, folder, reference, call, effect, number, sticky):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        case.set_up(place)
        fault = Fault(library, folder, case.programs, call, effect, number, sticky)
        what = describe(case, call, effect, number, sticky)
        try:
            done = case.run(place, fault)
        except subprocess.TimeoutExpired:
            return [f"{what}: does not end"]
        found = judge(case, place, done, fault, reference, call, effect)
        if fault.hits == 0 and BUILDER not in case.arguments:  # the holder of the lock goes its own pace
            found.append("the call was not reached: the number of calls differs from run to run")
        again = case.run(place)
        results = case.results(place, again)
        # Backups have moved on by one run where the faulty one got that far.
        wrong = [path for path in {**reference, **results} if not path.endswith(".bak") and path != "stdout" and results.get(path) != reference.get(path) and
                 not (path not in reference and is_list(path))]
        if (case.program == "cache_gc" and call == "unlink") or case.program == "import":
            wrong = []  # others went in its place, and that is enough; what is imported in two parts stands in other shards
        if again.returncode != 0 or wrong:
            found.append(f"the next run does not repair it: exit {again.returncode}, {wrong}, {again.stderr.decode(errors='replace')!r}")
        return [f"{what}: {finding}" for finding in found]


def count_calls(case, library, folder):
    """How many calls of each kind there are, and what the case gives without a fault."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        case.set_up(place)
        fault = Fault(library, folder, case.programs, " ".join(EFFECTS))
        done = case.run(place, fault)
        assert done.returncode == 0, f"{case.name} fails without a fault: {done.stderr.decode()}"
        return fault.of_kind, case.results(place, done)


def tasks_of(case, library, folder, options):
    """Every run of the case with a fault."""
    counts, reference = count_calls(case, library, folder)
    tasks = [lambda words=f"{case.name}: {counts[call]} calls of {call}, at least {least} are needed": [words]
             for call, least in case.needed.items() if counts[call] < least]
    for call, effects in EFFECTS.items():
        if (options.call and call != options.call) or (call == "allocate" and BUILD in ("asan", "tsan")):
            continue
        for number in points(counts[call], options.sample):
            for effect in effects[:1] if options.one_effect else effects:
                # An interruption does not last, nor does who is killed go on.
                for sticky in (False,) if effect in ("EINTR", "kill") else (False, True):
                    tasks.append(lambda at=(case, library, folder, reference, call, effect, number, sticky): try_fault(*at))
    return tasks


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0, help="points of each kind (all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="this case")
    parser.add_argument("--begin", default="", help="with this case, to go on with a sweep that was stopped")
    parser.add_argument("--call", default="")
    parser.add_argument("--one-effect", action="store_true", help="the first effect of each kind alone")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="reprise-failing-")
    try:
        library = library_or_skip(folder)
        dataset = Dataset(f"{folder}/dataset", 6)
        made = dataset.make()
        assert made.returncode == 0, made.stdout
        findings, started = [], False
        for case in plan_cases(dataset) + shard_cases(dataset) + looking_cases(dataset, folder):
            started = started or case.name.startswith(options.begin)
            if started and options.only in ("", case.name):
                tasks = tasks_of(case, library, folder, options)
                found = run_all(tasks, options.jobs)
                report(case.name, len(tasks), len(found), "failing calls")
                findings += found
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if findings else 0)


main()

#!/usr/bin/env python3
"""Damages work files: cut at each 64th byte, zeroed, one byte flipped, swapped. A shard or piece must be refused by its reader, in one line, and be set aside; make must
give the reference's outputs after at most two runs, and never others in between. The same for entries of the cache, the outputs' record, and checkpoints that are
imported. Usage: damage.py [--step BYTES] [--sample N] [--jobs N]."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from scenario import ENVIRONMENT, PROGRAMS, Dataset, files_below, points, read, report, run_all, temporaries, write


def cut(content, at):
    return content[:at]


def flip(content, at):
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1:]


def zero(content, at):
    return content[:at] + bytes(len(content) - at)


def damages(content, step):
    """(words, content) for each place."""
    for at in range(0, len(content), step):
        yield f"cut at {at}", cut(content, at)
        yield f"byte {at} flipped", flip(content, at)
        yield f"zeroed from {at}", zero(content, at)
    yield "a byte longer", content + b"\n"


# ---- readers ----

def reader_is_strict(folder, command, inputs, victim, words, content):
    """The program must refuse the damaged file, leave no output, and set the file aside."""
    if content == inputs[victim]:
        return []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for path, sound in inputs.items():
            write(f"{place}/{path}", sound)
        write(f"{place}/{victim}", content)
        done = subprocess.run(command, cwd=place, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        stderr, found = done.stderr.decode(errors="replace"), []
        if done.returncode != 1 or stderr.count("\n") != 1 or victim not in stderr:
            found.append(f"exit {done.returncode}, {stderr!r}")
        if os.path.exists(f"{place}/out"):
            found.append("an output is made from it")
        if os.path.exists(f"{place}/{victim}") or not os.path.exists(f"{place}/{victim}.damaged"):
            found.append(f"it is not set aside ({stderr!r})")
        if any(read(f"{place}/{path}") != sound for path, sound in inputs.items() if path != victim):
            found.append("another input was altered")
        return [f"{victim}, {words}: {finding}" for finding in found]


def reader_tasks(dataset, folder, step):
    work = files_below(dataset.work)
    makefile = read(next(f"{dataset.work}/{path}" for path in work if path.endswith(".mk"))).decode()
    rule = next(line for line in makefile.splitlines() if ".piece:" in line)
    piece, tok, emb = (next(path for path in work if path.endswith(os.path.basename(word))) for word in rule.replace(": |", "").split())
    name = os.path.basename(piece)[:-6]
    join = {"a.tok": read(f"{dataset.work}/{tok}"), "a.emb": read(f"{dataset.work}/{emb}"), "a.pairs": read(f"{dataset.work}/plan/{name}.pairs")}
    assemble = {f"{name}.piece": read(f"{dataset.work}/{piece}"), "list": f"{name}\n".encode()}
    for command, inputs, victims in (([f"{PROGRAMS}/combine", "--tok", "a.tok", "--emb", "a.emb", "a.pairs", "out"], join, ["a.tok", "a.emb"]),
                                     ([f"{PROGRAMS}/combine", "--assemble", "--pieces", ".", "list", "out"], assemble, [f"{name}.piece"])):
        for victim in victims:
            for words, content in damages(inputs[victim], step):
                yield lambda at=(folder, command, inputs, victim, words, content): reader_is_strict(*at)


# ---- make ----

class Copy(Dataset):
    """A dataset whose work folder is a copy that may be damaged; the data is shared."""

    def __init__(self, dataset, place):
        self.input, self.data, self.model = dataset.input, dataset.data, dataset.model
        self.work, self.out, self.cache = f"{place}/work", f"{place}/out", f"{place}/cache"
        shutil.copytree(dataset.work, self.work)
        for name in os.listdir(f"{self.work}/plan"):  # of the make that built it
            if name.startswith("plan-"):
                os.unlink(f"{self.work}/plan/{name}")


def consumers_of(path):
    """What must be gone, so that this file is read."""
    if path.startswith("plan/"):
        return ["tok", "emb", "pieces"]
    return ["pieces"] if path.startswith(("tok/", "emb/")) else []


def make_repairs(dataset, folder, reference, victim, words, alter):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Copy(dataset, place)
        for consumer in consumers_of(victim):
            shutil.rmtree(f"{copy.work}/{consumer}")
        alter(copy.work)
        found, made = [], None
        for _ in range(2):
            made = copy.make()
            if made.returncode == 0:
                break
            if not any(word in made.stdout for word in ("damaged", "misplaced")):
                found.append(f"fails without saying what is damaged: {made.stdout[-300:]}")
        if made.returncode != 0:
            found.append(f"two makes do not repair it: {made.stdout[-300:]}")
        if copy.outputs() != reference:
            found.append("the outputs are not the reference's")
        if temporaries(copy.work, copy.out):
            found.append(f"left behind: {temporaries(copy.work, copy.out)}")
        return [f"{victim}, {words}: {finding}" for finding in found]


def kind_of(path):
    name = os.path.basename(path)
    return name if "." not in name else f"{path.split('/')[0]} {name.rsplit('.', 1)[1]}"


def make_tasks(dataset, folder, reference, step, sample):
    seen = set()
    for path in files_below(dataset.work):
        if path.startswith("plan/plan-") or kind_of(path) in seen or os.path.getsize(f"{dataset.work}/{path}") == 0:
            continue
        seen.add(kind_of(path))  # one file of each kind
        # Of shards and pieces, whose readers get every damage, only some go through make.
        every = list(damages(read(f"{dataset.work}/{path}"), 16 * step if path.startswith(("tok/", "emb/", "pieces/")) else step))
        for number in points(len(every), sample):
            words, content = every[number - 1]
            yield lambda at=(dataset, folder, reference, path, words, lambda work, path=path, content=content: write(f"{work}/{path}", content)): make_repairs(*at)


def record_tasks(dataset, folder, reference):
    """The outputs' record: whatever it says, the outputs are right after make."""
    for words, content in damages(read(f"{dataset.out}/.record"), 8):
        yield lambda at=(dataset, folder, reference, words, content): record_is_doubted(*at)


def record_is_doubted(dataset, folder, reference, words, content):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Copy(dataset, place)
        shutil.copytree(dataset.out, copy.out)
        write(f"{copy.out}/.record", content)
        write(f"{copy.out}/processed_data.json", b"[\n]\n")
        made = copy.make()
        right = made.returncode == 0 and copy.outputs() == reference
        return [] if right else [f".record, {words}: exit {made.returncode}, the outputs are{'' if copy.outputs() == reference else ' not'} the reference's"]


def cache_tasks(dataset, folder, reference, step):
    for ending in (".tok", ".emb"):
        entry = next(path for path in files_below(dataset.cache) if path.endswith(ending))
        for words, content in damages(read(f"{dataset.cache}/{entry}"), step):
            yield lambda at=(dataset, folder, reference, entry, words, content): cache_entry_is_dropped(*at)


def cache_entry_is_dropped(dataset, folder, reference, entry, words, content):
    if content == read(f"{dataset.cache}/{entry}"):
        return []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Copy(dataset, place)
        shutil.rmtree(copy.work)
        shutil.copytree(dataset.cache, copy.cache)
        write(f"{copy.cache}/{entry}", content)
        made = copy.make("USE_CACHE=1")
        found = [] if made.returncode == 0 and copy.outputs() == reference else [f"exit {made.returncode}, or other outputs: {made.stdout[-300:]}"]
        if "not taken from the cache, dropped" not in made.stdout:
            found.append(f"it is not said: {made.stdout[-300:]}")
        if read(f"{copy.cache}/{entry}") != read(f"{dataset.cache}/{entry}"):
            found.append("the entry is not the right one again")
        return [f"cache {entry}, {words}: {finding}" for finding in found]


def checkpoint_tasks(dataset, folder, reference, steps):
    assert dataset.make("checkpoint").returncode == 0
    for kind in ("midi", "text"):
        name = f"{kind}_checkpoint.json"
        for words, content in damages(read(f"{dataset.out}/{name}"), steps[kind]):
            yield lambda at=(dataset, folder, reference, name, words, content): import_is_strict(*at)


def import_is_strict(dataset, folder, reference, name, words, content):
    """Whatever import takes over from a damaged checkpoint, make gives the reference's bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Copy(dataset, place)
        shutil.rmtree(copy.work)
        os.makedirs(copy.out)
        for other in ("midi_checkpoint.json", "text_checkpoint.json", "processing_checkpoint.json"):
            shutil.copyfile(f"{dataset.out}/{other}", f"{copy.out}/{other}")
        write(f"{copy.out}/{name}", content)
        taken, made, found = copy.make("import"), copy.make(), []
        if taken.returncode != 0 and name not in taken.stdout:
            found.append(f"import fails without naming it: {taken.stdout[-300:]}")
        if made.returncode != 0 or copy.outputs() != reference:
            found.append(f"make after it ends with {made.returncode}, or gives other outputs: {made.stdout[-300:]}")
        return [f"{name}, {words}: {finding}" for finding in found]


def swap(first, second):
    def alter(work):
        one, other = read(f"{work}/{first}"), read(f"{work}/{second}")
        write(f"{work}/{first}", other)
        write(f"{work}/{second}", one)
    return alter


def misplacing_tasks(dataset, folder, reference):
    """Sound files under a wrong name: of other items, or made with other settings."""
    for ending in (".tok", ".emb"):
        first, second = [path for path in files_below(dataset.work) if path.endswith(ending)][:2]
        yield lambda at=(dataset, folder, reference, first, f"swapped with {second}", swap(first, second)): make_repairs(*at)
    other = Dataset(f"{folder}/other", 6)
    made = other.make("POOLING=cls")
    assert made.returncode == 0, made.stdout
    mine, theirs = ([path for path in files_below(of.work) if path.endswith(".emb")][0] for of in (dataset, other))
    assert os.path.basename(mine) == os.path.basename(theirs) and mine != theirs
    content = read(f"{other.work}/{theirs}")
    yield lambda: make_repairs(dataset, folder, reference, mine, "of other settings", lambda work: write(f"{work}/{mine}", content))


def sampled(tasks, sample):
    tasks = list(tasks)
    return [tasks[number - 1] for number in points(len(tasks), sample)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", type=int, default=64, help="bytes from place to place")
    parser.add_argument("--sample", type=int, default=0, help="damages of each kind of file under make (all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="reprise-damage-")
    try:
        dataset = Dataset(f"{folder}/dataset", 6)
        made = dataset.make()
        assert made.returncode == 0, made.stdout
        reference = dataset.outputs()
        findings = []

        def sweep(what, tasks):
            tasks = list(tasks)
            found = run_all(tasks, options.jobs)
            report(what, len(tasks), len(found), "damages")
            findings.extend(found)

        step = options.step
        sweep("shards and pieces, damaged, before their readers", reader_tasks(dataset, folder, step))
        sweep("shards in each other's place, or of other settings", misplacing_tasks(dataset, folder, reference))
        sweep("work files of every kind, damaged, before make", make_tasks(dataset, folder, reference, 64, options.sample))
        sweep("the outputs' record, damaged, before make", sampled(record_tasks(dataset, folder, reference), options.sample))
        assert dataset.make("USE_CACHE=1").returncode == 0
        sweep("entries of the cache, damaged, before make", sampled(cache_tasks(dataset, folder, reference, step), options.sample))
        sweep("checkpoints, damaged, before import and make", sampled(checkpoint_tasks(dataset, folder, reference, {"midi": 16 * step, "text": step}), options.sample))
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if findings else 0)


main()

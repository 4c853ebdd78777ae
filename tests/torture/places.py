#!/usr/bin/env python3
"""Hostile places and company: a full disk of every size under OUTPUT_DIR and WORK_DIR, /dev/full as standard output, two makes at once, with and without locks,
other settings killed in between, inputs edited while make reads them. Always: an error in words or the right bytes, and the next make gives
the right bytes. Usage: places.py [--rounds N] [--seed N]."""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scenario import ENVIRONMENT, NAMES, OUTPUTS, PROGRAMS, Dataset, Fault, build_library, files_below, read, report, temporaries, write


class Places:
    def __init__(self, folder, seed):
        self.folder, self.random, self.findings = folder, random.Random(seed), []
        self.dataset = Dataset(f"{folder}/dataset", 12)
        begin = time.monotonic()
        assert self.dataset.make("-j4").returncode == 0
        self.length = time.monotonic() - begin
        self.reference, self.names = self.dataset.outputs(), sorted(self.dataset.finished())

    def found(self, what, finding):
        print(f"FOUND: {what}: {finding}", flush=True)
        self.findings.append(finding)

    def completes(self, what, *arguments, **variables):
        """make again, and the reference's bytes."""
        made = self.dataset.make("-j4", *arguments, **variables)
        if made.returncode != 0:
            self.found(what, f"make ends with {made.returncode}: {made.stdout[-300:]}")
        elif self.dataset.outputs() != self.reference:
            self.found(what, "not the outputs of an unbroken run")
        if temporaries(self.dataset.work, self.dataset.out):
            self.found(what, f"left behind: {temporaries(self.dataset.work, self.dataset.out)}")


def stop(run):
    try:
        os.killpg(run.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    run.wait()


# ---- full disks ----

def mount(folder, size):
    os.makedirs(folder, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode == 0


def unmount(folder):
    """The process that held the lock may be about to see that its make is gone."""
    for _ in range(200):
        if subprocess.run(["umount", folder], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{folder} stays in use")


def full_disks(places, rounds):
    dataset = places.dataset
    for name, folder in (("OUTPUT_DIR", dataset.out), ("WORK_DIR", dataset.work)):
        before, needed = len(places.findings), 1
        dataset.clear()
        dataset.make("-j4")
        needed = sum(os.path.getsize(f"{folder}/{path}") for path in files_below(folder)) // 1024 + 4 * len(files_below(folder)) + 64
        sizes = sorted({4 + 4 * round(needed / 4 * step / rounds) for step in range(rounds)})
        for size in sizes:
            what = f"{name} on a disk of {size} KiB"
            dataset.clear()
            if not mount(folder, size):
                print(f"SKIPPED: {what}: mounting a tmpfs is not allowed here")
                return
            try:
                made = dataset.make("-j4")
                if made.returncode != 0 and "No space left on device" not in made.stdout:
                    places.found(what, f"fails without the reason: {made.stdout[-300:]}")
                if made.returncode == 0 and dataset.outputs() != places.reference:
                    places.found(what, "exit 0 without the outputs")
                for output, content in dataset.outputs().items():
                    if content != places.reference[output]:
                        places.found(what, f"a part of {output} under its final name")
                subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
                kept = dataset.finished()
                places.completes(f"{what}, then room")
                after = dataset.finished()
                if any(after.get(path) != inode for path, inode in kept.items()):
                    places.found(what, "finished shards were made again")
            finally:
                unmount(folder)
        report(f"{name} on a full disk", len(sizes), len(places.findings) - before, "sizes")


def full_output(places):
    """Whatever is asked, an answer that cannot be written is an error in words."""
    before, dataset, asked = len(places.findings), places.dataset, 0
    dataset.clear()
    dataset.make("-j4")
    commands = [[f"{PROGRAMS}/{name}", option] for name in NAMES for option in ("--help", "--version")]
    commands += [[f"{PROGRAMS}/midi2tok", "--signature"], [f"{PROGRAMS}/combine", "--signature"], [f"{PROGRAMS}/text2emb", "--model", dataset.model, "--signature"]]
    commands += [dataset.command(goal) for goal in ("status", "why", "verify", "gc")]
    for command in commands:
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True)
        asked += 1
        told = "No space left on device" in done.stderr
        if done.returncode == 0 or (not told and not command[-1].startswith("--")):
            places.found(f"{' '.join(command[:2])} … {command[-1]} >/dev/full", f"exit {done.returncode}, {done.stderr!r}")
    dataset.clear()
    with open("/dev/full", "w") as full:
        subprocess.run(dataset.command("-j4"), stdout=full, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    places.completes("make >/dev/full")
    report("answers to /dev/full", asked + 1, len(places.findings) - before)


# ---- company ----

def two_makes(places, rounds, library):
    for locks in (True, False):
        before = len(places.findings)
        for number in range(rounds):
            what = f"two makes at once, {'with' if locks else 'without'} locks, round {number}"
            places.dataset.clear()
            faults = [] if locks else [Fault(library, places.folder, NAMES, "flock", "ENOLCK", 1, True) for _ in range(2)]
            runs = []
            for i in range(2):
                runs.append(places.dataset.start("-j4", **(faults[i].environment if faults else {})))
                time.sleep(places.random.uniform(0, places.length) if number % 2 else 0)
            if any([run.wait() for run in runs]):
                places.found(what, f"they end with {[run.returncode for run in runs]}")
            if places.dataset.outputs() != places.reference:
                places.found(what, "not the outputs of an unbroken run")
            for fault in faults:
                fault.finish()
            places.completes(f"{what}, and once more")
        report(f"two make -j4 at once, {'with' if locks else 'without'} locks", rounds, len(places.findings) - before, "rounds")


def other_settings(places, rounds):
    before, dataset = len(places.findings), places.dataset
    for number in range(rounds):
        what = f"settings A, killed in B, A again, round {number}"
        dataset.clear()
        dataset.make("-j4")
        kept = dataset.finished()
        shutil.rmtree(dataset.out)
        other = places.random.choice((["POOLING=cls"], ["NORMALIZE=1", "BATCH_SIZE=3"], ["POOLING=max", "CHECKPOINT_INTERVAL=1"]))
        run = dataset.start("-j4", *other)
        time.sleep(places.random.uniform(0, places.length))
        stop(run)
        places.completes(what)
        after = dataset.finished()
        if any(after.get(path) != inode for path, inode in kept.items()):
            places.found(what, "shards of A were made again")
    report("settings A, SIGKILL inside B, A again", rounds, len(places.findings) - before, "points")


def edits(places, rounds):
    """What is right depends on what the second make sees, so that is built afresh as well."""
    before, dataset = len(places.findings), places.dataset
    songs = [f"{dataset.data}/{path}" for path in files_below(dataset.data) if path.endswith(".mid")]
    for number in range(rounds):
        what = f"inputs edited during the run, round {number}"
        dataset.clear()
        run = dataset.start("-j4")
        for _ in range(3):
            time.sleep(places.random.uniform(0, places.length / 3))
            to, source = places.random.sample(songs, 2)
            write(to, read(source)[:-places.random.randrange(1, 9)])
            pairs = json.loads(read(dataset.input))
            places.random.choice(pairs)["text_description"] += f" Edited {places.random.random()}."
            write(f"{dataset.input}.new", json.dumps(pairs).encode())
            os.replace(f"{dataset.input}.new", dataset.input)
        run.wait()
        made, resumed = dataset.make("-j4"), dataset.outputs()
        dataset.clear()
        afresh = dataset.make("-j4")
        if made.returncode != 0 or afresh.returncode != 0:
            places.found(what, f"the next make ends with {made.returncode}, one afresh with {afresh.returncode}: {made.stdout[-300:]}")
        elif resumed != dataset.outputs() or len(resumed) < len(OUTPUTS) - 1:
            places.found(what, "the next make does not give what one afresh gives")
    report("MIDI files and captions edited during the run", rounds, len(places.findings) - before, "rounds")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="reprise-places-")
    try:
        places = Places(folder, options.seed)
        library = build_library(folder)
        full_output(places)
        full_disks(places, options.rounds)
        if library:
            two_makes(places, options.rounds, library)
        other_settings(places, options.rounds)
        edits(places, options.rounds)
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if places.findings else 0)


main()

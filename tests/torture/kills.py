#!/usr/bin/env python3
"""Kills a whole `make -j4` at each Nth write, fsync, rename, link, unlink, mkdir and close, and at random times; then make must give what an unbroken run
gives, byte for byte, without making a finished shard again, and leave no temporary file. Every other time with a cache. Also: make alone is killed and its recipes
live on; the resumption is killed; SIGINT, SIGTERM, SIGHUP; a reader of its output that goes away. Usage: kills.py [--calls CALLS] [--sample N] [--random N] [--seed N]."""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scenario import NAMES, Dataset, Fault, library_or_skip, points, read, report, temporaries, write

KILLED_AT = ["write", "fsync", "rename", "link", "unlink", "mkdir", "close"]


class Sweep:
    def __init__(self, dataset, library, folder):
        self.dataset, self.library, self.folder = dataset, library, folder
        self.rounds, self.kept, self.findings = 0, 0, []
        made = dataset.make("-j4")
        assert made.returncode == 0, made.stdout
        self.reference, self.names = dataset.outputs(), sorted(dataset.finished())
        begin = time.monotonic()
        dataset.clear()
        dataset.make("-j4")
        self.length = time.monotonic() - begin

    def found(self, what, finding):
        print(f"FOUND: {what}: {finding}", flush=True)
        self.findings.append(f"{what}: {finding}")

    def check(self, what, kept=None):
        """make again, and all that must hold then. `kept`: what was finished before (now, if not given)."""
        self.rounds += 1
        before = self.dataset.finished() if kept is None else kept
        self.kept += len(before)
        made = self.dataset.make("-j4")
        after = self.dataset.finished()
        if made.returncode != 0:
            self.found(what, f"make again ends with {made.returncode}: {made.stdout[-400:]}")
        elif self.dataset.outputs() != self.reference:
            self.found(what, "the outputs differ from an unbroken run's")
        remade = [path for path in before if after.get(path) != before[path]]
        if remade:
            self.found(what, f"made again: {remade}")
        if sorted(after) != self.names:
            self.found(what, f"not the files of an unbroken run: {sorted(set(after) ^ set(self.names))}")
        left = temporaries(self.dataset.work, self.dataset.out, self.dataset.cache)
        if left:
            self.found(what, f"left behind: {left}")

    def kill_at_call(self, call, number):
        fault = Fault(self.library, self.folder, NAMES, call, "killgroup", number)
        run = self.dataset.start("-j4", FSYNC="1", USE_CACHE=str(number % 2), **fault.environment)
        run.wait()
        wait_for_group(run.pid)
        fault.finish()

    def leave_earlier_outputs(self):
        """Outputs of an earlier run, so that backups are made as well."""
        os.makedirs(self.dataset.out)
        for name in self.reference:
            write(f"{self.dataset.out}/{name}", b"of an earlier run\n")

    def count(self):
        """How many calls of each kind a run makes."""
        self.dataset.clear()
        self.leave_earlier_outputs()
        fault = Fault(self.library, self.folder, NAMES, " ".join(KILLED_AT))
        self.dataset.make("-j4", FSYNC="1", USE_CACHE="1", **fault.environment)
        fault.finish()
        return fault.of_kind


def is_alive(pid, group):
    try:
        state, _, in_group = read(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(in_group) == group and state not in (b"Z", b"X")  # zombies wait for init, and do nothing any more


def wait_for_group(group):
    """Until no process of the group runs."""
    for _ in range(2000):
        if not any(is_alive(pid, group) for pid in os.listdir("/proc") if pid.isdigit()):
            return
        time.sleep(0.005)
    raise TimeoutError(f"process group {group} lives on")


def kill_at_each_call(sweep, calls, sample):
    counts = sweep.count()
    for call in calls:
        count, before = counts[call], len(sweep.findings)
        numbers = points(count, sample)
        for number in numbers:
            sweep.dataset.clear()
            sweep.leave_earlier_outputs()
            sweep.kill_at_call(call, number)
            # Every third time the resumption is killed as well, at the call of the same number.
            if number % 3 == 0:
                sweep.kill_at_call(call, number)
            sweep.check(f"killed at {call} {number} of {count}")
        report(f"make -j4 killed at {call}", len(numbers), len(sweep.findings) - before, f"of {count} points")


def kill_at_random(sweep, rounds, seed):
    generator, found = random.Random(seed), len(sweep.findings)
    for round_number in range(rounds):
        sweep.dataset.clear()
        moments = [generator.uniform(0, sweep.length)]
        if round_number % 3 == 0:  # the resumption too
            moments.append(generator.uniform(0, sweep.length / 2))
        for moment in moments:
            run = sweep.dataset.start("-j4")
            time.sleep(moment)
            stop_group(run, signal.SIGKILL)
        sweep.check(f"killed after {moments} s (seed {seed}, round {round_number})")
    report("make -j4 killed at random moments", rounds, len(sweep.findings) - found, "points")


def stop_group(run, which):
    try:
        os.killpg(run.pid, which)
    except ProcessLookupError:
        pass
    run.wait()
    wait_for_group(run.pid)


def kill_make_alone(sweep, rounds, seed):
    """make dies, its recipes go on; the next make starts at once, beside them."""
    generator, found = random.Random(seed), len(sweep.findings)
    for round_number in range(rounds):
        sweep.dataset.clear()
        run = sweep.dataset.start("-j4")
        time.sleep(generator.uniform(0, sweep.length))
        run.kill()
        run.wait()
        sweep.check(f"make alone killed, round {round_number}", kept={})
        wait_for_group(run.pid)
        sweep.check(f"make alone killed, round {round_number}, and once more", kept={})
    report("make alone killed, restarted at once beside its recipes", rounds, len(sweep.findings) - found, "points")


def interrupt(sweep, rounds, seed):
    generator, found = random.Random(seed), len(sweep.findings)
    for round_number in range(rounds):
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            sweep.dataset.clear()
            run = sweep.dataset.start("-j4")
            time.sleep(generator.uniform(0, sweep.length))
            stop_group(run, which)
            if run.returncode == 0 and sweep.dataset.outputs() != sweep.reference:
                sweep.found(which.name, "exit 0 without the outputs")
            sweep.check(f"{which.name}, round {round_number}")
    report("make -j4 ended by SIGINT, SIGTERM, SIGHUP", 3 * rounds, len(sweep.findings) - found, "points")


def close_output(sweep):
    """make | head -1: writing to the closed pipe ends whoever does it."""
    found = len(sweep.findings)
    sweep.dataset.clear()
    command = " ".join(f"'{word}'" for word in sweep.dataset.command("-j4"))
    subprocess.run(["bash", "-c", f"{command} 2>&1 | head -1"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    sweep.check("make | head -1")
    sweep.dataset.clear()
    subprocess.run(["bash", "-c", f"{command} >&- 2>&-"], stdin=subprocess.DEVNULL)
    sweep.check("make without stdout and stderr")
    report("make | head -1, make without stdout", 2, len(sweep.findings) - found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0, help="points of each kind of call (all)")
    parser.add_argument("--calls", default=" ".join(KILLED_AT))
    parser.add_argument("--random", type=int, default=60, help="random times")
    parser.add_argument("--signals", type=int, default=10, help="rounds with each signal")
    parser.add_argument("--pairs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("KILL_SEED", "7")))
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="reprise-kills-")
    try:
        sweep = Sweep(Dataset(f"{folder}/dataset", options.pairs), library_or_skip(folder), folder)
        kill_at_each_call(sweep, options.calls.split(), options.sample)
        kill_at_random(sweep, options.random, options.seed)
        kill_make_alone(sweep, options.signals, options.seed)
        interrupt(sweep, options.signals, options.seed)
        close_output(sweep)
        report("finished shards and pieces left as they were by the next make", sweep.kept, len(sweep.findings), f"in {sweep.rounds} restarts")
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if sweep.findings else 0)


main()

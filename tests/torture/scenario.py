"""What the sweeps share: a small dataset of the demo's music in a folder of its own, make upon it, and the fault library."""
import array
import concurrent.futures
import ctypes
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "release")
PROGRAMS = f"{ROOT}/build/{BUILD}"
NAMES = sorted(name[:-2] for name in os.listdir(f"{ROOT}/tools") if name.endswith(".c"))
OUTPUTS = ["processed_data.json", "errors.jsonl", "processing_stats.json"]
TIMED = ["processing_stats.json", "processing_stats.json.bak"]  # they hold the time of the run
CALLS = "write read open close fsync rename link unlink mkdir mmap ftruncate flock stat lseek fchmod allocate".split()  # as in tests/fault/fault.c
# The variables of a make around this one are not those of the makes that are started here.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith(("MAKE", "MFLAGS", "FAULT_")) and name not in ("INPUT", "OUTPUT_DIR", "WORK_DIR", "FSYNC", "LOG_LEVEL", "MODEL", "USE_CACHE", "CACHE_DIR")}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def temporaries(*folders):
    return [f"{folder}/{path}" for folder in folders for path in files_below(folder) if os.path.basename(path).startswith(".reprise-")]


def small_model(folder):
    """A text encoder of the usual shape and few numbers: a sweep starts its programs tens of thousands of times, and what it tests is not the arithmetic."""
    hidden, wide, layers, positions = 64, 128, 2, 512
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "the", "slow", "waltz", "piano", "drums", "bass"]
    shapes = {"embeddings.word_embeddings.weight": (len(words), hidden), "embeddings.position_embeddings.weight": (positions, hidden),
              "embeddings.token_type_embeddings.weight": (2, hidden), "embeddings.LayerNorm.weight": (hidden,), "embeddings.LayerNorm.bias": (hidden,)}
    for layer in range(layers):
        for name, rows, columns in (("attention.self.query", hidden, hidden), ("attention.self.key", hidden, hidden), ("attention.self.value", hidden, hidden),
                                    ("attention.output.dense", hidden, hidden), ("intermediate.dense", wide, hidden), ("output.dense", hidden, wide),
                                    ("attention.output.LayerNorm", hidden, 0), ("output.LayerNorm", hidden, 0)):
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (rows, columns) if columns else (rows,)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (rows,)
    generator, header, data = random.Random(1), {}, bytearray()
    for name, shape in shapes.items():
        begin = len(data)
        data += array.array("f", (generator.gauss(0, 0.1) for _ in range(math.prod(shape)))).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    config = {"model_type": "bert", "vocab_size": len(words), "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers,
              "num_attention_heads": 2, "max_position_embeddings": positions, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    os.makedirs(folder)
    words_of_header = json.dumps(header).encode()
    words_of_header += b" " * (-len(words_of_header) % 8)
    write(f"{folder}/model.safetensors", struct.pack("<Q", len(words_of_header)) + words_of_header + data)
    write(f"{folder}/vocab.txt", "".join(f"{word}\n" for word in words).encode())
    write(f"{folder}/config.json", json.dumps(config).encode())
    write(f"{folder}/tokenizer_config.json", b'{"do_lower_case": true, "tokenizer_class": "BertTokenizer", "model_max_length": 512}')


def build_library(folder):
    """The fault library, built from its source; None where it cannot be had (another processor, an old kernel)."""
    if os.uname().machine != "x86_64":
        return None
    library, source = f"{folder}/fault.so", f"{ROOT}/tests/fault/fault.c"
    plain = ["-DFAULT_WITHOUT_ALLOCATIONS"] if BUILD in ("asan", "tsan") else []
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-O1", "-g", "-shared", "-fPIC", *plain, source, "-o", library], check=True)
    libc, selector = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(1)
    # PR_SET_SYSCALL_USER_DISPATCH on, then off: whether the kernel has it.
    if libc.prctl(59, 1, 0, 0, selector) < 0 or libc.prctl(59, 0, 0, 0, 0) < 0:
        return None
    return library


class Fault:
    """The environment that makes the Nth call of a kind fail; `calls` and `hits` are known afterwards."""

    def __init__(self, library, folder, programs, call, effect="EIO", number=0, sticky=False):
        self.counter = f"{folder}/counter-{os.urandom(6).hex()}"
        write(self.counter, bytes(256))
        self.environment = {"LD_PRELOAD": library, "FAULT_COUNTER": self.counter, "FAULT_PROGRAMS": " ".join(programs), "FAULT_CALL": call,
                            "FAULT_AT": str(number), "FAULT_EFFECT": effect, "FAULT_STICKY": "1" if sticky else "0",
                            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}

    def finish(self):
        content = read(self.counter)
        os.unlink(self.counter)
        self.calls, self.hits, *of_kind = struct.unpack_from(f"QQ{len(CALLS)}Q", content)
        self.of_kind = dict(zip(CALLS, of_kind))
        self.library = content[8 * (2 + len(CALLS)):].split(b"\0")[0].decode()


class Dataset:
    """`pairs` pairs of the demo, in small shards, with WORK_DIR and OUTPUT_DIR beside them. One file is broken and one text empty, so that errors are listed too."""

    def __init__(self, folder, pairs):
        self.folder, self.data, self.work, self.out = folder, f"{folder}/data", f"{folder}/work", f"{folder}/out"
        self.model, self.cache = f"{folder}/model", f"{folder}/cache"
        small_model(self.model)
        os.makedirs(f"{self.data}/midi")
        chosen = json.loads(read(f"{ROOT}/data/demo/pairs.json"))[:pairs]
        for number, pair in enumerate(chosen):
            name = f"midi/{number:02d}-{os.path.basename(pair['midi_file'])}"
            shutil.copyfile(f"{ROOT}/data/demo/{pair['midi_file']}", f"{self.data}/{name}")
            pair["midi_file"] = name
        write(f"{self.data}/{chosen[1]['midi_file']}", b"no music")
        chosen[2]["text_description"] = ""
        self.input = f"{self.data}/pairs.json"
        write(self.input, json.dumps(chosen, indent=1).encode())

    def command(self, *arguments):
        return ["make", "-C", ROOT, "--no-print-directory", f"BUILD={BUILD}", f"INPUT={self.input}", f"WORK_DIR={self.work}", f"OUTPUT_DIR={self.out}",
                f"MODEL={self.model}", f"CACHE_DIR={self.cache}", "BATCH_SIZE=2", "CHECKPOINT_INTERVAL=2", *arguments]

    def make(self, *arguments, **variables):
        return subprocess.run(self.command(*arguments), env={**ENVIRONMENT, **variables}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)

    def start(self, *arguments, **variables):
        """make in a process group of its own."""
        return subprocess.Popen(self.command(*arguments), env={**ENVIRONMENT, **variables}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def outputs(self):
        return {name: read(f"{self.out}/{name}") for name in OUTPUTS if name not in TIMED and os.path.exists(f"{self.out}/{name}")}

    def finished(self):
        """Shards and pieces under their final names, with their inodes: what is made again gets another."""
        return {path: os.stat(f"{self.work}/{path}").st_ino for path in files_below(self.work)
                if path.split("/")[0] in ("tok", "emb", "pieces") and not os.path.basename(path).startswith(".")}

    def clear(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)


def points(count, sample):
    """1 … count, or `sample` of them, evenly; a single one is taken from the middle."""
    if not sample or count <= sample:
        return range(1, count + 1)
    return [count // 2 + 1] if sample == 1 else [1 + round(i * (count - 1) / (sample - 1)) for i in range(sample)]


def report(what, points, findings, unit="runs"):
    """A row of the table that tests/torture/run prints at the end, and a line now."""
    print(f"{what}: {points} {unit}, {findings} findings", flush=True)
    if "TORTURE_TABLE" in os.environ:
        with open(os.environ["TORTURE_TABLE"], "a") as table:
            table.write(f"{what}\t{points} {unit}\t{findings}\n")


def run_all(tasks, jobs):
    """Runs the callables, some at a time; each gives a list of findings (words). All findings."""
    findings = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(task) for task in tasks]):
            for finding in done.result():
                print(f"FOUND: {finding}", flush=True)
                findings.append(finding)
    return findings


def library_or_skip(folder):
    library = build_library(folder)
    if not library:
        print("SKIPPED: the fault library needs x86-64 and a kernel with syscall user dispatch (Linux 5.11)")
        sys.exit(77)
    return library

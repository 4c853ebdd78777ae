# What the tests of the whole graph share: a small dataset of real music in the test's own folder, and make with its own WORK_DIR and OUTPUT_DIR,
# so that nothing outside is touched.

root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
data=$BATS_TEST_TMPDIR/data
work=$BATS_TEST_TMPDIR/work
out=$BATS_TEST_TMPDIR/out
programs=$root/build/${BUILD:-release}

# The demo's pairs, with links to its MIDI files.
demo_dataset() {
    mkdir -p "$data"
    ln -sfn "$root/data/demo/midi" "$data/midi"
    cp "$root/data/demo/pairs.json" "$data/pairs.json"
}

# small_dataset N: copies of the first N pairs of the demo, smallest shards.
small_dataset() {
    mkdir -p "$data/midi"
    python3 - "$root/data/demo" "$data" "$1" <<'END'
import json, os, shutil, sys
demo, data, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
pairs = json.load(open(f"{demo}/pairs.json"))[:count]
for number, pair in enumerate(pairs):
    name = f"midi/{number:02d}-{os.path.basename(pair['midi_file'])}"
    shutil.copyfile(f"{demo}/{pair['midi_file']}", f"{data}/{name}")
    pair["midi_file"] = name
json.dump(pairs, open(f"{data}/pairs.json", "w"), indent=1)
END
}

# edit PYTHON: runs statements on `pairs` (the list) and writes it back.
edit() {
    python3 - "$data/pairs.json" "$1" <<'END'
import json, sys
path, statements = sys.argv[1:]
pairs = json.load(open(path))
exec(statements)
json.dump(pairs, open(path, "w"), indent=1)
END
}

# check PYTHON: runs statements on `items` (the output), `errors` and `stats`; an assertion that fails fails the test.
check() {
    python3 - "$out" "$1" <<'END'
import json, sys
out, statements = sys.argv[1:]
items = json.load(open(f"{out}/processed_data.json"))
errors = [json.loads(line) for line in open(f"{out}/errors.jsonl")]
stats = json.load(open(f"{out}/processing_stats.json"))
exec(statements)
END
}

# reprise ARGUMENTS…: make with this test's folders. Shards as small as they get, so that a few pairs make several.
reprise() {
    make -C "$root" --no-print-directory BUILD="${BUILD:-release}" INPUT="$data/pairs.json" WORK_DIR="$work" OUTPUT_DIR="$out" \
        BATCH_SIZE="${batch:-2}" CHECKPOINT_INTERVAL="${interval:-2}" "$@"
}

# milliseconds_of COMMAND…: how long it takes; where it fails, so does this.
milliseconds_of() {
    local begin
    begin=$(date +%s%N)
    "$@" >/dev/null 2>&1 || return
    echo $((($(date +%s%N) - begin) / 1000000))
}

# start_group FUNCTION ARGUMENTS…: runs it in the background as a process group of its own; $group: its leader.
start_group() {
    export -f reprise
    export root data work out BUILD
    setsid bash -c '"$@"' - "$@" 3>&- &
    group=$!
}

# Fails where there is nothing to kill any more.
kill_group() {
    kill -KILL -- "-$group"
    wait "$group" 2>/dev/null || true
}

# killed_after MILLISECONDS FUNCTION ARGUMENTS…: runs it as a process group of its own, and kills that, if it is not done by then.
killed_after() {
    start_group "${@:2}" >/dev/null 2>&1
    sleep "$(($1 / 1000)).$(printf '%03d' $(($1 % 1000)))"
    kill_group 2>/dev/null || true
}

# How often a program was started, from the commands that make printed (V=1) into $output.
starts() {
    grep -c "/$1 " <<<"$output" || true
}

# The names and inodes of all finished shards and pieces: a file that is made again gets another inode.
finished() {
    (cd "$work" 2>/dev/null && find tok emb pieces -type f ! -name '.*' -printf '%p %i\n' 2>/dev/null | sort) || true
}

temporary_files() {
    find "$work" "$out" -name '.reprise-*' 2>/dev/null
}

# Waits until a command succeeds, a minute at most.
until_true() {
    local end=$((SECONDS + 60))
    while ! "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.01
    done
}

# files_are N FOLDER ENDING…: whether there are N files or more with one of the endings below the folder.
files_are() {
    local count=0 wanted=$1 folder=$2 ending
    for ending in "${@:3}"; do
        count=$((count + $(find "$folder" -name "*.$ending" 2>/dev/null | wc -l)))
    done
    [ "$count" -ge "$wanted" ]
}

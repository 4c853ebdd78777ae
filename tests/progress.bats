#!/usr/bin/env bats
# Progress: one live line on a terminal, plain lines elsewhere, never garbled by parallel jobs; a table at the end.

load dataset

@test "on a terminal eight jobs share one live line, and messages stand on lines of their own" {
    command -v script >/dev/null || skip "script(1) is not installed"
    demo_dataset
    edit 'pairs[3]["midi_file"] = "midi/gone.mid"; pairs[20]["text_description"] = ""'
    TERM=xterm script -qec "make -C '$root' --no-print-directory -j8 BUILD=${BUILD:-release} INPUT='$data/pairs.json' WORK_DIR='$work' OUTPUT_DIR='$out' BATCH_SIZE=2 CHECKPOINT_INTERVAL=2" \
        "$BATS_TEST_TMPDIR/terminal" >/dev/null
    python3 - "$BATS_TEST_TMPDIR/terminal" <<'END'
import re, sys
text = open(sys.argv[1], newline="").read()
drawings = re.findall(r"\r\x1b\[K([^\r\n\x1b]*)\r(?!\n)", text)
assert drawings, text
for line in drawings:
    assert re.fullmatch(r"midi \d+/54( [\d.]+/s)?  text \d+/54( [\d.]+/s)?  ETA (--|[\dhms]+)", line), line
counts = [int(re.match(r"midi \d+/54.*text (\d+)/54", line)[1]) for line in drawings]
assert counts == sorted(counts), counts
# What a terminal shows in the end: replay carriage returns and erasures.
screen = []
for raw in text.split("\n"):
    shown = ""
    for part in re.split(r"\r", raw):
        if part.startswith("\x1b[K"):
            shown = part[3:]
        elif part:
            shown = part + shown[len(part):]
    screen.append(shown)
problems = [line for line in screen if "midi2tok: " in line or "text2emb: " in line]
assert len(problems) == 2, problems
assert all(re.match(r"(midi2tok: .*gone\.mid: |text2emb: )", line) for line in problems), problems
assert any(re.match(r"  pairs +54 +done +52 +left out +2 ", line) for line in screen), screen
END
}

@test "on a dumb terminal there are no control characters" {
    command -v script >/dev/null || skip "script(1) is not installed"
    small_dataset 6
    rm "$data"/midi/02-*
    TERM=dumb script -qec "make -C '$root' --no-print-directory BUILD=${BUILD:-release} INPUT='$data/pairs.json' WORK_DIR='$work' OUTPUT_DIR='$out'" \
        "$BATS_TEST_TMPDIR/terminal" >/dev/null
    grep -q "left out *1 " "$BATS_TEST_TMPDIR/terminal"
    if grep -q $'\e' "$BATS_TEST_TMPDIR/terminal"; then false; fi
}

@test "without a terminal there are no control characters, and the table names what was quarantined and why" {
    small_dataset 6
    rm "$data"/midi/02-*
    run reprise -j8
    [ "$status" -eq 0 ]
    [[ $output != *$'\e'* ]] && [[ $output != *$'\r'* ]]
    [[ $output == *"pairs "*" 6 "*"done "*" 5 "*"left out "*" 1 "* ]]
    [[ $output == *"1  midi: No such file or directory"* ]]
    [[ $output == *" files/s"* ]] && [[ $output == *" texts/s"* ]]
}

@test "a run of more than five seconds without a terminal says how far it is" {
    small_dataset 16
    start_group reprise -j1 >"$BATS_TEST_TMPDIR/log" 2>&1
    until_true files_are 1 "$work/emb" emb
    kill -STOP -- "-$group" # however fast the machine is
    sleep 5.1
    kill -CONT -- "-$group"
    wait "$group"
    grep -Eq '^reprise: midi [0-9]+/16.*text [0-9]+/16 .*ETA' "$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}

@test "LOG_LEVEL=error is silent about everything but errors" {
    small_dataset 3
    rm "$data"/midi/01-*
    run reprise LOG_LEVEL=error
    [ "$status" -eq 0 ]
    [ -z "$output" ] || { echo "$output"; return 1; }
    check 'assert len(items) == 2 and len(errors) == 1'
}

@test "a run names twenty quarantined files and twenty texts, and counts the others; errors.jsonl has all" {
    small_dataset 12
    for i in {0..29}; do echo "no music $i" >"$data/midi/broken-$i.mid"; done
    edit 'pairs += [{"midi_file": f"midi/broken-{i}.mid", "text_description": "a song"} for i in range(30)] + [{**pairs[i % 12], "text_description": " " * i} for i in range(25)]'
    run reprise -j2 TEXT_OUTPUT=ids
    [ "$status" -eq 0 ]
    [ "$(grep -c ': not tokenized: ' <<<"$output")" = 20 ] || { echo "$output"; return 1; }
    [ "$(grep -c ': not embedded: ' <<<"$output")" = 20 ] || { echo "$output"; return 1; }
    [ "$(grep -c '^midi2tok: more are quarantined; .*errors.jsonl' <<<"$output")" = 1 ]
    [ "$(grep -c '^text2emb: more are quarantined; .*errors.jsonl' <<<"$output")" = 1 ]
    [[ $output == *" 30  midi: not a MIDI file"* ]]
    check 'assert len(items) == 12 and len(errors) == 55, (len(items), len(errors))'

    rm -rf "$work" "$out"
    run reprise -j2 TEXT_OUTPUT=ids LOG_LEVEL=debug
    [ "$(grep -c ': not tokenized: ' <<<"$output")" = 30 ] || { echo "$output"; return 1; }
    [ "$(grep -c ': not embedded: ' <<<"$output")" = 25 ]
    [[ $output != *"more are quarantined"* ]]
}

@test "the estimate counts the time in which nothing was tokenized or embedded: a run that was busy for a tenth of its time takes ten times what its speed says" {
    small_dataset 6
    reprise >/dev/null 2>&1
    local list
    list=$(ls "$work"/plan/*.midi | head -1)
    python3 - "$work/progress" <<'END'
import struct, sys, time
path = sys.argv[1]
file = bytearray(open(path, "rb").read())
# progress.c: magic, started; two stages each of total, finished, expected, done, quarantined, copied, named, busy; drawn, latest
second = 10**9
struct.pack_into("=Q2Q2Q2d2Q2Q2Q2Q2QQQ", file, 8, time.time_ns() - 100 * second, 1000, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 10 * second, 0, 0, 0)
open(path, "wb").write(file)
END
    run env PROGRESS_FILE="$work/progress" "$programs/midi2tok" "$list" "$BATS_TEST_TMPDIR/again.tok"
    # 900 files at 10 a second, ten times over
    [[ $output =~ ^reprise:\ midi\ 10[0-9]/1000\ 10/s\ .*ETA\ 1[45]m ]] || { echo "$output"; return 1; }
}

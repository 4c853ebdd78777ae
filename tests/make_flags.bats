#!/usr/bin/env bats
# Make's own flags do what its users expect: -n and -q only ask, -B makes everything anew, -s and -O change only what is shown, -i hides no failure from the
# next make, and -t, which would call empty files finished, is refused.

load dataset

setup() {
    small_dataset 16
}

# All that a build makes; the lists in WORK_DIR/plan are written by a question, too.
made() {
    find "$work" "$out" ! -path "$work/plan*" -type f -printf '%p %i %s %T@\n' 2>/dev/null | sort
}

# Asks with -n and -q, which must leave everything as it is.
ask() {
    made >"$BATS_TEST_TMPDIR/made"
    run reprise -q "$@"
    answer=$status
    [ -z "$output" ]
    run reprise -n "$@"
    [ "$status" -eq 0 ]
    diff <(made) "$BATS_TEST_TMPDIR/made"
}

@test "-n and -q on a fresh tree: everything would be made, and nothing is, not even a counter or a lock" {
    ask
    [ "$answer" -eq 1 ]
    [ "$(starts midi2tok)" = 6 ]
    [ "$(starts text2emb)" = 6 ]
    [ "$(grep -c '/combine --tok' <<<"$output")" = 6 ]
    [ "$(starts stats)" = 1 ]
    [ "$(ls "$work")" = plan ]
    [ ! -e "$out" ]
}

@test "-n and -q on a half-built tree name just what is missing" {
    reprise >/dev/null 2>&1
    # Interrupted before the end: one shard of texts and two pieces, its own and another, are not there.
    pieces=("$work"/pieces/*.piece)
    texts=("$work"/emb/*/*.emb)
    rm -r "${texts[0]}" "${pieces[0]}" "${pieces[1]}" "$out"
    ask
    [ "$answer" -eq 1 ]
    [ "$(starts midi2tok)" = 0 ]
    [ "$(starts text2emb)" = 1 ]
    [[ $output == *"${texts[0]}"* ]]
    [ "$(grep -c '/combine --tok' <<<"$output")" = 2 ]
}

@test "-n and -q on a complete tree: nothing would be done; after an edit, one shard" {
    reprise >/dev/null 2>&1
    ask
    [ "$answer" -eq 0 ]
    [[ $output == "make: Nothing to be done for 'all'." ]]
    edit 'pairs[5]["text_description"] = "Another one."'
    ask
    [ "$answer" -eq 1 ]
    [ "$(starts midi2tok)$(starts text2emb)" = 01 ]
}

@test "-n of the other goals shows their command and runs nothing" {
    reprise >/dev/null 2>&1
    for goal in status why verify gc cache-gc clean restart; do
        ask $goal
        [ "$answer" -eq 1 ]
    done
    ask status why
    [[ $output == *"/status "*"/why "* ]]
}

@test "goals that build and goals that look at what was built are not taken together, where they would run side by side" {
    for goals in "all verify" "status continue" "restart status" "import all"; do
        # shellcheck disable=SC2086
        run reprise $goals
        [ "$status" -eq 2 ]
        [[ $output == *"make $goals: these go one after the other"* && ${#lines[@]} -eq 1 ]]
    done
}

@test "in another folder make says where it is to be run" {
    cd "$BATS_TEST_TMPDIR"
    run make -f "$root/Makefile" INPUT="$data/pairs.json"
    [ "$status" -eq 2 ]
    [[ $output == *"make -C $root/ "* && ${#lines[@]} -eq 1 ]]
}

@test "-B makes everything anew, to the same bytes" {
    reprise >/dev/null 2>&1
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    finished >"$BATS_TEST_TMPDIR/shards"
    # Of the data: the programs (-o) are in use.
    old=()
    for program in plan midi2tok text2emb combine stats; do
        old+=(-o "build/${BUILD:-release}/$program")
    done
    run reprise -B "${old[@]}" V=1
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(starts midi2tok)" = 6 ]
    [ "$(starts text2emb)" = 6 ]
    [[ $output != *"--reuse"* ]]
    [[ $output == *"(16 in this run)"*"(16 in this run)"* ]]
    cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    [ "$(comm -12 <(finished) "$BATS_TEST_TMPDIR/shards" | wc -l)" = 0 ]
}

@test "-t is refused, and nothing is touched" {
    for flags in -t -kt "-n -t" --touch; do
        # shellcheck disable=SC2086
        run reprise $flags
        [ "$status" -eq 2 ]
        [[ $output == *"make -t: "*"nothing was done"* ]]
    done
    [ ! -e "$work" ]
    run reprise status
    [ "$status" -eq 0 ]
}

@test "-s shows no commands and no 'Nothing to be done'; -O keeps a job's lines together; the result is the same" {
    run reprise -s
    [ "$status" -eq 0 ]
    [[ $output != *"/midi2tok "* ]]
    [[ $output == *"is complete"* ]]
    cp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
    run reprise -s
    [ -z "$output" ]
    for mode in target line recurse; do
        rm -r "$work" "$out"
        run reprise -j4 --output-sync=$mode
        [ "$status" -eq 0 ]
        cmp "$out/processed_data.json" "$BATS_TEST_TMPDIR/before.json"
        run reprise -q --output-sync=$mode
        [ "$status" -eq 0 ]
    done
}

@test "-k is on: one shard that cannot be used stops no other, and make ends with an error" {
    run reprise -n
    shard=$(grep -o "$work/tok/.*\.tok" <<<"$output" | head -1)
    shard=${shard##* }
    mkdir -p "$shard"
    run reprise
    [ "$status" -ne 0 ]
    [[ $output == *"$shard: "* ]]
    [ "$(find "$work/pieces" -name '*.piece' | wc -l)" = 5 ]
    [ ! -e "$out/processed_data.json" ]
    rmdir "$shard"
    reprise >/dev/null 2>&1
    check 'assert len(items) == 16'
}

@test "with -i too, outputs that could not be written are not taken for current" {
    reprise >/dev/null 2>&1
    edit 'pairs[5]["text_description"] = "Another one."'
    mkdir -p "$out/processed_data.json.bak/in the way"
    run reprise -i
    [[ $output == *"processed_data.json"*"(ignored)"* ]]
    rm -r "$out/processed_data.json.bak"
    run reprise -q
    [ "$status" -eq 1 ]
    reprise >/dev/null 2>&1
    check 'assert any(item["text_description"] == "Another one." for item in items)'
}

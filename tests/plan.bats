#!/usr/bin/env bats
# plan: shard boundaries depend on the neighbourhood only, lists are written only if they change, INPUT is refused whole or read whole.

load dataset

# plan_pairs: runs plan on $data/pairs.json. Only combine's signature is needed to name shards, so it stands for all three.
plan_pairs() {
    "$programs/plan" --tok "$programs/combine" --emb "$programs/combine" --piece "$programs/combine" --depends "$programs/combine" "$@" "$data/pairs.json" "$work"
}

# synthetic_pairs N: pairs whose MIDI files do not exist; the texts name the shards.
synthetic_pairs() {
    mkdir -p "$data"
    python3 - "$data/pairs.json" "$1" <<'END'
import json, sys
json.dump([{"midi_file": f"music/{i * 7919 % 1000003}.mid", "text": f"caption {i}"} for i in range(int(sys.argv[2]))], open(sys.argv[1], "w"))
END
}

text_shards() {
    grep -o '[0-9a-f]*\.emb' "$work/plan/plan.mk" | sort -u
}

@test "a pair inserted or removed anywhere re-cuts only the shards around it, at the top at most two" {
    synthetic_pairs 3000
    plan_pairs 2>/dev/null
    text_shards >"$BATS_TEST_TMPDIR/shards"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/shards")" -ge 16 ]
    cp "$data/pairs.json" "$BATS_TEST_TMPDIR/pairs.json"
    for place in 0 0 0 1 17 500 1499 2800 2999; do
        for change in 'pairs.insert(place, {"midi_file": f"new/{place}-{round}.mid", "text": "new"})' 'del pairs[place]'; do
            cp "$BATS_TEST_TMPDIR/pairs.json" "$data/pairs.json"
            edit "place = $place; round = $RANDOM; $change"
            plan_pairs 2>/dev/null
            new=$(comm -13 "$BATS_TEST_TMPDIR/shards" <(text_shards) | wc -l)
            most=$((place == 0 ? 2 : 4))
            [ "$new" -ge 1 ] && [ "$new" -le $most ] || { echo "$new new shards at $place after $change"; return 1; }
        done
    done
}

@test "shards have between BATCH_SIZE and BATCH_SIZE x CHECKPOINT_INTERVAL pairs, whatever the names are" {
    synthetic_pairs 5000
    plan_pairs 2>/dev/null
    python3 - "$work" 32 320 <<'END'
import glob, re, sys
work, least, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
names = re.findall(r"(\w+)\.emb", open(f"{work}/plan/plan.mk").read())
sizes = [len(open(f"{work}/plan/{name}.text").readlines()) for name in names]
assert sum(sizes) == 5000, sum(sizes)
assert max(sizes) <= most and min(sizes[:-1]) >= least, sizes
END
    # One file name for all pairs (many captions of one piece) is no special case.
    edit 'pairs[:] = [dict(p, midi_file="one.mid") for p in pairs]'
    rm -r "$work"
    plan_pairs 2>/dev/null
    longest=$(wc -l "$work"/plan/*.text | awk '$2 != "total" {print $1}' | sort -n | tail -1)
    [ "$longest" -le 320 ]
}

@test "lists that did not change are not written again" {
    synthetic_pairs 100
    plan_pairs 2>/dev/null
    find "$work/plan" -type f ! -name '*.index' -printf '%p %i\n' | sort >"$BATS_TEST_TMPDIR/before"
    plan_pairs 2>/dev/null
    diff "$BATS_TEST_TMPDIR/before" <(find "$work/plan" -type f ! -name '*.index' -printf '%p %i\n' | sort)
}

@test "a damaged stat index is ignored" {
    mkdir -p "$data"
    cp "$root"/data/demo/midi/pianobooster/BeginnerCourse/01* "$data/a.mid"
    touch -d '2020-01-01' "$data/a.mid"
    echo '[{"midi_file":"a.mid","text":"A scale."}]' >"$data/pairs.json"
    sleep 2.1
    plan_pairs 2>/dev/null
    cp "$work/plan/plan.mk" "$BATS_TEST_TMPDIR/plan.mk"
    index=$(ls "$work"/plan/*.index)
    [ "$(stat -c %s "$index")" -gt 32 ]
    for damage in cut emptied overwritten removed; do
        case $damage in
            cut) truncate -s 40 "$index" ;;
            emptied) truncate -s 0 "$index" ;;
            overwritten) dd if=/dev/urandom of="$index" bs=1 count=8 seek=60 conv=notrunc status=none ;;
            removed) rm "$index" ;;
        esac
        LOG_LEVEL=debug run plan_pairs
        [ "$status" -eq 0 ]
        [[ $output == *"1 MIDI files read"* ]] || { echo "$damage: $output"; return 1; }
        cmp "$work/plan/plan.mk" "$BATS_TEST_TMPDIR/plan.mk"
        LOG_LEVEL=debug run plan_pairs
        [[ $output == *"0 MIDI files read"* ]]
    done
}

@test "the stat index keeps no entry of a file that is as young as itself" {
    mkdir -p "$data"
    echo '[{"midi_file":"a.mid","text":"A scale."}]' >"$data/pairs.json"
    echo a >"$data/a.mid"
    touch -d '+1 hour' "$data/a.mid" # young for as long as this test takes
    for _ in 1 2 3; do
        LOG_LEVEL=debug run plan_pairs
        [[ $output == *"1 MIDI files read"* ]] || { echo "$output"; return 1; }
    done
    for byte in a b c d e f g h; do # same length, within the same second
        echo "$byte" >"$data/a.mid"
        plan_pairs 2>/dev/null
        grep -q "$(grep -o '[0-9a-f]*\.tok' "$work/plan/plan.mk" | sed 's/tok$/midi/')" <(ls "$work/plan")
        cat "$work/plan/$(grep -o '[0-9a-f]*\.tok' "$work/plan/plan.mk" | sed 's/tok$/midi/')"
    done | cut -d'"' -f2 | sort -u | wc -l >"$BATS_TEST_TMPDIR/keys"
    [ "$(cat "$BATS_TEST_TMPDIR/keys")" = 8 ]
}

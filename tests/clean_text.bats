#!/usr/bin/env bats
# cleaned_text is what the earlier Python system made of a text: white space collapsed, ends stripped, [^\w\s.,!?-] dropped, lower case.

setup() {
    cd "$BATS_TEST_DIRNAME/.."
    driver=build/${BUILD:-release}/tests/clean_text_driver
    folder=$BATS_TEST_TMPDIR
}

# cleans TEXT RESULT, both as JSON strings
cleans() {
    printf '%s\n' "$1" >"$folder/text"
    run -0 "$driver" "$folder/text"
    [ "$output" = "$2" ] || { printf '%s gave %s, not %s\n' "$1" "$output" "$2"; return 1; }
}

bats_require_minimum_version 1.5.0

@test "texts read as in the earlier system's records" {
    cleans '"A slow ambient track: low strings & a quiet pulse, in minor. Piece 2."' '"a slow ambient track low strings  a quiet pulse, in minor. piece 2."'
    cleans '"Upbeat rock number, 4/4, with electric bass and brass stabs! Piece 3."' '"upbeat rock number, 44, with electric bass and brass stabs! piece 3."'
    cleans '"Café-style piano ballad -- gentle, romantic (pop). Piece 4."' '"café-style piano ballad -- gentle, romantic pop. piece 4."'
    cleans '"Dark, suspenseful   crawl with   tremolo strings. Piece 5."' '"dark, suspenseful crawl with tremolo strings. piece 5."'
}

@test "white space is collapsed and stripped before characters are dropped" {
    cleans '" \t\n a\u00a0\u2028\u3000b\u001c"' '"a b"'
    cleans '"loud &"' '"loud "'
    cleans '"& loud"' '" loud"'
    cleans '"a & b"' '"a  b"'
    cleans '""' '""'
    cleans '" \n "' '""'
    cleans '"♪ (…)"' '" "'
}

@test "letters and numbers of every script stay, marks and symbols go" {
    cleans '"snake_case 漢字 かな ١٢ ½ Ⅻ ㉈"' '"snake_case 漢字 かな ١٢ ½ ⅻ ㉈"'
    cleans '"cafe\u0301 ☕ “x” a–b a-b"' '"cafe  x ab a-b"'
    cleans '"a\u0000b\u007f"' '"ab"'
}

@test "lower case is Python's: dotted capital I, final sigma" {
    cleans '"İZMİR"' '"i̇zmi̇r"'
    cleans '"ΟΔΟΣ ΣΟΦΟΣ. Σ"' '"οδος σοφος. σ"'
    cleans '"ΑΣ.Α ΑΣ. Α ΑΣʰ ΑΣʰΑ ªΣ"' '"ασ.α ας. α αςʰ ασʰα ªς"'
    cleans '"ẞ Ǆ"' '"ß ǆ"'
}

@test "a text that is not UTF-8 is refused with its position" {
    printf '%s\n' '"ab\udcffc"' >"$folder/text"
    run -1 "$driver" "$folder/text"
    [[ "$output" = *"not UTF-8 at byte 2"* ]]
}

@test "every code point reads as Python reads it" {
    command -v python3 >/dev/null || skip "no python3"
    python3 tests/parity/clean_text.py "$folder/texts" "$folder/expected"
    "$driver" "$folder/texts" >"$folder/cleaned"
    cmp "$folder/expected" "$folder/cleaned"
    [ "$(wc -l <"$folder/cleaned")" -gt 1000000 ]
}

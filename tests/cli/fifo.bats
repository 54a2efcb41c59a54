#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# send and recv over a FIFO: a stream, which other programs use with echo and cat.
load helper
bats_require_minimum_version 1.5.0

@test "arguments are messages" {
	start r "$IPCWAY" recv "$FIFO" -n 3
	run -0 ipcway send "$FIFO" one "two words" -- --three
	ended r 0
	[ "$(cat "$D/r.out")" = $'one\ntwo words\n--three' ]
	[ -z "$(cat "$D/r.err")" ]
}

@test "lines of stdin are messages, many of them, in order" {
	start r "$IPCWAY" recv "$FIFO" --until-last --format line
	seq 20000 | ipcway send "$FIFO"
	ended r 0
	seq 20000 | cmp - "$D/r.out"
}

@test "nul, len4be and raw cut stdin and part the output" {
	start r "$IPCWAY" recv "$FIFO" --until-last --format nul
	printf 'a\nb\0c' | ipcway send "$FIFO" --format nul
	ended r 0
	printf 'a\nb\0c\0' | cmp - "$D/r.out"

	start r "$IPCWAY" recv "$FIFO" --until-last --out len4be
	printf '\0\0\0\3abc\0\0\0\1d' | ipcway send "$FIFO" --in len4be
	ended r 0
	printf '\0\0\0\3abc\0\0\0\1d' | cmp - "$D/r.out"

	start r "$IPCWAY" recv "$FIFO" --until-last --format hex
	printf 'x\ny' | ipcway send "$FIFO" --format raw
	ended r 0
	[ "$(cat "$D/r.out")" = 780a79 ]
}

@test "a length without its bytes is an error" {
	start r "$IPCWAY" recv "$FIFO" --until-last
	run -1 ipcway send "$FIFO" --format len4be < <(printf '\0\0\0\3ab')
	is_in "in the middle of message 1" "$output"
}

@test "JSON there and back, with bytes that are no text" {
	start r "$IPCWAY" recv "$FIFO" --until-last --format json
	printf '{"data":"h\\u00e9llo"}\n{"data":"/wA=","encoding":"base64"}\n' | ipcway send "$FIFO" --json
	ended r 0
	[ "$("$JSON_CHECK" -l <"$D/r.out")" = 2 ]
	[ "$(sed -n 1p "$D/r.out" | "$JSON_CHECK" data)" = héllo ]
	[ "$(sed -n 1p "$D/r.out" | "$JSON_CHECK" encoding)" = utf-8 ]
	[ "$(sed -n 2p "$D/r.out" | "$JSON_CHECK" encoding)" = base64 ]
	[ "$(sed -n 2p "$D/r.out" | "$JSON_CHECK" data)" = /wA= ]
	start again "$IPCWAY" recv "$FIFO" --until-last --format hex
	ipcway send "$FIFO" --json <"$D/r.out"
	ended again 0
	[ "$(cat "$D/again.out")" = $'68c3a96c6c6f\nff00' ]
}

@test "JSON that is none says which line" {
	start r "$IPCWAY" recv "$FIFO" --until-last
	run -1 ipcway send "$FIFO" --json < <(printf '{"data":"a"}\n{"data":7}\n')
	is_in "line 2" "$output"
	ended r 0
}

@test "a file arrives byte for byte" {
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy"
	run -0 ipcway send "$FIFO" --file "$IPCWAY"
	ended r 0
	cmp "$IPCWAY" "$D/copy"
	digest=$(sha256sum <"$IPCWAY" | cut -d ' ' -f 1)
	[ "$output" = "ipcway: $IPCWAY: sent $(stat -c %s "$IPCWAY") bytes, sha256 $digest" ]
	[ "$(cat "$D/r.err")" = "ipcway: $D/copy: received $(stat -c %s "$IPCWAY") bytes, sha256 $digest" ]
}

@test "a progress bar for who is watching" {
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy"
	run -0 env IPCWAY_TTY=1 "$IPCWAY" send "$FIFO" --file "$IPCWAY"
	is_in "100%" "$output"
	ended r 0
}

@test "echo writes lines: recv takes them, and says so" {
	start r "$IPCWAY" recv "$FIFO" -n 2 --timeout 10s
	until_ok test -p "$D/fifo"
	printf 'hello\nyou\n' >"$D/fifo"
	ended r 0
	[ "$(cat "$D/r.out")" = $'hello\nyou' ]
	is_in "taking lines" "$(cat "$D/r.err")"
}

@test "cat reads lines: send sends them, and says so" {
	mkfifo "$D/fifo"
	start c cat "$D/fifo"
	run -0 ipcway send "$FIFO" hello you
	is_in "sending lines" "$output"
	ended c 0
	[ "$(cat "$D/c.out")" = $'hello\nyou' ]
}

@test "what its sender left unfinished is said, and a file that lacks it has failed" {
	mkfifo "$D/fifo"
	start r "$IPCWAY" recv "$FIFO" -O framing=len4be --until-last --file "$D/copy"
	printf '\0\0\0\004whol\0\0\0\020half' >"$D/fifo"
	ended r 1
	is_in "1 unfinished message was discarded" "$(cat "$D/r.err")"
	start r "$IPCWAY" recv "$FIFO" -O framing=len4be --until-last
	printf '\0\0\0\004whol\0\0\0\020half' >"$D/fifo"
	ended r 0
	[ "$(cat "$D/r.out")" = whol ]
	is_in "1 unfinished message was discarded" "$(cat "$D/r.err")"
}

@test "a file to cat arrives as it is" {
	mkfifo "$D/fifo"
	start c cat "$D/fifo"
	run -0 ipcway send "$FIFO" --file "$IPCWAY"
	ended c 0
	cmp "$D/c.out" "$IPCWAY"
}

@test "digests of all sizes are those of sha256sum" {
	for size in 0 1 55 56 57 63 64 65 119 120 121 128 65535 65536 65537 200000; do
		head -c $size "$IPCWAY" >"$D/part"
		start r "$IPCWAY" recv "$FIFO" --file "$D/copy"
		run -0 ipcway send "$FIFO" --file "$D/part"
		is_in "sha256 $(sha256sum <"$D/part" | cut -d ' ' -f 1)" "$output"
		ended r 0
		cmp "$D/part" "$D/copy"
	done
}

@test "a receiver that starts at the same moment gets the file, fifty times" {
	head -c 200001 /dev/urandom >"$D/file"
	for i in {1..50}; do
		start r "$IPCWAY" recv "$FIFO" --file "$D/copy"
		run -0 --separate-stderr ipcway send "$FIFO" --file "$D/file"
		ended r 0
		cmp "$D/file" "$D/copy"
		[[ $stderr != *note:* ]]
	done
}

@test "--verify compares" {
	echo hello >"$D/file"
	right=$(sha256sum <"$D/file" | cut -d ' ' -f 1)
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy" --verify "${right^^}"
	ipcway send "$FIFO" --file "$D/file"
	ended r 0
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy" --verify "${right//0/1}"
	ipcway send "$FIFO" --file "$D/file"
	ended r 1
	is_in "is not what it should be" "$(cat "$D/r.err")"
	run -2 ipcway recv "$FIFO" --verify "$right"
	run -2 ipcway recv "$FIFO" --file "$D/copy" --verify 12
}

@test "a file from a plain program is not made of lines unnoticed" {
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy" --timeout 10s
	until_ok test -p "$D/fifo"
	seq 3 >"$D/fifo"
	ended r 1
	is_in "-O framing=raw" "$(cat "$D/r.err")"
	start r "$IPCWAY" recv "$FIFO" --file "$D/copy" -O framing=raw --timeout 10s
	cat "$IPCWAY" >"$D/fifo"
	ended r 0
	cmp "$IPCWAY" "$D/copy"
}

@test "a framing that was asked for is not guessed" {
	start r "$IPCWAY" recv "$FIFO" -O framing=line -n 1
	until_ok test -p "$D/fifo"
	echo hello >"$D/fifo"
	ended r 0
	[ "$(cat "$D/r.out")" = hello ]
	[ -z "$(cat "$D/r.err")" ]
}

@test "timeouts: nobody reads, nobody writes" {
	run -124 ipcway send "$FIFO" --timeout 50ms hello
	is_in "$D/fifo" "$output"
	run -124 ipcway recv "$FIFO" --timeout 50ms
	run -124 ipcway recv "$FIFO" --timeout 0
	run -0 ipcway recv "$FIFO" --idle 50ms
	run -124 ipcway recv "$FIFO" --idle 50ms -n 1
	is_in "after 0 of 1" "$output"
}

@test "--exec runs a program per message, which has it as stdin" {
	start r "$IPCWAY" recv "$FIFO" --until-last --exec 'printf "[%s]" "$(cat)"'
	ipcway send "$FIFO" one "two words"
	ended r 0
	[ "$(cat "$D/r.out")" = "[one][two words]" ]
	start r "$IPCWAY" recv "$FIFO" -n 2 --exec '! grep -q bad'
	ipcway send "$FIFO" bad good
	ended r 1
	run -2 ipcway recv "$FIFO" --exec cat --format hex
}

@test "the end before -n messages have come is a failure" {
	start r "$IPCWAY" recv "$FIFO" -n 3 --until-last
	ipcway send "$FIFO" one
	ended r 1
	is_in "after 1 of 3" "$(cat "$D/r.err")"
	[ "$(cat "$D/r.out")" = one ]
}

@test "a second of waiting is explained, to who is watching" {
	run -124 env IPCWAY_TTY=1 "$IPCWAY" send "$FIFO" --timeout 1200ms hello
	is_in "waiting for a reader of $FIFO" "$output"
}

@test "Ctrl-C ends a wait" {
	start r env --default-signal=INT "$IPCWAY" recv "$FIFO"
	until_ok test -p "$D/fifo"
	ipcway send "$FIFO" one
	until_ok grep -q one "$D/r.out"
	kill -INT "${job[@]}"
	ended r 130
}

@test "a reader of stdout that goes is a failure with a text" {
	start r bash -c '"$0" recv "$1" --until-last | head -n 1; echo ${PIPESTATUS[0]}' "$IPCWAY" "$FIFO"
	until_ok test -p "$D/fifo"
	seq 100000 | ipcway send "$FIFO" || true
	ended r 0
	[ "$(cat "$D/r.out")" = $'1\n1' ]
	is_in "cannot write" "$(cat "$D/r.err")"
}

@test "--trace shows each call and its meaning" {
	start r "$IPCWAY" recv "$FIFO" -n 1 --trace
	run -0 ipcway send "$FIFO" --trace hello
	[[ $output =~ open.*\(.*\)\ =\ [0-9]+\ \ —\  ]]
	[[ $output =~ writev?\(.*\)\ =\ [0-9]+ ]]
	ended r 0
	[[ $(cat "$D/r.err") =~ readv?\(.*\)\ =\ [0-9]+ ]]
	[ "$(cat "$D/r.out")" = hello ]
}

@test "a file that nobody would end is refused, and what OUT held stays" {
	echo old >"$D/copy"
	for a in "$FIFO?until=forever" "unix:$D/s?until=forever" "unix+dgram:$D/d"; do
		run -2 ipcway recv "$a" --file "$D/copy"
		is_in "never says that the file has ended: add --idle" "$output"
		[ "$(cat "$D/copy")" = old ]
	done
	start s "$IPCWAY" send --listen "unix:$D/s" --timeout 10s hello
	run -0 ipcway recv --dial "unix:$D/s?until=forever" --file "$D/copy" # one conversation ends by itself
	ended s 0
	[ "$(cat "$D/copy")" = hello ]
}

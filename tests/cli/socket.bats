#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# send and recv over a Unix record socket: a listener, diallers, the end of a conversation.
load helper
bats_require_minimum_version 1.5.0

@test "send waits for the listener; recv serves several senders" {
	start a "$IPCWAY" send "$SOCKET" --timeout 10s from-a
	start b "$IPCWAY" send "$SOCKET" --timeout 10s from-b
	run -0 ipcway recv "$SOCKET" -n 2 --timeout 10s
	[ "$(sort <<<"$output")" = $'from-a\nfrom-b' ]
	ended a 0
	ended b 0
}

@test "the other way round: send listens, recv dials and sees the end" {
	start s "$IPCWAY" send "$SOCKET" --listen one two
	run -0 ipcway recv "$SOCKET" --dial --timeout 10s
	[ "$output" = $'one\ntwo' ]
	ended s 0
}

@test "Ctrl-C of a listener leaves no name behind" {
	start r env --default-signal=INT "$IPCWAY" recv "$SOCKET"
	until_ok test -S "$D/s"
	ipcway send "$SOCKET" one
	until_ok grep -q one "$D/r.out"
	kill -INT "${job[@]}"
	ended r 130
	[ ! -e "$D/s" ]
}

@test "a file arrives byte for byte" {
	start r "$IPCWAY" recv "$SOCKET" --file "$D/copy"
	run -0 ipcway send "$SOCKET" --file "$IPCWAY" --timeout 10s
	ended r 0
	cmp "$IPCWAY" "$D/copy"
}

@test "nobody listens: 124" {
	run -124 ipcway send "$SOCKET" --timeout 50ms x
	is_in "$D/s" "$output"
}

@test "stream sockets: messages with newlines, files, either side listening" {
	start r "$IPCWAY" recv "unix:$D/u" -n 1 --timeout 10s --format json
	run -0 --separate-stderr ipcway send "unix:$D/u" $'two\nlines' --timeout 10s
	[ -z "$stderr" ]
	ended r 0
	is_in 'two\nlines' "$(cat "$D/r.out")"
	start r "$IPCWAY" recv "unix:$D/u" --file "$D/copy"
	ipcway send "unix:$D/u" --file "$IPCWAY" --timeout 10s
	ended r 0
	cmp "$IPCWAY" "$D/copy"
	start s "$IPCWAY" send "unix:$D/u" --file "$IPCWAY" --listen
	run -0 ipcway recv "unix:$D/u" --file "$D/copy" --dial --timeout 10s
	ended s 0
	cmp "$IPCWAY" "$D/copy"
}

@test "nngcat's words fix the role" {
	start r "$IPCWAY" pull "$SOCKET" -n 2
	run -0 ipcway push "$SOCKET" --timeout 10s one two
	ended r 0
	[ "$(cat "$D/r.out")" = $'one\ntwo' ]
	run -1 ipcway pub "$SOCKET" --timeout 1s x
	is_in "does not offer the role PUB; it offers" "$output"
	run -1 ipcway sub "$SOCKET" --timeout 1s
	is_in "does not offer the role SUB" "$output"
	run -0 ipcway pub "file:$D/log" hello
	run -1 ipcway push "file:$D/log" hello
	is_in "does not offer the role PUSH" "$output"
	run -0 ipcway sub "file:$D/log" -n 1
	[ "$output" = hello ]
	for word in req rep; do
		run -2 ipcway $word "$SOCKET"
		is_in "request and reply" "$output"
	done
	run -0 ipcway help push
	is_in "usage: ipcway send" "$output"
}

@test "--listen and --dial on either side" {
	for s in "$SOCKET" "unix:$D/u"; do
		start l "$IPCWAY" push "$s" --listen one
		run -0 ipcway pull "$s" --dial --timeout 10s
		[ "$output" = one ]
		ended l 0
		start l "$IPCWAY" pull "$s" --listen -n 1
		run -0 ipcway push "$s" --dial --timeout 10s two
		ended l 0
		[ "$(cat "$D/l.out")" = two ]
	done
	run -124 ipcway push "$SOCKET" --dial --timeout 50ms x
}

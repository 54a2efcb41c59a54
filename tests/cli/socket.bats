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

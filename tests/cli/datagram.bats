#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# send and recv without connections: a Unix datagram socket, a UDP port, a multicast group.
load helper
bats_require_minimum_version 1.5.0

# has a process of this machine the UDP port $1, $2 times?
taken() {
	[ "$(grep -c "$(printf ':%04X ' "$1")" /proc/net/udp)" = "$2" ]
}

# A port that nobody has; the kernel hands out none below 32768 by itself.
setup_file() {
	PORT=$((20000 + BASHPID % 12000))
	while ! taken $PORT 0; do PORT=$((PORT + 1)); done
	export PORT
}

@test "many send to one over unix+dgram; a sender waits for the receiver" {
	start a "$IPCWAY" send "unix+dgram:$D/d" --timeout 10s from-a
	start b "$IPCWAY" send "unix+dgram:$D/d" --timeout 10s from-b
	run -0 ipcway recv "unix+dgram:$D/d" -n 2 --timeout 10s
	[ "$(sort <<<"$output")" = $'from-a\nfrom-b' ]
	ended a 0
	ended b 0
	[ ! -e "$D/d" ]
}

@test "udp: to a port" {
	start r "$IPCWAY" recv "udp:127.0.0.1:$PORT" -n 2 --timeout 10s
	until_ok taken "$PORT" 1
	run -0 ipcway send "udp:localhost:$PORT" one two
	ended r 0
	[ "$(cat "$D/r.out")" = $'one\ntwo' ]
}

@test "udp: to any port, and which it is" {
	start r "$IPCWAY" recv udp:127.0.0.1:0 -n 1 --timeout 10s
	until_ok grep -q "took a free port" "$D/r.err"
	run -0 ipcway send "$(sed 's/.*port: //' "$D/r.err")" found
	ended r 0
	[ "$(cat "$D/r.out")" = found ]
}

@test "udp: to all in a group" {
	start a "$IPCWAY" recv "udp:239.255.77.3:$PORT" -n 1 --timeout 10s
	start b "$IPCWAY" recv "udp:239.255.77.3:$PORT" -n 1 --timeout 10s
	until_ok taken "$PORT" 2
	run -0 ipcway send "udp:239.255.77.3:$PORT" "to all"
	ended a 0
	ended b 0
	[ "$(cat "$D/a.out" "$D/b.out")" = $'to all\nto all' ]
}

@test "udp: beyond this machine only when told" {
	run -1 --separate-stderr ipcway send udp:192.0.2.1:5000 x
	is_in "insecure=1" "$stderr"
	run -1 --separate-stderr ipcway recv udp:0.0.0.0:5000
	is_in "insecure=1" "$stderr"
}

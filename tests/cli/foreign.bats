#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that others wrote, where they and we do not fit: what is said then. That they are peers, over every way, is played in tests/foreign.
bats_require_minimum_version 1.5.0
load helper

need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# nngcat listens at $D/NAME, which is $ours.
nngcat_listens() { # NAME ROLE ARGUMENTS...
	ours=unix:$D/$1
	start them timeout -k 1 15 nngcat "--$2" --listen "ipc://$D/$1" "${@:3}" -i 1
	until_ok listening
}

# Somebody does: the kernel says so without being noticed there.
listening() { grep -q " 00010000 .* ${ours#unix:}$" /proc/net/unix; }

@test "a socket of another kind is named on our side" {
	need nngcat
	nngcat_listens pub pub -D news
	run -1 --separate-stderr ipcway recv "$ours" --dial -n 1 --timeout 10s
	is_in "this side is pull and needs push on the other; that is pub (0x0020)" "$stderr"
}

@test "a message beyond max= ends the conversation, before it is stored" {
	need nngcat
	head -c 5000 /dev/zero | tr '\0' x >"$D/large-file"
	nngcat_listens large push -F "$D/large-file"
	run -1 --separate-stderr ipcway recv "$ours" -O max=4K --dial -n 1 --timeout 10s
	is_in "a message of 5000 bytes was announced" "$stderr"
}

@test "socat: text by lines, and a text where nanomsg was expected" {
	need socat
	ours=unix:$D/text
	start us "$IPCWAY" recv "$ours" -O framing=line -n 2 --timeout 10s
	until_ok listening
	printf 'one\ntwo\n' | timeout 10 socat -u - "UNIX-CONNECT:$D/text"
	ended us 0
	[ "$(cat "$D/us.out")" = "one
two" ]
	start them timeout -k 1 15 socat -u "UNIX-LISTEN:$D/other" "OPEN:$D/got,creat"
	until_ok test -S "$D/other"
	run -0 ipcway send "unix:$D/other" -O framing=len4be --timeout 10s hello
	ended them 0
	[ "$(od -An -tx1 "$D/got" | tr -d ' \n')" = 0000000568656c6c6f ]
	start them bash -c 'echo hello there | exec timeout -k 1 15 socat -t 10 - "UNIX-LISTEN:$0"' "$D/third"
	until_ok test -S "$D/third"
	run -1 --separate-stderr ipcway recv "unix:$D/third" -O framing=sp --dial -n 1 --timeout 10s
	is_in "looks like text (bytes 68 65 6c 6c 6f" "$stderr"
}

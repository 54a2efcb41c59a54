#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that others wrote are peers: nngcat and nanocat over framing=sp, which nobody need say on a socket, socat with plain bytes. Either side listens, both directions.
bats_require_minimum_version 1.5.0
load helper

need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# Sets $ours and $theirs, two names of one place: of unix:, or of tcp:, where the number is any that is likely to be free.
place() {
	case $1 in
	unix) ours=unix:$D/$2 theirs=ipc://$D/$2 ;;
	tcp) port=$((20000 + RANDOM % 12000)) ours=tcp:127.0.0.1:$port theirs=tcp://127.0.0.1:$port ;;
	esac
}

# Their options: nngcat and nanocat share the words; only the names of pair and of the sides differ. Unbuffered, so that we see what they got.
foreign() {
	local tool=$1 role=$2 side=$3
	shift 3
	case $tool-$role in nngcat-pair) role=pair0 ;; esac
	case $tool-$side in nanocat-dial) side=connect ;; nanocat-listen) side=bind ;; esac
	exec timeout -k 1 15 stdbuf -o0 "$tool" "--$role" "--$side" "$theirs" "$@"
}

# Somebody listens at the place: the kernel says so without being noticed there.
listening() {
	case $ours in
	unix:*) grep -q " 00010000 .* ${ours#unix:}$" /proc/net/unix ;;
	*) grep -q ":$(printf %04X "$port") 00000000:0000 0A " /proc/net/tcp ;;
	esac
}

has() { grep -q -- "$1" "$D/$2.out"; }

they_push_we_listen() { # TOOL WAY
	place "$2" in
	start us "$IPCWAY" recv "$ours" -n 1 --timeout 10s
	until_ok listening || return
	start them foreign "$1" push dial -D "from $1"
	ended us 0
	[ "$(cat "$D/us.out")" = "from $1" ]
}

they_push_and_listen() {
	place "$2" out
	start them foreign "$1" push listen -D "from $1" -i 1
	start us "$IPCWAY" recv "$ours" --dial -n 1 --timeout 10s
	ended us 0
	[ "$(cat "$D/us.out")" = "from $1" ]
}

# Our end sends two lines and stays until they are there: nanomsg throws away what it has not handed out when its peer closes.
we_send() {
	export WORDS=$D/lines
	mkfifo "$WORDS"
	start us bash -c 'exec "$0" send "$@" --timeout 10s <"$WORDS"' "$IPCWAY" "$ours" "$@"
	exec 7>"$WORDS"
	printf 'to them\nand more\n' >&7
}

they_have_it() {
	until_ok has '"to them"' them && until_ok has '"and more"' them || return
	exec 7>&-
	ended us 0
	rm "$WORDS"
}

they_pull_and_listen() {
	place "$2" pull
	start them foreign "$1" pull listen --quoted
	we_send
	they_have_it
}

they_pull_we_listen() {
	place "$2" push
	we_send --listen
	until_ok listening || return
	start them foreign "$1" pull dial --quoted 7>&-
	they_have_it
}

both_ways() { # TOOL WAY OUR-SIDE THEIR-SIDE
	place "$2" "pair-$3"
	echo 'from us' >"$D/words"
	start us bash -c 'exec "$0" pair "$1" "--$2" --linger 10s --timeout 15s <"$3"' "$IPCWAY" "$ours" "$3" "$D/words"
	[ "$3" = dial ] || until_ok listening || return
	start them foreign "$1" pair "$4" --quoted -D 'from them' -i 1
	until_ok has '"from us"' them && until_ok has 'from them' us
}

# What has run is over before the next begins, so that none of them talks to a stranger.
over() {
	local pid
	for pid in "${job[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait
	job=()
}

all() { # TOOL WAY
	need "$1"
	they_push_we_listen "$@" && over &&
		they_push_and_listen "$@" && over &&
		they_pull_and_listen "$@" && over &&
		they_pull_we_listen "$@" && over &&
		both_ways "$@" listen dial && over &&
		both_ways "$@" dial listen
}

@test "nngcat over a Unix socket" { all nngcat unix; }
@test "nngcat over TCP" { all nngcat tcp; }
@test "nanocat over a Unix socket" { all nanocat unix; }
@test "nanocat over TCP" { all nanocat tcp; }

@test "a socket of another kind is named on our side" {
	need nngcat
	place unix pub
	start them foreign nngcat pub listen -D news -i 1
	until_ok listening
	run -1 --separate-stderr ipcway recv "$ours" --dial -n 1 --timeout 10s
	is_in "this side is pull and needs push on the other; that is pub (0x0020)" "$stderr"
}

@test "a message beyond max= ends the conversation, before it is stored" {
	need nngcat
	place unix large
	head -c 5000 /dev/zero | tr '\0' x >"$D/large-file"
	start them foreign nngcat push listen -F "$D/large-file" -i 1
	until_ok listening
	run -1 --separate-stderr ipcway recv "$ours" -O max=4K --dial -n 1 --timeout 10s
	is_in "a message of 5000 bytes was announced" "$stderr"
}

@test "socat: text by lines, and a text where nanomsg was expected" {
	need socat
	place unix text
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

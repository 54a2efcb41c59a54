#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a person gets wrong: the text names the object, the limit and what to do, and nothing is left behind.
load helper
bats_require_minimum_version 1.5.0

# bats has files of its own in the test's folder.
empty_folder() {
	D=$D/here
	FIFO=fifo:$D/fifo
	mkdir "$D"
}
nothing_left() { [ -z "$(ls "$D")" ] || { ls "$D"; return 1; }; }

# STATUS "what the text must say" ARGUMENT...
wrong() {
	local status=$1 words=$2
	shift 2
	run -"$status" --separate-stderr ipcway "$@" </dev/null
	[ -z "$output" ] || { echo "on stdout: $output"; return 1; }
	is_in "$words" "$stderr"
	[ "$(grep -c . <<<"$stderr")" = 1 ] || { echo "more than a line: $stderr"; return 1; }
}

@test "commands and options" {
	empty_folder
	wrong 2 "did you mean: ipcway send" snd
	wrong 2 "see: ipcway help" frobnicate
	wrong 2 "did you mean --json" describe "$FIFO" --jsno
	wrong 2 "'--frob'; see: ipcway help recv" recv "$FIFO" --frob
	wrong 2 'goes behind "--"; see: ipcway help send' send "$FIFO" --frob
	wrong 125 "'--try=1': --try takes no value" lock "$D/l" --try=1 -- true
	wrong 125 "'-xz'; see: ipcway help lock" lock -xz "$D/l" -- true
	wrong 2 "such as 500ms, 3s" recv "$FIFO" --timeout soon
	wrong 2 "needs a value" recv "$FIFO" --timeout
	wrong 2 "must be 1 or more" recv "$FIFO" -n 0
	nothing_left
}

@test "addresses" {
	empty_folder
	wrong 2 "did you mean \"fifo:$D/x\"" send "$D/x" hello
	wrong 2 "did you mean \"fifo:./jobs\"" send jobs hello
	wrong 2 "it knows: framing" recv "$FIFO?unti=last"
	wrong 2 "forever|last" recv "$FIFO?until=lst"
	wrong 2 "such as 0660" recv "$FIFO?mode=9999"
	wrong 1 "mkdir -p" recv "fifo:$D/no/fifo"
	wrong 1 "a file, not a FIFO; take another path" recv fifo:/etc/passwd
	wrong 124 "mkfifo $D/fifo" send "$FIFO" --timeout 20ms hello
	wrong 1 "there is no such FIFO" remove "$FIFO"
	wrong 2 "starts with a slash: mq:/jobs" send mq:jobs hello
	wrong 1 "touch /no/such" send mq+sysv:/no/such#A hello
	wrong 2 "from 1 to 255 or exactly one character" send mq+sysv:/etc/hosts#AB hello
	wrong 1 "insecure=1" recv tcp:192.0.2.1:80
	wrong 2 "port" recv tcp:localhost
	wrong 1 "PUB and SUB, not PULL" pull udp:239.255.77.3:5000
	wrong 2 "for ever" bridge "$FIFO" "$FIFO"
	wrong 124 "nobody listens there yet" send "unix:$D/s" --timeout 20ms hello
	wrong 1 "fd:99: this process has no descriptor 99" send fd:99 hello
	wrong 2 "IPCWAY_ADDR" recv -
	nothing_left
}

@test "what messages do not have there is refused before anything is made" {
	empty_folder
	wrong 2 "mq+sysv: have one" send "mq:$SEM" --type 3 hello
	wrong 2 "mq+sysv: have one" recv "$FIFO" --type 3
	wrong 2 "mq: have one" send "$QUEUE" --priority 3 hello
	wrong 2 "0 to 32767" send "mq:$SEM" --priority 40000 hello
	wrong 2 "priority" send "mq:$SEM" --priority -1 hello
	wrong 1 "no messages that could be sent" send timer:1s hello
	nothing_left
	run -1 ipcway remove "mq:$SEM"
	run -1 ipcway remove "$QUEUE"
}

@test "turns" {
	empty_folder
	wrong 125 "FILE -- CMD" lock "$D/l" true
	wrong 125 "-u is flock(1)'s" lock -u "$D/l" -- true
	wrong 125 "mkdir -p" lock "$D/no/l" -- true
	wrong 125 "kind=flock" lock "$D" -O kind=ofd -- true
	wrong 125 "1..1024" lock "$D/l?permits=0" -- true
	wrong 2 "did you mean wait" sem wat "$SEM"
	wrong 2 "needs one of create, wait, post" sem
	wrong 2 "did you mean resize" segment resise /x
	wrong 2 "none of send, wait, list; see" signal nothing
	wrong 2 "sem:/jobs" sem wait jobs
	wrong 1 "ipcway sem create sem:$SEM" sem wait "$SEM"
	wrong 2 "0..2147483647" sem create "$SEM" --value -3
	wrong 2 "given twice" sem create "sem:$SEM?value=1" --value 3
	wrong 1 "no such semaphore" sem remove "$SEM"
	run -0 ipcway sem create "$SEM"
	wrong 1 "exists already" sem create "$SEM"
	nothing_left
}

@test "no descriptor is left" {
	run -1 bash -c 'exec 3>&-; ulimit -n 4; exec "$0" recv "$1"' "$IPCWAY" "$FIFO"
	is_in "ulimit -n" "$output"
}

@test "a file that may not grow is an error, not a death" {
	empty_folder
	limited() { # WORDS ARGUMENT...: status 1, and nothing made
		run -1 bash -c 'ulimit -f 0; exec "$0" "$@" </dev/null' "$IPCWAY" "${@:2}"
		is_in "$1" "$output"
	}
	limited "ulimit -f" send "shm:$SEM" hello
	limited "ulimit -f" send "shm+file:$D/ring" hello
	limited "ulimit -f" send "log:$D/log" hello
	limited "ulimit -f" segment create "shm+file:$D/memory" --size 64K
	before=$(ls /dev/shm)
	limited "ulimit -f" sem create "$SEM"
	[ -z "$(comm -13 <(echo "$before") <(ls /dev/shm) | grep '^sem\.......$')" ] # what the C library makes first, under a name of its own
	nothing_left
	limited "ulimit -f" send "file:$D/lines" hello
	limited "$D/picture: File too large" snapshot "$D/picture"
	[ ! -s "$D/lines" ] && [ ! -s "$D/picture" ]
}

@test "a program that is started has the signals of writing as usual" {
	ignored="grep SigIgn /proc/self/status"
	usual() {
		run -0 ipcway "$@"
		[[ $output =~ SigIgn:[[:space:]]*([0-9a-f]+) ]] && ((!(0x${BASH_REMATCH[1]} & 0x1000000))) || { echo "$1: $output"; return 1; } # SIGXFSZ
	}
	usual lock "$D/l" -- $ignored
	usual run pipe: -- true -- $ignored
	usual recv timer:10ms -n 1 --exec "$ignored"
	start one ipcway accept "$SOCKET" -- $ignored
	usual pair "$SOCKET" --dial
	ended one 0
}

@test "stdout that takes nothing says why" {
	empty_folder
	for words in "ls --json" "mechanisms --json" snapshot; do
		run -1 bash -c '"$0" '"$words"' 2>&1 >/dev/full' "$IPCWAY"
		is_in "cannot write to stdout: No space left on device" "$output"
	done
}

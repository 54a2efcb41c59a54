#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# pair, accept, serve and wait: both ways over one conversation.
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

# How many descriptors a process has open.
open_in() { ls "/proc/$1/fd" | wc -l; }
has_open() { [ "$(open_in "$1")" = "$2" ]; }

@test "pair: both ways, and both ends see the end" {
	seq 1 3 >"$D/one"
	seq 4 6 >"$D/two"
	start l bash -c '"$0" pair "$1" --listen <"$2"' "$IPCWAY" "$SOCKET" "$D/one"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	start d bash -c '"$0" pair "$1" --dial <"$2"' "$IPCWAY" "$SOCKET" "$D/two"
	ended d 0
	ended l 0
	cmp "$D/l.out" "$D/two"
	cmp "$D/d.out" "$D/one"
	[ ! -e "$D/s" ]
}

@test "pair: an answer that comes after the end of stdin is waited for" {
	start s "$IPCWAY" serve "$SOCKET" -n 1 -- sh -c 'read line; sleep 0.3; echo "you said $line"'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	run -0 --separate-stderr bash -c 'echo hello | "$0" pair "$1" --dial --linger 60s --timeout 60s' "$IPCWAY" "$SOCKET"
	[ "$output" = "you said hello" ]
	ended s 0
}

@test "pair: the end of stdin reaches the other side, which may still answer" {
	for s in "$SOCKET" "unix:$D/u?framing=line" "tcp:127.0.0.1:$(free_port)?framing=line"; do
		start s "$IPCWAY" serve "$s" -n 1 -- sh -c 'sort -r; sleep 0.2; echo done'
		run -0 ipcway wait "$s" --timeout 60s
		run -0 --separate-stderr bash -c 'seq 3 | "$0" pair "$1" --dial --linger 0 --timeout 60s' "$IPCWAY" "$s"
		[ "$output" = $'3\n2\n1\ndone' ]
		ended s 0
	done
}

@test "pair: stdin that never held anything only listens, until the other side ends" {
	start l bash -c '"$0" pair "$1" --listen --linger 0 </dev/null' "$IPCWAY" "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	seq 1000 | ipcway send "$SOCKET"
	ended l 0
	seq 1000 | cmp - "$D/l.out"
}

@test "pair: the other side's end ends it, whatever stdin does" {
	mkfifo "$D/never"
	start l bash -c '"$0" pair "$1" --listen <>"$2"' "$IPCWAY" "$SOCKET" "$D/never"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway send "$SOCKET" bye
	ended l 0
	[ "$(cat "$D/l.out")" = bye ]
}

@test "pair: formats" {
	start l bash -c '"$0" pair "$1" --listen --format nul </dev/null' "$IPCWAY" "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	printf 'a\nb\0c' | ipcway pair "$SOCKET" --dial --format nul --linger 0
	ended l 0
	printf 'a\nb\0c\0' | cmp - "$D/l.out"

	start l bash -c '"$0" pair "$1" --listen --format raw </dev/null' "$IPCWAY" "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway pair "$SOCKET" --dial --format raw --linger 0 <"$IPCWAY"
	ended l 0
	cmp "$D/l.out" "$IPCWAY"
}

@test "pair: refusals" {
	run -2 ipcway pair "$SOCKET"
	is_in "--listen or --dial" "$output"
	run -2 ipcway pair "$SOCKET" --listen --dial
	run -2 ipcway pair
	run -1 ipcway pair "$FIFO"
	is_in "does not offer the role PAIR" "$output"
	run -124 ipcway pair "$SOCKET" --dial --timeout 50ms
	run -124 ipcway pair "$SOCKET" --listen --timeout 50ms </dev/null
	[ ! -e "$D/s" ]
}

@test "pair: Ctrl-C ends it and leaves no name" {
	mkfifo "$D/never"
	start l env --default-signal=INT bash -c 'exec "$0" pair "$1" --listen <>"$2"' "$IPCWAY" "$SOCKET" "$D/never"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	kill -INT "${job[l]}"
	ended l 130
	[ ! -e "$D/s" ]
}

@test "pair: a reader of stdout that goes ends it" {
	mkfifo "$D/never"
	start l bash -c '"$0" pair "$1" --listen <>"$2" | head -n 1' "$IPCWAY" "$SOCKET" "$D/never"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	mkfifo "$D/slow"
	start d bash -c '"$0" pair "$1" --dial <>"$2"' "$IPCWAY" "$SOCKET" "$D/slow"
	seq 100000 | timeout 10 cat >"$D/slow" || true
	ended l 0
	ended d 0 || grep -q 'was not delivered' "$D/d.err" # the end may come while a message is in hand; then it is told
	[ "$(cat "$D/l.out")" = 1 ]
}

@test "accept: one conversation, on stdin and stdout" {
	start a bash -c 'echo welcome | "$0" accept "$1" --timeout 60s' "$IPCWAY" "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	run -0 bash -c 'echo hello | "$0" pair "$1" --dial' "$IPCWAY" "$SOCKET"
	[ "$output" = welcome ]
	ended a 0
	[ "$(cat "$D/a.out")" = hello ]
	[ ! -e "$D/s" ]
}

@test "accept: a program, whose status is ours" {
	start a "$IPCWAY" accept "$SOCKET" -- sh -c 'sort -r; exit 7'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	seq 3 | ipcway send "$SOCKET"
	ended a 7
	start a "$IPCWAY" accept "$SOCKET" -- sh -c 'kill -TERM $$'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway pair "$SOCKET" --dial </dev/null
	ended a 143
}

@test "accept: 124, 125, 126, 127" {
	run -124 ipcway accept "$SOCKET" --timeout 50ms -- cat
	run -125 ipcway accept
	run -125 ipcway accept "$FIFO" -- cat
	is_in "no conversations" "$output"
	start a "$IPCWAY" accept "$SOCKET" -- /nowhere/at-all
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway send "$SOCKET" x || true
	ended a 127
	: >"$D/plain"
	start a "$IPCWAY" accept "$SOCKET" -- "$D/plain"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway send "$SOCKET" x || true
	ended a 126
	[ ! -e "$D/s" ]
}

@test "serve: a program for each conversation, several at once" {
	start s "$IPCWAY" serve "$SOCKET" -n 3 -- sed -u 's/^/you said /'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	mkfifo "$D/in1" "$D/in2"
	start one bash -c '"$0" pair "$1" --dial <"$2"' "$IPCWAY" "$SOCKET" "$D/in1"
	start two bash -c '"$0" pair "$1" --dial <"$2"' "$IPCWAY" "$SOCKET" "$D/in2"
	exec 7>"$D/in1" 8>"$D/in2"
	echo two >&8
	until_ok grep -q "you said two" "$D/two.out"
	echo one >&7
	until_ok grep -q "you said one" "$D/one.out"
	run -0 --separate-stderr bash -c 'echo three | "$0" pair "$1" --dial --linger 60s --timeout 60s | head -n 1' "$IPCWAY" "$SOCKET"
	[ "$output" = "you said three" ]
	exec 7>&- 8>&-
	ended one 0
	ended two 0
	ended s 0
	[ ! -e "$D/s" ]
}

@test "serve: --max lets the others wait, not fail" {
	start s "$IPCWAY" serve "$SOCKET" --max 1 -n 2 -- cat
	run -0 ipcway wait "$SOCKET" --timeout 60s
	mkfifo "$D/in1"
	start one bash -c '"$0" pair "$1" --dial <"$2"' "$IPCWAY" "$SOCKET" "$D/in1"
	exec 7>"$D/in1"
	echo one >&7
	until_ok grep -q one "$D/one.out"
	echo two >"$D/in2"
	start two bash -c 'exec "$0" pair "$1" --dial --linger 60s <"$2"' "$IPCWAY" "$SOCKET" "$D/in2" 7>&-
	until_ok bash -c '[ "$(pgrep -P "$0" -c cat)" = 1 ]' "${job[s]}"
	[ -z "$(cat "$D/two.out")" ]
	exec 7>&-
	ended one 0
	until_ok grep -q two "$D/two.out"
	ended two 0 # cat has seen the end of its stdin
	ended s 0
}

@test "serve: bytes as they are" {
	start s "$IPCWAY" serve "$SOCKET" --format raw -n 1 -- sh -c 'cat >"$0"' "$D/upload"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway pair "$SOCKET" --dial --format raw --linger 0 <"$IPCWAY"
	ended s 0
	cmp "$D/upload" "$IPCWAY"
}

@test "serve: a program that prints much before it reads blocks nobody" {
	start s "$IPCWAY" serve "$SOCKET" -n 1 -- sh -c 'seq 100000; cat'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	seq 100001 200000 >"$D/in"
	start p bash -c 'exec "$0" pair "$1" --dial --linger 60s <"$2"' "$IPCWAY" "$SOCKET" "$D/in"
	until_ok bash -c 'tail -n 1 "$0" | grep -q 200000' "$D/p.out"
	seq 200000 | cmp - "$D/p.out"
	ended p 0
	ended s 0
}

@test "serve: statuses are said, and its own is 125 where it fails" {
	start s "$IPCWAY" serve "$SOCKET" -n 2 -- sh -c 'read line; [ "$line" = good ] || exit 9'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway send "$SOCKET" bad
	ipcway send "$SOCKET" good
	ended s 0
	is_in "conversation 1: sh ended with status 9" "$(cat "$D/s.err")"
	[[ $(cat "$D/s.err") != *"conversation 2"* ]]
	run -125 ipcway serve "$SOCKET"
	run -125 ipcway serve "$SOCKET" --max 0 -- cat
	run -125 ipcway serve "$FIFO" -- cat
}

@test "serve: no descriptor leaks, in it or into the programs" {
	start s "$IPCWAY" serve "$SOCKET" -- sh -c 'ls /proc/self/fd | wc -l'
	run -0 ipcway wait "$SOCKET" --timeout 60s
	bare=$(sh -c 'ls /proc/self/fd | wc -l' 3>&- </dev/null)
	run -0 ipcway pair "$SOCKET" --dial </dev/null
	[ "$output" = "$bare" ]
	before=$(open_in "${job[s]}")
	for i in {1..30}; do ipcway pair "$SOCKET" --dial </dev/null >/dev/null; done
	until_ok has_open "${job[s]}" "$before"
}

@test "serve: SIGTERM ends it and what it runs" {
	start s env --default-signal=TERM "$IPCWAY" serve "$SOCKET" -- sh -c 'echo $$ >"$0"; exec sleep 600' "$D/pid"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	mkfifo "$D/never"
	start p bash -c '"$0" pair "$1" --dial <>"$2"' "$IPCWAY" "$SOCKET" "$D/never"
	until_ok test -s "$D/pid"
	kill -TERM "${job[s]}"
	ended s 143
	ended p 0
	until_ok gone "$(cat "$D/pid")"
	[ ! -e "$D/s" ]
}

@test "wait: sockets, queues, FIFOs; whoever listens notices nothing" {
	run -124 ipcway wait "$SOCKET" --timeout 0
	is_in "$D/s" "$output"
	start w "$IPCWAY" wait "$SOCKET" --timeout 60s
	start l bash -c '"$0" pair "$1" --listen </dev/null' "$IPCWAY" "$SOCKET"
	ended w 0
	run -0 ipcway wait "$SOCKET" --timeout 0
	ipcway send "$SOCKET" first
	ended l 0
	[ "$(cat "$D/l.out")" = first ]
	run -124 ipcway wait "$SOCKET" --timeout 0

	run -124 ipcway wait "$QUEUE" --timeout 0
	ipcway send "$QUEUE" x
	run -0 ipcway wait "$QUEUE" --timeout 0

	run -124 ipcway wait "$FIFO" --timeout 50ms
	start r "$IPCWAY" recv "$FIFO" --until-last
	run -0 ipcway wait "$FIFO" --timeout 60s
	ipcway send "$FIFO" hello
	ended r 0
	[ "$(cat "$D/r.out")" = hello ]
}

# A port that nobody has, for this test.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

@test "wait: a TCP port, which does not notice; then a conversation there" {
	tcp=tcp:127.0.0.1:$(free_port)
	run -124 ipcway wait "$tcp" --timeout 0
	start s "$IPCWAY" serve "$tcp" -n 1 -- sed -u 's/^/you said /'
	run -0 ipcway wait "$tcp" --timeout 60s
	run -0 bash -c 'seq 2 | "$0" pair "$1" --dial --linger 60s | head -n 2' "$IPCWAY" "$tcp"
	[ "$output" = $'you said 1\nyou said 2' ]
	ended s 0
}

@test "wait: an abstract name" {
	name=unix+seqpacket:@ipcway-test-$BASHPID-$RANDOM
	run -124 ipcway wait "$name" --timeout 0
	start l bash -c '"$0" pair "$1" --listen </dev/null' "$IPCWAY" "$name"
	run -0 ipcway wait "$name" --timeout 60s
	ipcway send "$name" x
	ended l 0
}

@test "wait: what cannot be waited for" {
	run -2 ipcway wait
	run -2 ipcway wait pipe:
	is_in "no name" "$output"
	run -1 ipcway wait "fifo:$D" --timeout 5s
	is_in "not a FIFO" "$output"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway why and deadlocks. What is true of every kind of wait, the unit tests of the probe say; here: the words, the statuses, the chain.
load helper
bats_require_minimum_version 1.5.0

# Two that wait for each other to speak first; nobody else has an end of either.
circle() {
	mkfifo "$D/a" "$D/b"
	cat 0<>"$D/a" 1<>"$D/b" 2>/dev/null 3>&- &
	job[one]=$!
	cat 0<>"$D/b" 1<>"$D/a" 2>/dev/null 3>&- &
	job[two]=$!
}

says() { [[ $(ipcway why "$1" 2>/dev/null) == *"$2"* ]]; }

@test "why: the chain and the verdict of a circle" {
	circle
	until_ok says "${job[one]}" "verdict: deadlock"
	run -0 --separate-stderr ipcway why "${job[one]}"
	is_in "${job[one]} (cat): waits in read(2) on descriptor 0, FIFO $D/a, which is empty, until" "$output"
	is_in "${job[two]} (cat): waits in read(2) on descriptor 0, FIFO $D/b, which is empty, until" "$output"
	is_in "nobody else can end it: " "${lines[-1]}"
	is_in "${job[one]} (cat)" "${lines[-1]}"
	is_in "${job[two]} (cat)" "${lines[-1]}"
}

@test "why: as JSON" {
	circle
	until_ok says "${job[one]}" "verdict: deadlock"
	ipcway why --json "${job[one]}" >"$D/json" 2>/dev/null
	[ "$("$JSON_CHECK" pid <"$D/json")" = "${job[one]}" ]
	[ "$("$JSON_CHECK" end <"$D/json")" = circle ]
	[ "$("$JSON_CHECK" call <"$D/json")" = "read(2)" ]
	[ "$("$JSON_CHECK" object <"$D/json")" = "FIFO $D/a" ]
}

@test "why: who waits at an address, and nobody" {
	mkfifo "$D/in"
	start r cat "$D/in"
	until_ok says "${job[r]}" "until somebody opens its other end"
	run -0 --separate-stderr ipcway why "$FIFO"
	[ "$output" = "nobody waits at $FIFO" ]
	run -0 --separate-stderr ipcway why "fifo:$D/in"
	is_in "${job[r]} (cat): waits in open(2) for $D/in, a FIFO, until somebody opens its other end" "$output"
	is_in "verdict: no deadlock: somebody can still end this" "$output"
	: >"$D/in"
	ended r 0
}

@test "why: who waits at a set of semaphores, by key and by number, and who has a FIFO" {
	command -v perl >/dev/null || skip "perl is not installed"
	ipcway sem create "$SET" --value 0
	start s perl -e 'semop(semget(hex($ARGV[0]), 1, 0600), pack("s!3", 0, -1, 0))' "$KEY" # ours look around now and then
	until_ok says "$SET" "(perl): waits in semop(2)"
	id=$(ipcway ls sem+sysv -o address,name 2>/dev/null | awk -v a="sem+sysv:0x$(printf %x "$KEY")" '$1 == a { print $2 }')
	run -0 --separate-stderr ipcway why "sem+sysv:$id"
	is_in "${job[s]} (perl): waits in semop(2) for System V semaphore $id, number 0 of it" "$output"
	mkfifo "$D/both"
	start c sleep 60 5<>"$D/both"
	run -0 --separate-stderr ipcway why "fifo:$D/both"
	[ "$output" = "nobody waits at fifo:$D/both; used by ${job[c]}(sleep):5rw" ]
}

@test "why: one that runs, one that has gone, wrong words" {
	run -0 --separate-stderr ipcway why $$
	run -1 ipcway why 999999999
	[ "$output" = "ipcway: there is no process 999999999" ]
	run -2 ipcway why
	run -2 ipcway why 0
	run -2 ipcway why "nonsense:/tmp/x"
	run -0 --separate-stderr ipcway why "mq+sysv:$KEY"
	[ "$output" = "nobody waits at mq+sysv:$KEY" ]
}

@test "deadlocks: found, and its status" {
	circle
	until_ok says "${job[one]}" "verdict: deadlock"
	run -1 --separate-stderr ipcway deadlocks
	is_in "${job[one]} (cat): waits in read(2)" "$output"
	is_in "${job[two]} (cat): waits in read(2)" "$output"
	run -1 --separate-stderr ipcway deadlocks --json
	is_in '"end":"circle"' "${output// /}"
	run -2 ipcway deadlocks all
}

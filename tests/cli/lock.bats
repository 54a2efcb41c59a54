#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

# Holds LOCK with the command given until $D/go is there; says so by $D/held.
hold() {
	start holder "$@" sh -c 'echo >"$1/held"; until [ -e "$1/go" ]; do sleep 0.02; done' sh "$D"
	until_ok test -e "$D/held"
}
let_go() { : >"$D/go"; ended holder 0; }

@test "a program runs under the lock, its output and status are its own" {
	run -0 ipcway lock "$D/l" -- echo hello
	[ "$output" = hello ]
	[ -e "$D/l" ]
	run -7 ipcway lock "$D/l" -- sh -c 'exit 7'
	run -0 ipcway lock "lock:$D/l" -c 'echo a; echo b'
	[ "$output" = $'a\nb' ]
	run -0 ipcway lock "$D/l" -O kind=ofd -- cat <<<in
	[ "$output" = in ]
}

@test "not got in time: 124 or the status chosen" {
	hold "$IPCWAY" lock "$D/l" --
	run -124 ipcway lock "$D/l" --try -- touch "$D/ran"
	is_in "is taken" "$output"
	run -124 ipcway lock "$D/l" --timeout 50ms -- touch "$D/ran"
	run -124 ipcway lock -n "$D/l" -- touch "$D/ran"
	run -3 ipcway lock -E 3 -w 0.05 "$D/l" -- touch "$D/ran"
	[ -z "$output" ]
	run -0 ipcway lock -n -E 0 "$D/l" -- touch "$D/ran"
	[ ! -e "$D/ran" ]
	let_go
	run -0 ipcway lock "$D/l" --try -- true
}

@test "who waits gets it when the holder has ended" {
	hold "$IPCWAY" lock "$D/l" --
	start waiter "$IPCWAY" lock "$D/l" -- sh -c "[ -e '$D/go' ]"
	let_go
	ended waiter 0
}

@test "shared together, exclusive alone" {
	hold "$IPCWAY" lock -s "$D/l" --
	run -0 ipcway lock --shared --try "$D/l" -- true
	run -124 ipcway lock -x --try "$D/l" -- true
	let_go
	run -125 ipcway lock -s -x "$D/l" -- true
	run -125 ipcway lock -s "lock:$D/l?permits=2" -- true
	is_in "no shared mode" "$output"
}

@test "flock(1) excludes it and is excluded by it" {
	command -v flock >/dev/null || skip "no flock(1)"
	hold "$IPCWAY" lock "$D/l" --
	run -1 flock -n "$D/l" true
	let_go
	run -0 flock -n "$D/l" true
	rm "$D/go" "$D/held"
	hold flock "$D/l"
	run -124 ipcway lock -n "$D/l" -- true
	run -124 ipcway lock -n "$D/l" -O kind=flock -- true
	run -0 --separate-stderr ipcway lock -n "$D/l" -O kind=ofd -- echo passed
	[ "$output" = passed ]
	is_in "holds a lock of another kind (flock)" "$stderr"
	is_in "kind=any" "$stderr"
	let_go
}

@test "a kind that sees all others warns of none" {
	run -0 --separate-stderr ipcway lock "$D/l" -- true
	[ -z "$stderr" ]
	hold "$IPCWAY" lock "$D/l" -O kind=ofd --
	run -0 --separate-stderr ipcway lock -n "$D/l" -O kind=flock -- true
	is_in "(fcntl)" "$stderr"
	run -124 --separate-stderr ipcway lock -n "$D/l" -O kind=posix -- true
	let_go
}

@test "the words of flock(1)" {
	run -0 ipcway lock -e -o "$D/l" -c 'echo hi'
	[ "$output" = hi ]
	run -0 --separate-stderr ipcway lock -xn --verbose "$D/l" -- echo hi
	[ "$output" = hi ]
	is_in "got the lock after 0." "$stderr"
	hold "$IPCWAY" lock "$D/l" --
	run -3 ipcway lock -nE3 "$D/l" -- true
	run -4 ipcway lock --nonblock --conflict-exit-code=4 "$D/l" -- true
	run -124 ipcway lock --wait 0.02 "$D/l" -- true
	let_go
}

@test "--trace says how the file is opened, and what of it is locked" {
	run -0 ipcway lock "lock:$D/l?kind=ofd&range=10-19" --trace -- true
	is_in "open(\"$D/l\", O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW, 0600) = " "$output"
	is_in "F_OFD_SETLK, F_WRLCK bytes 10-19) = 0" "$output"
	run -0 ipcway lock "$D/l" -O kind=ofd --trace -- true
	is_in "open(\"$D/l\", O_RDWR|O_NONBLOCK|O_NOFOLLOW) = " "$output"
	is_in "F_WRLCK bytes 0-) = 0" "$output"
}

@test "a directory, by flock" {
	mkdir "$D/dir"
	run -0 ipcway lock "$D/dir" -- echo hello
	[ "$output" = hello ]
	run -125 ipcway lock "$D/dir" -O kind=ofd -- true
	is_in "kind=flock" "$output"
}

@test "so many at once, on a file or a semaphore" {
	local s=sem:$SEM
	hold "$IPCWAY" lock "lock:$D/l?permits=2" --
	run -0 ipcway lock -n "lock:$D/l?permits=2" -- true
	run -9 ipcway lock -n "lock:$D/l?permits=2" -- "$IPCWAY" lock -n "lock:$D/l" -O permits=2 -E 9 -- true
	let_go
	run -0 ipcway lock "$s" -- ipcway sem value "$s"
	[ "$output" = 0 ]
	run -0 ipcway sem value "$s"
	[ "$output" = 1 ]
	run -0 ipcway sem remove "$s"
}

@test "125, 126, 127, 128+n" {
	run -125 ipcway lock
	run -125 ipcway lock "$D/l"
	run -125 ipcway lock "$D/l" true
	run -125 ipcway lock "$D/l" --nonsense -- true
	run -125 ipcway lock "$D/l" -E 256 -- true
	run -125 ipcway lock "fifo:$D/f" -- true
	is_in "lock:, sem:" "$output"
	run -125 ipcway lock "$D/no/such/folder" -- true
	is_in "mkdir -p" "$output"
	run -127 ipcway lock "$D/l" -- /nowhere/at-all
	is_in "/nowhere/at-all" "$output"
	: >"$D/plain"
	run -126 ipcway lock "$D/l" -- "$D/plain"
	run -143 ipcway lock "$D/l" -c 'kill -TERM $$'
	run -0 ipcway lock -n "$D/l" -- true
}

@test "a signal is passed on, and the lock is free when the program has ended" {
	start l env --default-signal=TERM "$IPCWAY" lock "$D/l" -- sh -c 'trap "echo told; exit 5" TERM; echo >"$1/held"; while :; do sleep 0.02; done' sh "$D"
	until_ok test -e "$D/held"
	kill -TERM "${job[l]}"
	ended l 5
	[ "$(cat "$D/l.out")" = told ]
	run -0 ipcway lock -n "$D/l" -- true
}

@test "a signal ends who waits" {
	hold "$IPCWAY" lock "$D/l" --
	start w env --default-signal=TERM IPCWAY_TTY=1 "$IPCWAY" lock "$D/l" -- touch "$D/ran"
	until_ok grep -q "waiting for a turn" "$D/w.err"
	kill -TERM "${job[w]}"
	ended w 143
	let_go
	[ ! -e "$D/ran" ]
}

@test "kill -9 of ipcway: the lock is free, and the program is gone" {
	start l "$IPCWAY" lock "$D/l" -- sh -c 'echo $$ >"$1/held"; while :; do sleep 0.02; done' sh "$D"
	until_ok test -s "$D/held"
	kill -KILL "${job[l]}"
	until_ok gone "$(cat "$D/held")"
	run -0 ipcway lock -w 5 "$D/l" -- true
}

@test "nothing of ours is left open in the program" {
	bare=$(bash -c 'ls /proc/self/fd | wc -l')
	run -0 ipcway lock "$D/l" -c 'ls /proc/self/fd | wc -l'
	[ "$output" = "$bare" ]
}

@test "who watches is told what it waits for" {
	hold "$IPCWAY" lock "$D/l" --
	start w env IPCWAY_TTY=1 "$IPCWAY" lock "$D/l" -- true
	until_ok grep -q "waiting for a turn at lock:$D/l" "$D/w.err"
	let_go
	ended w 0
}

@test "nothing is lost when many count at once" {
	echo 0 >"$D/n"
	for i in 1 2 3 4; do
		start "c$i" sh -c 'for i in 1 2 3 4 5; do "$1" lock "$2/l" -c "read n <$2/n; echo \$((n + 1)) >$2/n"; done' sh "$IPCWAY" "$D"
	done
	for i in 1 2 3 4; do ended "c$i" 0; done
	[ "$(cat "$D/n")" = 20 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
bats_require_minimum_version 1.5.0

setup_file() { export PATH="$(dirname "${IPCWAY:-$BATS_TEST_DIRNAME/../../build/tool/ipcway}"):$PATH"; }

@test "create, value, wait, post, remove" {
	for s in "$SEM" "$SET"; do
		run -0 ipcway sem create "$s" --value 2
		[ -z "$output" ]
		run -1 ipcway sem create "$s"
		is_in "exists" "$output"
		run -0 ipcway sem create -f "$s"
		run -0 ipcway sem wait "$s"
		run -0 ipcway sem wait "$s" --timeout 1s
		run -0 ipcway sem value "$s"
		[ "$output" = 0 ]
		run -124 ipcway sem wait "$s" --try
		is_in "no permit is free" "$output"
		run -124 ipcway sem wait "$s" --timeout 20ms
		run -9 ipcway sem wait "$s" --try -E 9
		[ -z "$output" ]
		run -0 ipcway sem post "$s" --count 3
		run -0 ipcway sem value "$s"
		[ "$output" = 3 ]
		run -0 ipcway sem remove "$s"
		run -1 ipcway sem remove "$s"
		is_in "no such semaphore" "$output"
		run -0 ipcway sem remove -f "$s"
		run -1 ipcway sem value "$s"
		is_in "sem create" "$output"
	done
}

@test "one process tells another to go on" {
	run -0 ipcway sem create "$SEM" --value 0
	start waiter sh -c '"$1" sem wait "$2" && [ -e "$3/told" ]' sh "$IPCWAY" "$SEM" "$D"
	: >"$D/told"
	run -0 ipcway sem post "$SEM"
	ended waiter 0
}

@test "value as JSON" {
	run -0 ipcway sem create "$SEM" --value 5
	run -0 ipcway sem value "$SEM" --json
	is_in '"value": 5' "$output"
	is_in "\"address\": \"sem:$SEM\"" "$output"
	is_in '"freed": false' "$output"
	"$JSON_CHECK" <<<"$output" || [ $? = 127 ]
}

@test "run: at most so many at once, made if need be, given back at the end" {
	for s in "$SEM" "$SET" "lock:$D/l"; do
		rm -f "$D"/in.* "$D/over"
		for i in 1 2 3 4 5; do
			start "r$i" "$IPCWAY" sem run "$s" --value 2 -- sh -c 'echo >"$1/in.$$"; [ "$(ls "$1" | grep -c "^in\.")" -le 2 ] || echo >"$1/over"; sleep 0.05; rm "$1/in.$$"' sh "$D"
		done
		for i in 1 2 3 4 5; do ended "r$i" 0; done
		[ ! -e "$D/over" ]
	done
	run -0 ipcway sem value "$SEM"
	[ "$output" = 2 ]
	run -0 ipcway sem value "$SET"
	[ "$output" = 2 ]
}

@test "run: the permit comes back however the program ends" {
	run -143 ipcway sem run "$SEM" -- sh -c 'kill -TERM $$'
	run -137 ipcway sem run "$SEM" -- sh -c 'kill -KILL $$'
	run -3 ipcway sem run "$SEM" -- sh -c 'exit 3'
	run -127 ipcway sem run "$SEM" -- /nowhere/at-all
	run -0 ipcway sem value "$SEM"
	[ "$output" = 1 ]
	run -124 ipcway sem run "$SEM" -- "$IPCWAY" sem run "$SEM" --try -- true
}

@test "run: ipcway is killed: the kernel gives back what has an owner" {
	start r "$IPCWAY" sem run "$SET" -- sh -c 'echo $$ >"$1/held"; while :; do sleep 0.02; done' sh "$D"
	until_ok test -s "$D/held"
	run -0 ipcway sem value "$SET"
	[ "$output" = 0 ]
	kill -KILL "${job[r]}"
	until_ok gone "$(cat "$D/held")"
	run -0 ipcway sem run "$SET" -w 5 -- true
}

@test "a signal ends who waits for a semaphore, and takes no permit along" {
	run -0 ipcway sem create "$SEM" --value 0
	start w env --default-signal=TERM IPCWAY_TTY=1 "$IPCWAY" sem run "$SEM" -- touch "$D/ran"
	until_ok grep -q "waiting for a turn" "$D/w.err"
	kill -TERM "${job[w]}"
	ended w 143
	run -0 ipcway sem post "$SEM"
	run -0 ipcway sem wait --try "$SEM"
	[ ! -e "$D/ran" ]
}

@test "what would be undone at once is refused" {
	run -0 ipcway sem create "$SET"
	run -2 ipcway sem wait "$SET?undo=1"
	is_in "sem run" "$output"
	run -2 ipcway sem post "$SET" -O undo=1
	run -2 ipcway sem wait "lock:$D/l"
	is_in "ipcway lock" "$output"
}

@test "wrong usage" {
	run -2 ipcway sem
	run -2 ipcway sem pass "$SEM"
	run -2 ipcway sem wait
	run -2 ipcway sem wait "$SEM" -- true
	run -2 ipcway sem wait jobs
	is_in "slash" "$output"
	run -2 ipcway sem create "$SEM" --value 2147483648
	run -2 ipcway sem create "fifo:$D/f"
	run -125 ipcway sem run "$SEM"
	run -125 ipcway sem run "$SEM" --nonsense -- true
	run -125 ipcway sem run fifo:/x -- true
}

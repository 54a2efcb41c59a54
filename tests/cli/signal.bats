#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway signal; and signals, processes and ticks by recv.
load helper
bats_require_minimum_version 1.5.0

# Starts `signal wait` and comes back when it can receive.
waits() {
	start w "$IPCWAY" signal wait "$@"
	until_ok grep -q waits "$D/w.err"
	W=${job[w]}
}

@test "wait: which, from whom, with what value; from ours and from kill" {
	waits USR1 USR2 RTMIN+1 -n 4
	is_in "process $W waits for USR1,USR2,RTMIN+1; Ctrl-C ends" "$(cat "$D/w.err")"
	run -0 ipcway signal send "$W" RTMIN+1 42
	[ -z "$output" ]
	until_ok grep -q 42 "$D/w.out"
	run -0 ipcway signal send "$W" SIGRTMIN+1 -- -5
	until_ok grep -q -- -5 "$D/w.out"
	run -0 ipcway signal send "$W" usr1
	until_ok grep -q USR1 "$D/w.out"
	kill -USR2 "$W"
	ended w 0
	[[ $(sed -n 1p "$D/w.out") =~ ^RTMIN\+1\ from\ process\ [0-9]+\ \(user\ $(id -u)\)\ as\ it\ says,\ value\ 42$ ]]
	[[ $(sed -n 3p "$D/w.out") =~ ^USR1\ from\ process\ [0-9]+\ \(user\ $(id -u)\)$ ]]
	[[ $(sed -n 4p "$D/w.out") =~ ^USR2\ from\ process\ [0-9]+\ \(user\ $(id -u)\)$ ]]
}

@test "many with values arrive once and in order" {
	waits RTMIN+2 -n 300 --json
	seq 300 | xargs -I{} "$IPCWAY" signal send "$W" RTMIN+2 {}
	ended w 0
	[ "$("$JSON_CHECK" -l <"$D/w.out")" = 300 ]
	[ "$(sed 's/.*"value"://;s/}//' "$D/w.out")" = "$(seq 300)" ]
	[ "$(sed -n 7p "$D/w.out" | "$JSON_CHECK" signal)" = RTMIN+2 ]
	[ "$(sed -n 7p "$D/w.out" | "$JSON_CHECK" proven)" = false ]
}

@test "wait says how to end it, also when it receives Ctrl-C" {
	waits INT TERM
	is_in "ipcway signal send $W HUP" "$(cat "$D/w.err")"
	kill -INT "$W"
	until_ok grep -q INT "$D/w.out"
	(($(sed -n 's/^SigIgn:\s*/0x/p' "/proc/$W/status") & 1)) && skip "under nohup(1) HUP ends nobody"
	ipcway signal send "$W" HUP
	ended w 129
}

@test "wait: a time, and what nobody can receive" {
	run -124 ipcway signal wait USR1 --timeout 50ms
	run -1 ipcway signal wait KILL
	is_in "no process can" "$output"
	run -1 ipcway signal wait USR1 SEGV
	is_in "sigaltstack" "$output"
	run -2 ipcway signal wait
	run -2 ipcway signal wait USR3
	is_in "did you mean USR" "$output"
	run -2 ipcway signal wait USR1 -n 0
}

@test "SIGCHLD inherited as ignored does not matter" {
	start w bash -c 'trap "" CHLD; exec "$0" signal wait CHLD -n 1' "$IPCWAY"
	until_ok grep -q waits "$D/w.err"
	kill -CHLD "${job[w]}"
	ended w 0
	is_in "CHLD from process" "$(cat "$D/w.out")"
}

state() { [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat")" = "$2" ]; }

@test "send: stop, go on, end; a process that is not there" {
	start s sleep 100
	run -0 ipcway signal send "${job[s]}" STOP
	until_ok state "${job[s]}" T
	run -0 ipcway signal send "${job[s]}" CONT
	until_ok state "${job[s]}" S
	run -0 ipcway signal send "${job[s]}" 0
	run -0 ipcway signal send "${job[s]}" 15
	ended s 143
	run -1 ipcway signal send 2147483647 TERM
	is_in "no such process" "$output"
	run -2 ipcway signal send -- 1
	run -2 ipcway signal send x TERM
	run -2 ipcway signal send 1 RTMIN+1 many
	is_in "many" "$output"
	run -2 ipcway signal snd 1 TERM
	is_in "did you mean send" "$output"
	run -2 ipcway signal
}

@test "send: the limit of pending signals has a name" {
	waits USR1
	run -124 bash -c 'ulimit -i 0; exec "$0" signal send $$ RTMIN+1 1' "$IPCWAY"
	is_in RLIMIT_SIGPENDING "$output"
}

@test "list: all, as a table and as JSON" {
	run -0 ipcway signal list
	[ "${#lines[@]}" = 33 ]
	is_in "RTMIN+n" "$output"
	while IFS= read -r name; do is_in "$name" "$output"; done < <(kill -l | grep -o 'SIG[A-Z0-9]*' | sed 's/SIG//;s/^IO$/POLL/' | grep -v '^RT')
	[[ $(grep -w KILL <<<"$output") == *no* ]]
	run -0 ipcway signal list --json
	[ "$("$JSON_CHECK" signals 8 name <<<"$output")" = KILL ]
	[ "$("$JSON_CHECK" signals 8 catchable <<<"$output")" = false ]
	[ "$("$JSON_CHECK" signals 31 pending <<<"$output")" = queued ]
}

@test "list SIG: what to do, and a fault that is really caught" {
	for name in $(kill -l | grep -o 'SIG[A-Z0-9]*' | sed 's/SIG//' | grep -v '^RT') RTMIN+3; do run -0 ipcway signal list "$name"; done
	for name in SEGV BUS FPE ILL TRAP SYS; do
		run -0 ipcway signal list $name
		is_in "sigaltstack(&other, NULL)" "$output"
		is_in "caught: nothing can be repaired" "$output"
		is_in "the child was killed by $name" "$output"
		[[ $output != *"show "* ]]
	done
	run -0 ipcway signal list 9
	is_in "KILL, number 9" "$output"
	run -2 ipcway signal list NONE
	run -2 ipcway signal list TERM INT
}

@test "recv: ticks, processes and signals read as text, JSON or bytes" {
	run -0 --separate-stderr ipcway recv timer:10ms -n 2 --format json # those that came too late are told on stderr
	[ "$("$JSON_CHECK" -l <<<"$output")" = 2 ]
	[ "$(ipcway recv 'timer:1ms?once=1' --format raw | wc -c)" = 28 ]
	start s sleep 100
	start r "$IPCWAY" recv "child:${job[s]}"
	until_ok bash -c 'ls -l /proc/$0/fd | grep -q pidfd' "${job[r]}"
	kill "${job[s]}"
	ended r 0
	is_in "process ${job[s]} ended; how, only its parent was told" "$(cat "$D/r.out")"
	run -1 ipcway send "signal:$$" TERM
	is_in "ipcway signal send $$" "$output"
}

@test "programs that the command starts have the mask from before" {
	start r "$IPCWAY" recv signal:USR1,RTMIN+1 -n 1 --exec 'grep SigBlk /proc/self/status'
	until_ok bash -c 'ls -l /proc/$0/fd | grep -q signalfd' "${job[r]}"
	is_in 0000000400000200 "$(grep SigBlk "/proc/${job[r]}/status")"
	kill -USR1 "${job[r]}"
	ended r 0
	is_in "$(awk '/^SigBlk/ { print $2 }' /proc/self/status)" "$(cat "$D/r.out")"
}

@test "programs that other commands start have mask and dispositions from before, too" {
	# of the signals 1 to 28; glibc's posix_spawn(3) ignores its own, 32 and 33
	show='sed -n "s/^\(Sig[BIC][lg][knt]\).*\(.......\)$/\1 \2/p" /proc/self/status >"$0"'
	for before in : 'trap "" PIPE USR2'; do
		bash -c "$before"'; sh -c "$1" "$2"' - "$show" "$D/bare"
		for words in "lock $D/l" "sem run lock:$D/l" "sem run $SEM" "run pipe:"; do
			bash -c "$before"'; show=$1 out=$2; shift 2; "$@" -- sh -c "$show" "$out" $([[ $* != *run\ pipe* ]] || echo -- true)' - "$show" "$D/started" "$IPCWAY" $words
			cmp "$D/bare" "$D/started"
			rm "$D/started"
		done
		start bare bash -c "$before"'; sh -c "$1" "$2"' - "$show" "$D/bare" # a shell has other dispositions in its background
		ended bare 0
		start s bash -c "$before"'; exec "$@"' - "$IPCWAY" serve "$SOCKET" -n 1 -- sh -c "read -r line; $show" "$D/started" # it stays until the message has come
		run -0 ipcway wait "$SOCKET" --timeout 60s
		ipcway send "$SOCKET" hello
		ended s 0
		cmp "$D/bare" "$D/started"
		rm "$D/started"
	done
}

@test "SIGCHLD inherited as ignored: statuses are seen all the same" {
	for words in "lock $D/l --" "sem run $SEM --" "run pipe: -- true --"; do
		run -3 bash -c 'trap "" CHLD; exec "$0" "$@" sh -c "exit 3"' "$IPCWAY" $words
	done
	run -1 --separate-stderr bash -c 'trap "" CHLD; exec "$0" recv timer:1ms -n 2 --exec "echo ran; exit 3"' "$IPCWAY"
	[ "$output" = $'ran\nran' ]
	start s bash -c 'trap "" CHLD; exec "$0" serve "$1" -n 1 -- sh -c "read line; exit 3"' "$IPCWAY" "$SOCKET"
	run -0 ipcway wait "$SOCKET" --timeout 60s
	ipcway send "$SOCKET" hello
	ended s 0
	is_in "status 3" "$(cat "$D/s.err")"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ipcway snapshot and diff: what is new, has grown, is newly blocked or has gone, by what is the same to the kernel; what a command leaves; files that are none.
load helper
bats_require_minimum_version 1.5.0

# The row of the table that says this change of that thing.
row() { awk -v change="$1" -v what="$2 " '$1 == change { line = $0; sub(/^[a-z]+ +/, "", line); if (index(line " ", what) == 1) { print; found = 1 } } END { exit !found }' <<<"$output"; }
is_row() { row "$@" >/dev/null || { echo "no row: $*"; echo "$output"; return 1; }; }

@test "snapshot: for its owner alone, whole, and of one version" {
	touch "$D/p"
	chmod 644 "$D/p"
	run -0 --separate-stderr ipcway snapshot "$D/p"
	[ "$(stat -c %a "$D/p")" = 600 ]
	[ "$("$JSON_CHECK" -l <"$D/p")" = "$(wc -l <"$D/p")" ]
	[[ $(head -n 1 "$D/p") == '{"ipcway":"snapshot","version":1,'* ]]
	[[ $(tail -n 1 "$D/p") == "{\"line\":\"end\",\"lines\":$(($(wc -l <"$D/p") - 2))}" ]]
	ipcway snapshot 2>/dev/null >"$D/q"
	run -1 --separate-stderr ipcway diff "$D/p" "$D/q" --fail-on new,grown,blocked,gone || true
	run -0 --separate-stderr ipcway diff "$D/p" "$D/p"
	[ "$output" = "no difference" ]
	run -2 ipcway snapshot a b
	run -1 ipcway snapshot "$D/none/p"
}

@test "diff: new, grown, gone, and whose they are" {
	ipcway send "$QUEUE" one
	mkfifo "$D/old" "$D/new"
	start o sleep 60 5<>"$D/old"
	until_ok test -e "/proc/${job[o]}/fd/5"
	ipcway snapshot "$D/p" 2>/dev/null
	ipcway send "$QUEUE" two
	ipcway sem create "sem:$SEM" --value 3
	start n sleep 60 5<>"$D/new"
	until_ok test -e "/proc/${job[n]}/fd/5"
	kill "${job[o]}"
	wait "${job[o]}" || true
	run -1 --separate-stderr ipcway diff "$D/p"
	is_row grown "mq+sysv:0x$(printf %x "$KEY")"
	is_in "messages 1 to 2, bytes 3 to 6" "$output"
	is_row new "sem:$SEM"
	is_row new "${job[n]} (sleep)"
	is_row new "fifo:$D/new"
	is_in "${job[n]}(sleep)" "$(row new "fifo:$D/new")"
	is_row gone "${job[o]} (sleep)"
	is_row gone "fifo:$D/old"
	[[ ${lines[-1]} == "new: "*semaphore*"grown: "*"gone: "* ]]
	run -1 --separate-stderr ipcway diff "$D/p" --fail-on new,grown
	run -0 --separate-stderr ipcway diff "$D/p" --fail-on none
	run -2 ipcway diff "$D/p" --fail-on old
	is_in 'there is no change "old"' "$output"
	ipcway diff "$D/p" --json 2>/dev/null >"$D/json" || [ $? = 1 ]
	is_in "\"address\": \"sem:$SEM\"" "$(cat "$D/json")"
}

@test "diff: who is newly blocked, and for what" {
	mkfifo "$D/f" "$D/go"
	exec 7<>"$D/f" 8<>"$D/go"
	start b bash -c 'read -r go <"$1"; read -r line <"$2"' - "$D/go" "$D/f"
	waits() { ipcway why "${job[b]}" 2>/dev/null | grep -qF "$1"; }
	until_ok waits "$D/go"
	ipcway snapshot "$D/p" 2>/dev/null
	echo go >&8
	until_ok waits "$D/f"
	run -1 --separate-stderr ipcway diff "$D/p" --fail-on blocked
	is_row blocked "${job[b]} (bash)"
	is_in "waits in read(2) on descriptor 0, FIFO $D/f" "$(row blocked "${job[b]} (bash)")"
	exec 7>&- 8>&-
}

@test "diff: what was removed and made anew under its name is another one" {
	ipcway sem create "$SET" --value 1
	ipcway snapshot "$D/p" 2>/dev/null
	ipcway remove "$SET"
	ipcway sem create "$SET" --value 1
	run -1 --separate-stderr ipcway diff "$D/p"
	is_row gone "sem+sysv:0x$(printf %x "$KEY")"
	is_row new "sem+sysv:0x$(printf %x "$KEY")"
}

@test "diff: after the machine was started anew nothing is the same" {
	ipcway sem create "sem:$SEM"
	ipcway snapshot "$D/p" 2>/dev/null
	sed '1s/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' "$D/p" >"$D/other"
	run -1 ipcway diff "$D/other" "$D/p"
	is_in "the machine was started anew between the two pictures" "$output"
	is_row new "sem:$SEM"
	is_row gone "sem:$SEM"
}

# Others of this user may leave things behind in the same moment, which would be taken for the command's.
needs_namespaces() { [ "$(id -u)" = 0 ] && unshare -minpf --mount-proc true 2>/dev/null || skip "takes root, and namespaces that may be made"; }
apart() {
	IPCWAY=$IPCWAY D=$D timeout -k 1 60 unshare -minpf --kill-child --mount-proc bash -eu -c '
		mount -t tmpfs -o mode=1777 shm /dev/shm
		status() { local s=0; "$@" >"$D/out" 2>/dev/null || s=$?; echo "status $s: $(tail -n 1 "$D/out")"; }
		'"$1" 3>&-
}

@test "diff: what a command leaves, and its status" {
	needs_namespaces
	run -0 apart '
		status "$IPCWAY" diff -- true
		status "$IPCWAY" diff -- sh -c "exit 7"
		status "$IPCWAY" diff -- "$D/none"
		status "$IPCWAY" diff -- sh -c "\"$IPCWAY\" sem create sem:/a; \"$IPCWAY\" segment create /b --size 4K; sleep 60 >/dev/null 2>&1 & exit 0"
		cat "$D/out"
		status "$IPCWAY" diff --fail-on none -- "$IPCWAY" send mq+sysv:0x51 one
		status "$IPCWAY" diff -- "$IPCWAY" send mq+sysv:0x51 two
		status "$IPCWAY" diff -- "$IPCWAY" recv mq+sysv:0x51 -n 2
		status "$IPCWAY" diff --json -- true'
	echo "$output"
	[ "${lines[0]}" = "status 0: true left nothing behind" ]
	[ "${lines[1]}" = "status 7: sh left nothing behind" ]
	[ "${lines[2]}" = "status 127: none left nothing behind" ]
	[ "${lines[3]}" = "status 1: sh left 1 process, 1 shared memory object, 1 semaphore" ]
	is_row new sem:/a
	is_row new shm:/b
	[[ $output =~ new\ +[0-9]+\ \((sh|sleep)\) ]] # it may not yet have become what it will be
	is_in "status 0: ipcway left 1 System V queue" "$output"
	is_in "status 1: ipcway left nothing behind; grown: 1 System V queue" "$output"
	[ "${lines[-2]}" = "status 0: ipcway left nothing behind" ]
	[ "${lines[-1]}" = 'status 0: {"sum": {"new": {}, "grown": {}, "blocked": {}, "gone": {}}}' ]
	run -125 ipcway diff a -- true
	run -125 ipcway diff --
}

@test "diff: what others do meanwhile is not the command's" {
	needs_namespaces
	run -0 apart '
		mkfifo "$D/go" "$D/done"
		bash -c "read -r go <\"$D/go\"; sleep 60 & echo done >\"$D/done\"; wait" &
		status "$IPCWAY" diff -- bash -c "echo go >\"$D/go\"; read -r done <\"$D/done\""'
	[ "$output" = "status 0: bash left nothing behind" ]
}

@test "diff: what is no picture, or not a whole one" {
	ipcway snapshot "$D/p" 2>/dev/null
	refused() { run -2 ipcway diff "$D/bad" "$D/p"; is_in "$1" "$output"; }
	: >"$D/bad"
	refused "it ends after 0 lines"
	echo nonsense >"$D/bad"
	refused "line 1: not JSON"
	echo '{}' >"$D/bad"
	refused "this is no picture"
	echo '{"ipcway":"snapshot","version":2}' >"$D/bad"
	refused "a picture of version 2; this ipcway reads version 1"
	head -n -1 "$D/p" >"$D/bad"
	refused "without the last one"
	sed 2d "$D/p" >"$D/bad"
	refused "some are missing"
	sed '2{p}' "$D/p" >"$D/bad"
	refused "is there twice"
	sed '2s/"kind":/"kine":/' "$D/p" >"$D/bad"
	refused "line 2: a line lacks"
	head -c -3 "$D/p" >"$D/bad"
	refused "not written to its end"
	run -2 ipcway diff "$D/none" "$D/p"
	is_in "No such file" "$output"
	run -2 ipcway diff
}

@test "diff: what a file says is no command for the screen" {
	printf '%s\n' '{"ipcway":"snapshot","version":1,"taken":1,"boot":"x"}' >"$D/empty"
	cp "$D/empty" "$D/full"
	printf '%s\n' '{"line":"object","id":"a","kind":"pipe","address":"pipe:\u001b[2J\u009b","users":[{"pid":5,"process":"\u001b]0;x","how":["reads"],"fd":1}]}' '{"line":"end","lines":1}' >>"$D/full"
	echo '{"line":"end","lines":0}' >>"$D/empty"
	run -1 --separate-stderr ipcway diff "$D/empty" "$D/full"
	is_in "pipe:?[2J" "$output"
	! grep -q "$(printf '\033')" <<<"$output"
	is_in "new: 1 pipe" "$output"
}

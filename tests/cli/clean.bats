# SPDX-License-Identifier: MIT
# What is left over: judged, shown, and taken away only when it is named here, for other tests leave things behind, too.
load helper

setup_file() { export XDG_STATE_HOME=$BATS_FILE_TMPDIR; }
teardown() { rm -f "/dev/shm$SEM" "/dev/shm/sem.${SEM#/}"; ipcrm -M "$KEY" 2>/dev/null || true; }

@test "what somebody has open is busy, and stays" {
	truncate -s 4096 "/dev/shm$SEM"
	exec 5<"/dev/shm$SEM"
	run ipcway clean "shm:$SEM"
	[ "$status" = 0 ]
	[[ $output == *busy*"has it open"* ]]
	run ipcway clean --apply "shm:$SEM"
	exec 5<&-
	[ "$status" = 1 ]
	[ -e "/dev/shm$SEM" ]
}

@test "what nobody has open goes if it is named, and is written down" {
	truncate -s 4096 "/dev/shm$SEM"
	run ipcway clean "shm:$SEM"
	[ "$status" = 1 ]
	[[ $output == *unused*"who made it is not known"* ]]
	[ -e "/dev/shm$SEM" ]
	run ipcway clean --apply "shm:$SEM"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *removed* ]]
	[ ! -e "/dev/shm$SEM" ]
	grep -q "\"address\":\"shm:$SEM\".*\"verdict\":\"unused\".*\"removed\":[0-9]" "$XDG_STATE_HOME/ipcway/removed"
}

@test "a ring whose users were killed is an orphan" {
	start receiver "$IPCWAY" recv "shm:$SEM" -n 1
	until_ok test -e "/dev/shm$SEM"
	until_ok ipcway describe "shm:$SEM"
	until_ok sh -c "\"$IPCWAY\" describe 'shm:$SEM' | grep -q ' $(printf %s "${job[receiver]}") '"
	kill -KILL "${job[receiver]}"
	wait "${job[receiver]}" || true
	ipcway clean --json "shm:$SEM" >"$D/json" || [ $? = 1 ]
	cat "$D/json"
	[ "$("$JSON_CHECK" verdict <"$D/json")" = orphan ]
	ipcway clean --apply "shm:$SEM"
	[ ! -e "/dev/shm$SEM" ]
}

@test "messages and semaphores go only by their name" {
	ipcway sem create "sem:$SEM" --value 3
	run ipcway clean "sem:$SEM"
	[ "$status" = 1 ]
	[[ $output == *unused*"whose value may mean something"* ]]
	run ipcway clean --apply "sem:$SEM"
	echo "$output"
	[ "$status" = 0 ]
	[ ! -e "/dev/shm/sem.${SEM#/}" ]
}

@test "the file of a dead socket is an orphan, whatever its type was said to be" {
	start listener "$IPCWAY" recv "unix:$D/sock"
	until_ok test -S "$D/sock"
	run ipcway clean "unix:$D/sock"
	[ "$status" = 0 ]
	[[ $output == *busy* ]]
	kill -KILL "${job[listener]}"
	wait "${job[listener]}" || true
	touch -hd "1 hour ago" "$D/sock"
	run ipcway clean "unix+dgram:$D/sock"
	[ "$status" = 1 ]
	[[ $output == *"unix:$D/sock "*orphan*"in any namespace"* ]]
	(cd "$D" && ipcway clean --apply unix:sock)
	[ ! -e "$D/sock" ]
	grep -q "\"address\":\"unix:$D/sock\".*\"verdict\":\"orphan\"" "$XDG_STATE_HOME/ipcway/removed"
}

@test "names are found in the runtime folder, and in /tmp" {
	mkfifo "$D/in"
	mkdir -p "$D/run/below"
	start listener "$IPCWAY" recv "unix:$D/run/below/sock"
	until_ok test -S "$D/run/below/sock"
	kill -KILL "${job[listener]}"
	wait "${job[listener]}" || true
	touch -hd "1 hour ago" "$D/run/below/sock"
	# not over the memory of others, whose leases and opens it would meet
	for way in "" "--user --map-root-user"; do
		export XDG_RUNTIME_DIR=$D/run
		run unshare $way --mount sh -c 'mount -t tmpfs none /dev/shm && exec timeout -k 1 15 "$0" clean' "$IPCWAY"
		[[ $output == *ADDRESS* ]] && break
	done
	[[ $output == *ADDRESS* ]] || skip "no namespaces for this user"
	[[ $output == *"unix:$D/run/below/sock "*orphan* ]]
	[[ $output != *"fifo:$D/in "* ]]
	run ipcway clean "fifo:$D/in"
	[[ $output == *un* ]] # unused, or unknown where others may not be looked into
	[ -p "$D/in" ]
}

@test "a file that is no ring stays, though it is named" {
	echo text >"$D/file"
	run ipcway clean --apply "shm+file:$D/file"
	[ "$status" = 1 ]
	[[ $output == *unknown*"only its owner knows"* ]]
	[ -e "$D/file" ]
}

@test "where nothing can be written down, nothing is removed" {
	truncate -s 10 "/dev/shm$SEM"
	XDG_STATE_HOME=/proc run ipcway clean --apply "shm:$SEM"
	[ "$status" = 2 ]
	[[ $output == *"nothing was removed"* ]]
	[ -e "/dev/shm$SEM" ]
}

@test "what is not there, and what is no address" {
	run ipcway clean "shm:$SEM"
	[ "$status" = 1 ]
	[[ $output == *"no such object"* ]]
	run ipcway clean nonsense
	[ "$status" = 2 ]
}

# SPDX-License-Identifier: MIT
# What all tests of the command share. $IPCWAY is the command, $JSON_CHECK the checker of JSON; every call is bounded, every name is the test's own.

: "${IPCWAY:=$BATS_TEST_DIRNAME/../../build/tool/ipcway}"
: "${JSON_CHECK:=$BATS_TEST_DIRNAME/../../build/tests/cli/json_check}"

ipcway() { timeout -k 1 60 "$IPCWAY" "$@"; }

setup() {
	D=$BATS_TEST_TMPDIR
	FIFO=fifo:$D/fifo
	SOCKET=unix+seqpacket:$D/s
	KEY=0x$(od -An -N4 -tx4 /dev/urandom | tr -d ' ' | sed 's/^0*/1/;s/^\(.\{8\}\).*/\1/')
	QUEUE=mq+sysv:$KEY
	SEM=/ipcway-bats-$$-$BATS_TEST_NUMBER
	SET=sem+sysv:$KEY
	declare -gA job=()
}

# In the background: its process is ${job[NAME]}, its output goes to $D/NAME.out and $D/NAME.err. Nothing of bats' is left open in it.
start() {
	local name=$1
	shift
	[ "$1" != ipcway ] || set -- timeout -k 1 60 "$IPCWAY" "${@:2}" # a function would have a shell around it, which alone would be ended
	"$@" >"$D/$name.out" 2>"$D/$name.err" 3>&- &
	job[$name]=$!
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# It ends, and with this status.
ended() {
	local status=0
	until_ok gone "${job[$1]}" || return 1
	wait "${job[$1]}" || status=$?
	[ $status = "$2" ] || { echo "$1 ended with $status, not $2"; cat "$D/$1.out" "$D/$1.err"; return 1; }
}

# Waits until the command given succeeds; at most as long as nothing takes, on a busy machine either.
until_ok() {
	local end=$((SECONDS + 60))
	while ((SECONDS < end)); do
		"$@" && return 0
		sleep 0.02
	done
	echo "never: $*"
	return 1
}

teardown() {
	local pid
	for pid in "${job[@]}"; do
		kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true # timeout(1) leads a group, and can pass on no SIGKILL
	done
	wait 2>/dev/null || true
	[ -z "${SHORT:-}" ] || rm -rf "$SHORT"
	"$IPCWAY" remove -f "$QUEUE" "sem:$SEM" "shm:$SEM" "$SET" ${RING:+"$RING"} 2>/dev/null || true
}

is_in() { [[ $2 == *"$1"* ]] || { echo "no \"$1\" in: $2"; return 1; }; }

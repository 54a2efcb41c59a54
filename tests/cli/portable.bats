# SPDX-License-Identifier: MIT
# The command in one file: it needs the C library alone, says the same, and works where nothing can be written.
load helper

portable() { timeout -k 1 15 "$PORTABLE" "$@"; }

@test "it needs the C library and nothing else" {
	readelf -d "$PORTABLE" >"$D/needs"
	sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$D/needs" | grep -v -e '^ld-linux' -e '^libm\.so\.6' >"$D/libraries" # libm is the C library's, too
	cat "$D/libraries"
	! readelf -sW "$PORTABLE" | grep -qE '__(asan|tsan|msan)_init' || skip "built with a sanitizer"
	[ "$(cat "$D/libraries")" = libc.so.6 ]
}

@test "its tables are those of the installed command" {
	for words in mechanisms "signal --list" "describe $FIFO" "describe shm:/x" "describe lock:$D/x"; do
		ipcway $words >"$D/one" 2>&1 || true
		portable $words >"$D/other" 2>&1 || true
		[ -s "$D/one" ]
		diff "$D/one" "$D/other"
	done
}

@test "it shows what a terminal must not be sent" {
	mkfifo "$D/a"$'\e'"[31mb"
	portable describe "fifo:$D/a%1B[31mb" >"$D/out" 2>&1 || true
	[ -s "$D/out" ]
	! grep -q $'\e' "$D/out"
}

@test "it works where /dev/shm is full and nothing can be written" {
	unshare -rm true 2>/dev/null || skip "no namespaces for this user"
	mkfifo "$D/f"
	run timeout 15 unshare -rm sh -c '
		mount -t tmpfs -o size=4k none /dev/shm || exit 9
		dd if=/dev/zero of=/dev/shm/all bs=8k count=1 2>/dev/null && exit 9
		cat "$2" & stuck=$!
		trap "kill $stuck" EXIT
		until grep -q "(cat) S" /proc/$stuck/stat; do :; done
		ulimit -f 0
		"$1" why $stuck || exit 1
		"$1" deadlocks
		[ $? -le 1 ] || exit 1
		"$1" mechanisms >/dev/full
		[ $? = 1 ]' sh "$(realpath "$PORTABLE")" "$D/f"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"$D/f"* ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# scripts/need, on machines that have next to nothing: what it says, and that nothing is installed unasked.
load helper
bats_require_minimum_version 1.5.0

need=$BATS_TEST_DIRNAME/../../scripts/need

# A machine with a shell and these programs; its apt-get only notes what it was asked for. Its user has number $1.
machine() {
	mkdir "$D/bin"
	for name in bash env cat grep sed mktemp tail rm; do ln -s "$(command -v $name)" "$D/bin/"; done
	printf '#!%s\necho %s\n' "$(command -v sh)" "$1" >"$D/bin/id"
	printf '#!%s\necho "$@" >>"%s/asked"\n' "$(command -v sh)" "$D" >"$D/bin/apt-get"
	chmod +x "$D/bin/id" "$D/bin/apt-get"
}

@test "without root it prints the one command to run, and does nothing" {
	machine 1000
	run -1 env PATH="$D/bin" "$need" build check
	is_in "Missing: gcc" "$output"
	is_in "sudo sh -c 'apt-get update && apt-get install --no-install-recommends gcc" "$output"
	for package in meson ninja-build libsmartcols-dev libcmocka-dev bats; do is_in " $package" "$output"; done
	[ ! -e "$D/asked" ]
}

@test "make alone never installs, also not as root" {
	machine 0
	run -1 env PATH="$D/bin" "$need" --missing build
	is_in "Run 'make demo', which installs them" "$output"
	[ ! -e "$D/asked" ]
}

@test "as root it says what, then installs it" {
	machine 0
	run -0 env PATH="$D/bin" "$need" build
	[[ $output =~ ^Missing:.*meson.*Installing ]]
	is_in update "$(sed -n 1p "$D/asked")"
	is_in "install -y" "$(tail -n 1 "$D/asked")"
	is_in meson "$(tail -n 1 "$D/asked")"
}

@test "elsewhere than on Debian it names the packages" {
	machine 0
	rm "$D/bin/apt-get"
	run -1 env PATH="$D/bin" "$need" build
	is_in "with your package manager" "$output"
}

@test "where all is there it says nothing" {
	run -0 "$need" --missing build
	[ -z "$output" ]
}

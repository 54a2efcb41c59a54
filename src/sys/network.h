/* SPDX-License-Identifier: MIT */
/* Does an open file lie on another machine? There locks may be lost, appends overwrite each other, and nobody is told of changes. */
#pragma once

/* 1, 0 or -errno; `type` is the number that statfs(2) has for the filesystem. */
int network_file(int fd, unsigned long *type);

/* SPDX-License-Identifier: MIT */
#pragma once

/* From here on every system call of the library is shown on stderr as it is made. */
void trace_start(void);

/* SPDX-License-Identifier: MIT */
/*
 * Is the process that made something certainly gone? A number alone does not tell: it is given again to others. So a process of that number that was started
 * after the thing was made is another one. What cannot be known, as of a maker in another PID namespace, is no proof.
 */
#pragma once

#include <sys/types.h>
#include <time.h>

/* `made`: when it still lived, by the clock on the wall. 1, 0. */
int maker_gone(pid_t pid, time_t made);

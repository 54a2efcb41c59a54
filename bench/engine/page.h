/* SPDX-License-Identifier: MIT */
/* A run as one page that needs nothing from elsewhere: pictures, what stands out, every figure, the machine, and how it was measured. */
#pragma once

#include <stdio.h>

#include "result.h"

void bench_page(FILE *, const struct bench_run *);

/* The page, or its pictures, as files: in a folder that is made if need be, each named by what it shows ("ping-pong-sleeping-other-core.svg"). 0, -errno. */
int bench_page_save(const struct bench_run *, const char *path);
int bench_pictures_save(const struct bench_run *, const char *dir);

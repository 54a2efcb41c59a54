/* SPDX-License-Identifier: MIT */
/* A place for a semaphore in shared memory. */
#pragma once

#include <semaphore.h>

enum place { PLACE_EMPTY, PLACE_MADE, PLACE_OTHER };

/* Zeros, a semaphore for several processes, or something else? A half made one with so many permits is as good as zeros. */
enum place place_look(const sem_t *, int permits);
void place_make(sem_t *, int permits);

/* SPDX-License-Identifier: MIT */
/* The fake mechanism as a program sees it that does not know the library: for plain.c. */
#pragma once

#include <stddef.h>

int fake_plain_open(const char *address); /* joins or creates; -1: cannot */
int fake_plain_send(int end, const void *data, size_t size);
long fake_plain_recv(int end, void *data, size_t room); /* waits */

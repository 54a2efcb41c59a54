/* SPDX-License-Identifier: MIT */
/*
 * Framings that say a message's length before it: `len1` to `len8le`, `netstring`, and what `sp` puts between two programs. Pure functions over bytes. They
 * read a length and judge its form only; what is too long is for the caller to say, before memory is taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LENGTH_HEADER = 21 }; /* bytes of the longest header */

#define LENGTH_SANE ((uint64_t)1 << 40) /* who announces more than this means something else */

struct length {
        const char *word; /* "len4be" */
        uint8_t lead;     /* bytes before the length, each 0x01 */
        uint8_t size;     /* bytes of the length; 0: decimal digits and a colon */
        bool little;      /* the lowest byte first */
        uint8_t tail;     /* bytes behind the payload, each a comma */
};

/* By the option's word. NULL: no such word. */
const struct length *length_named(const char *word);

/* The most that a header can say, within reason. */
uint64_t length_most(const struct length *);

/* Bytes of the header of a message of so many bytes. */
size_t length_header(const struct length *, uint64_t size);

/* Writes the header; returns its bytes. */
size_t length_put(const struct length *, void *to, uint64_t size);

/* Reads one. 1: it is whole; 0: more bytes are needed; -EBADMSG: whatever comes, it is none. */
int length_get(const struct length *, const void *data, size_t have, uint64_t *size, size_t *header);

/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a durable log: what stands at the start of a segment, and before each record. ipcway-log(5) says the same byte by byte, for
 * those who write another reader. Numbers are little-endian.
 *
 * A record's checksum covers its length, its sequence number and its payload, and begins with the log's own random id: bytes of another log, or
 * a copy of a log carried as a payload, are not taken for records of this one.
 *
 * Pure functions over bytes: nothing here trusts a length before it has been compared with what is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOG_HEADER = 64, LOG_RECORD = 16, LOG_VERSION = 1, LOG_MAX = 1 << 30 };

/* What a segment begins with. */
struct log_header {
        uint64_t id;      /* of the log; never 0 */
        uint64_t first;   /* sequence of its first record; never 0 */
        uint64_t missing; /* sequences just before it that no segment has, and that were known to be missing when it was made */
        uint64_t created; /* ns since 1970 */
};

void log_header_put(unsigned char to[LOG_HEADER], const struct log_header *);
/* 0, or -EBADMSG: this is no such header, or one of a version that is not known here. */
int log_header_get(struct log_header *, const void *from, size_t size);

struct log_record {
        uint64_t sequence;
        const char *payload;
        uint32_t size;
        bool seal; /* no record: the segment ends here, and the next begins with this sequence */
};

/* What the checksums of this log begin with. */
uint32_t log_seed(uint64_t id);

/* Writes a record's header in two steps, the payload's checksum in between: begin gives the checksum to go on from, end puts it in. */
uint32_t log_record_begin(unsigned char to[LOG_RECORD], uint32_t seed, uint64_t sequence, size_t size);
void log_record_end(unsigned char to[LOG_RECORD], uint32_t checksum);
void log_seal_put(unsigned char to[LOG_RECORD], uint32_t seed, uint64_t next);

/*
 * The record at the start of `from`, which must have the sequence `expected`. Returns its length, header included; 0: it is not all there, and
 * `*need` says how many bytes it takes; -EBADMSG: what stands there is not that record.
 */
ssize_t log_record_get(struct log_record *, const void *from, size_t have, uint64_t expected, uint32_t seed, size_t *need);

/*
 * Behind damage: where is the next whole record with a sequence from `low` to `high`? Returns its offset; -ENOENT: nowhere; -EBADMSG: these
 * bytes look so much like records that finding out would take too long.
 */
ssize_t log_record_search(const void *from, size_t have, uint64_t low, uint64_t high, uint32_t seed);

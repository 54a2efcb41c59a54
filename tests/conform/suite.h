/* SPDX-License-Identifier: MIT */
/*
 * What a case of the conformance suite is written with.
 *
 * A row is a mechanism with one framing, or with one of its switches turned. A case is a promise of ipcway.h that every row keeps. Rows come
 * from the mechanisms themselves, so a mechanism joins by being registered.
 *
 * Each case runs over an object of its own. It may be skipped only with the capability that this row does not claim.
 */
#pragma once

#include "rows.h"
#include "words.h"

/* One case over one row. Addresses: the same for both, but for anonymous rows. */
struct run {
        const struct row *row;
        const char *dir; /* private, empty */
        char address[400];
        char push[400], pull[400];
        struct ipw_caps bound;       /* what ipw_describe() says that a link can do at most */
        struct ipw_caps sends, gets; /* what a PUSH and a PULL link really can */
};

struct conform_case {
        const char *name;
        void (*run)(struct run *);
};
extern const struct conform_case cases[];
extern const size_t case_count;
extern const struct conform_case event_cases[]; /* instead, for rows whose messages the kernel makes */
extern const size_t event_case_count;
extern const struct conform_case published_cases[]; /* instead, for rows whose messages go to all */
extern const size_t published_case_count;
void event_prepare(struct run *); /* such a row: what its address names is there */

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

/* The text for the last error of this link must name what `word` says; NULL: say anything at all. */
void check_why(struct ipw_link *, int error, const char *word);

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

/* Opens this process's end. `how` is a role and flags; the address is that of the role. */
struct ipw_link *open_end(struct run *, unsigned how);
/* The same with one more option, "until=last". */
struct ipw_link *open_with(struct run *, unsigned how, const char *option);
bool has_option(const struct run *, const char *name, const char *value);
const char *address_of(const struct run *, unsigned how);
/* This process will not open the end of that role. */
void leave_end(struct run *, unsigned role);
void open_both(struct run *, unsigned flags, struct ipw_link **in, struct ipw_link **out);
/* Does this framing begin with a greeting? Then both sides must have a turn before the first message. */
bool greets(const struct run *);
void greet(struct run *, struct ipw_link *in, struct ipw_link *out);
/* Two ends of which each sends and receives. */
void open_pair(struct run *, struct ipw_link **a, struct ipw_link **b);
/* Fresh ends for anonymous rows, a fresh object for the others. */
void renew(struct run *);
void renew_pair(struct run *);
bool offers(const struct run *, unsigned role);
/* On a row that publishes PUSH is PUB, and PULL is SUB: what is promised to one receiver is promised to each of many. */
unsigned how_here(const struct run *, unsigned how);
/* Does who comes late get what was published before? */
bool keeps_all(const struct run *);
/* Opens both ends once to see what they can. Everything is fresh again afterwards. */
void learn(struct run *);

/* ---- messages ----------------------------------------------------------------------------------------------------------------------- */

/* The payload that sender `from` puts into its message number `number`: the same in every process. */
void fill(const struct run *, void *data, size_t size, unsigned from, unsigned number);
void check_filled(const struct run *, const void *data, size_t size, unsigned from, unsigned number);
/* Reads who and which from the first bytes; payloads of at least NAMED bytes carry that. */
enum { NAMED = 12 };
bool read_name(const void *data, size_t size, unsigned *from, unsigned *number);

/* Sends, and takes nothing but success. On bytes without boundaries, receiving means exactly `size` bytes. */
void put(struct run *, struct ipw_link *, size_t size, unsigned from, unsigned number);
void get(struct run *, struct ipw_link *, size_t size, unsigned from, unsigned number);
ssize_t try_put(struct run *, struct ipw_link *, size_t size, unsigned from, unsigned number, int64_t timeout);
/*
 * `result` is what sending message number *count said when there was no room: -EAGAIN. Where a message may take more than one system call its beginning may
 * have found room: -EINPROGRESS, it is accepted and counts. There the kernel may also move things on by itself, so it is filled until nothing moves.
 */
void check_no_room(struct run *, struct ipw_link *out, ssize_t result, size_t size, unsigned from, unsigned *count);
/* Receives messages 0 to count - 1, while the sender's link gets its turn. */
void get_all(struct run *, struct ipw_link *in, struct ipw_link *out, size_t size, unsigned from, unsigned count);
/* Whatever comes, into the process's own large buffer `inbox`. */
ssize_t try_get(struct ipw_link *, int64_t timeout);
extern unsigned char *inbox, *outbox;
enum { BOX = 4 << 20 };

bool is_bytes(const struct run *);
/*
 * Does this row keep a sender from being too fast? What does not drops instead. The suite then sends no faster than is received: put() waits until
 * little of what its sender sent is under way, and whoever receives says so. What a row drops is the business of the case `limits`.
 */
bool pushes_back(const struct run *);
bool fills_up(const struct run *); /* and does a sender wait some time, because nobody receives? */
void pace(const struct run *, size_t size, unsigned from);
void arrived(const struct run *, const void *data, size_t size);
void receiver_opened(void); /* on such a row a sender waits for nobody: the suite waits in its place */
/* A size for message `number`, small and large by turns, of at least NAMED bytes. */
size_t some_size(const struct run *, unsigned number, size_t most);

/* ---- other processes ---------------------------------------------------------------------------------------------------------------- */

/* As step_wait(), and lets this link greet whoever comes meanwhile. */
void step_wait_turning(struct run *, struct ipw_link *in, uint32_t);

/* The program was started as one of its own helpers: does that and returns its exit status, else -1. */
int helper_main(int argc, char **argv);

/* ---- peers that do not know the library (plain.c) ------------------------------------------------------------------------------------- */

/* What a program does that knows only the kernel's own calls. The end is whatever it holds: a descriptor, an id. */
struct plain {
        const char *row;                                /* the row's name, or its scheme if that serves all its rows */
        int (*open)(const struct run *, unsigned role); /* to send: IPW_PUSH, to receive: IPW_PULL */
        int (*ready)(int end);                          /* after the other side has come; NULL: nothing to do */
        void (*send)(int end, const void *data, size_t size);
        size_t (*recv)(int end, void *data, size_t room); /* size: for bytes, read as many as that */
        void (*close)(int end);
        int (*mode)(const struct run *); /* permissions of the object by its own calls; NULL: it has none */
        const char *none;                /* instead of all that: why there is no such program */
};
const struct plain *plain_of(const struct row *);

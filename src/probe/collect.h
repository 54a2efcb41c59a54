/* SPDX-License-Identifier: MIT */
/*
 * How objects are put together. A collector for each kind looks through what was scanned, makes objects, and says of each who uses it and what is known
 * of it. An error is kept in the picture and makes all that follows do nothing, so that collectors are lists of statements.
 */
#pragma once

#include <stdarg.h>

#include "snapshot.h"

enum { NO_OBJECT = UINT32_MAX };

/* The object with this key, made if there is none yet; *fresh: it was, and needs a name. */
uint32_t object_at(struct ipw_probe *, const struct key *, const char *kind, bool *fresh);
uint32_t object_find(const struct ipw_probe *, const struct key *); /* NO_OBJECT: there is none */
struct ipw_probe_object *object_of(struct ipw_probe *, uint32_t);   /* until the next one is made; never NULL */

/* `name` is kept as it is. The address is kind:NAME if it is named, else kind:[INODE]. */
void object_name(struct ipw_probe *, uint32_t, bool named, const char *name);
void object_address(struct ipw_probe *, uint32_t, const char *format, ...) __attribute__((format(printf, 3, 4)));
void object_peer(struct ipw_probe *, uint32_t, uint32_t peer);
void object_user(struct ipw_probe *, uint32_t, pid_t, int fd, unsigned how);

/* A source must be a text that stays. */
void fact_number(struct ipw_probe *, uint32_t, const char *name, const char *source, uint64_t);
void fact_text(struct ipw_probe *, uint32_t, const char *name, const char *source, const char *text);
/* What could not be seen: `error` says whether it had gone or may not be; then `needs` is what it takes. */
void fact_missing(struct ipw_probe *, uint32_t, const char *name, const char *source, int error, const char *needs);
const char *lease_text(const struct ipw_probe *); /* why what may have a lease was not opened */
void gap(struct ipw_probe *, const char *text);   /* NULL: no memory */

/* IPW_RECV and IPW_SEND as IPW_USER_. */
unsigned how_of(const struct hold *);
/* A path as /proc shows it, without what it says of a file that has no name any more. */
const char *bare_path(struct ipw_probe *, const char *path, bool named);

void collect_pipes(struct ipw_probe *);
void collect_unix(struct ipw_probe *);
void collect_inet(struct ipw_probe *);
void collect_queues(struct ipw_probe *);
void collect_sysv(struct ipw_probe *);
void collect_memory(struct ipw_probe *);
void collect_locks(struct ipw_probe *);
void collect_events(struct ipw_probe *);
void collect_signals(struct ipw_probe *);

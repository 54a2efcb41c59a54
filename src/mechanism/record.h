/* SPDX-License-Identifier: MIT */
/*
 * A socket that keeps messages whole: what unix+seqpacket, unix+dgram and udp share. The payload travels plain, so a program that knows only
 * socket, connect and send is a peer.
 *
 * Receiving never truncates. A message that does not fit the caller's room must not be cut, and its size is not known before it is taken; asking first
 * (MSG_PEEK) costs a quarter more. So there is always room behind: a mapping as large as any message can be, whose untouched pages cost
 * nothing. While messages are small and bring nothing but bytes they are taken there and copied, which is cheaper than recvmsg(2); others are taken in
 * one call into {caller, room behind}. What does not fit stays there, in hand, until the caller comes with more room.
 *
 * Descriptors that a peer sends along are taken if the caller has room for them: then the message is looked at before it is taken (see rights.h), and one
 * that does not fit stays with the kernel. Without room for them the kernel drops them.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "link.h"
#include "readiness.h"

enum {
        RECORD_BATCH_SEND = 64,
        RECORD_BATCH_RECV = 16,
        RECORD_UNIX_OVERHEAD = 32,  /* of SO_SNDBUF, a Unix socket keeps so much for itself */
        RECORD_UNIX_MAX = 4 << 20,  /* no larger message is promised; the kernel's own limit is about 4.2 MiB */
        RECORD_UNIX_ROOM = 8 << 20, /* ... so that nothing a peer gets through is larger than this */
};

struct record;

struct record_kind {
        size_t room; /* bytes; no message is larger */
        /* 0 bytes came that nobody vouches for: is it the end? NULL: there is no end, and an empty message is one like any other. */
        bool (*ended)(const struct record *);
        /* May this sender's message be handed out? NULL: everybody's may. Needs credentials. */
        bool (*admits)(struct record *, const struct ipw_sender *);
        /* What the kernel's error for a send means. NULL: what it says. */
        int (*send_failed)(struct record *, int error);
        int (*why)(struct link *, unsigned direction, int error, struct ipw_why *); /* as link_ops.why; NULL: nothing special */
        void (*close)(struct record *, int inherited); /* what the mechanism's own struct holds; NULL: nothing */
};

/* A mechanism's own struct begins with this one; it is freed by the close. */
struct record {
        struct link link;
        const struct record_kind *kind;
        int fd;
        bool credentials; /* each message tells its sender (SO_PASSCRED) */
        bool asked;       /* somebody has wanted descriptors, so those that nobody takes are counted */
        bool overflow;    /* the kernel counts what it drops (SO_RXQ_OVFL); not together with the former */
        size_t usual;     /* size of the last message */
        char *room;       /* `slots` times kind->room; NULL: nothing received yet */
        unsigned slots;
        struct record_facts {
                size_t size;
                struct ipw_sender sender;
                bool told;         /* the kernel named the sender */
                uint32_t overflow; /* messages dropped when this one came, as the kernel counts; 0: it does not say */
        } kept[RECORD_BATCH_RECV]; /* messages in hand: number i lies at slot i of the room */
        unsigned kept_from, kept_to;
        uint32_t overflow_seen; /* of the kernel's count */
        bool overflow_asked;    /* since the last message: nothing can be dropped while nothing is there */
        uint64_t lost;          /* to be told with the next message */
        struct readiness readiness;
        struct ucred peer; /* who is connected, on a socket whose conversation ends */
};

/* Over `fd`, which it owns from now on. What is left for the mechanism: `link.caps`, and what the flags say. */
void record_init(struct record *, const struct record_kind *, int fd);

/* A message that is known to have come and is not handed out. `tell`: the receiver hears of it with the next one. */
void record_drop(struct record *, uint32_t count, bool tell);

/* What the options of a Unix socket make of it: sizes and max_batch of `caps`, and whether messages bring credentials. */
int record_unix_caps(int fd, struct ipw_caps *, bool *credentials);

/* buffer=: the send buffer of a Unix socket, which bounds its messages. */
int record_unix_buffer(int fd, int64_t wanted, const char *scheme, struct ipw_why *);
/* Without buffer= a socket has net.core.wmem_default; with it, twice net.core.wmem_max at most. */
void record_unix_bound(const struct ipw_address *, struct ipw_caps *);

/* SPDX-License-Identifier: MIT */
/* A new mechanism is one file in src/mechanism and its line here. The order is the order of the table that people see. */
#include "registry.h"

extern const struct mechanism mechanism_fd;
extern const struct mechanism mechanism_fifo;
extern const struct mechanism mechanism_mq;
extern const struct mechanism mechanism_mq_sysv;
extern const struct mechanism mechanism_pipe;
extern const struct mechanism mechanism_udp;
extern const struct mechanism mechanism_unix_dgram;
extern const struct mechanism mechanism_tcp;
extern const struct mechanism mechanism_unix_seqpacket;
extern const struct mechanism mechanism_unix_stream;
extern const struct mechanism mechanism_file;
extern const struct mechanism mechanism_log;
extern const struct mechanism mechanism_lock;
extern const struct mechanism mechanism_semaphore_file;
extern const struct mechanism mechanism_semaphore_posix;
extern const struct mechanism mechanism_semaphore_shm;
extern const struct mechanism mechanism_semaphore_sysv;
extern const struct mechanism mechanism_shm_anonymous;
extern const struct mechanism mechanism_shm_file;
extern const struct mechanism mechanism_shm_posix;
extern const struct mechanism mechanism_shm_sysv;
extern const struct mechanism mechanism_signal;
extern const struct mechanism mechanism_child;
extern const struct mechanism mechanism_timer;

/* One line each, so that they join without touching each other. */
/* clang-format off */
const struct mechanism *const registry[] = {
        &mechanism_pipe,
        &mechanism_fifo,
        &mechanism_mq,
        &mechanism_mq_sysv,
        &mechanism_unix_stream,
        &mechanism_unix_seqpacket,
        &mechanism_unix_dgram,
        &mechanism_tcp,
        &mechanism_udp,
        &mechanism_file,
        &mechanism_log,
        &mechanism_shm_posix,
        &mechanism_shm_file,
        &mechanism_shm_sysv,
        &mechanism_shm_anonymous,
        &mechanism_fd,
        &mechanism_signal,
        &mechanism_child,
        &mechanism_timer,
        &mechanism_semaphore_posix,
        &mechanism_semaphore_sysv,
        &mechanism_semaphore_shm,
        &mechanism_semaphore_file,
        &mechanism_lock,
        NULL,
};
/* clang-format on */
const size_t registry_count = sizeof(registry) / sizeof(registry[0]) - 1;

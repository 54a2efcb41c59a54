/* SPDX-License-Identifier: MIT */
/*
 * Every system call the library makes. Each takes a clause of meaning first, then the call's own arguments; each returns what the call returns,
 * or -errno, and never touches the caller's errno otherwise. They add nothing: no retry, no default.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "direct.h"
#include "seam.h"

/* For the calls that carry messages: in place when no hook is set (direct.h), else by their wrapper. */
#define SYS_IN_PLACE(hooked, libc, ...) (__builtin_expect(sys_hook == NULL, 1) ? (ssize_t)SYS_DIRECT(libc, __VA_ARGS__) : (hooked))

/* The same for what is a system call only when it has to wait. */
#define SYS_IN_LIBC(hooked, libc) (__builtin_expect(sys_hook == NULL, 1) ? (__builtin_expect((libc) < 0, 0) ? -errno : 0) : (hooked))

/* memory */
#define sys_alloc(meaning, size)                          sys_alloc_(SYS_SITE("malloc", meaning), size) /* zeroed, or NULL */
#define sys_realloc(meaning, old, size)                   sys_realloc_(SYS_SITE("realloc", meaning), old, size)
#define sys_mmap(meaning, out, size, prot, flags, fd, at) sys_mmap_(SYS_SITE("mmap", meaning), out, size, prot, flags, fd, at)
#define sys_munmap(meaning, address, size)                sys_munmap_(SYS_SITE("munmap", meaning), address, size)
#define sys_madvise(meaning, address, size, advice)       sys_madvise_(SYS_SITE("madvise", meaning), address, size, advice)
#define sys_mremap(meaning, out, old, from, to)           sys_mremap_(SYS_SITE("mremap", meaning), out, old, from, to) /* may move */
#define sys_msync(meaning, address, size)                 sys_msync_(SYS_SITE("msync", meaning), address, size)        /* MS_SYNC */
#define sys_memfd(meaning, name, flags)                   sys_memfd_(SYS_SITE("memfd_create", meaning), name, flags)
/* System V shared memory */
#define sys_shmget(meaning, key, size, flags) sys_shmget_(SYS_SITE("shmget", meaning), key, size, flags)
#define sys_shmat(meaning, out, id, flags)    sys_shmat_(SYS_SITE("shmat", meaning), out, id, flags)
#define sys_shmdt(meaning, address)           sys_shmdt_(SYS_SITE("shmdt", meaning), address)
#define sys_shmctl(meaning, id, command, ds)  sys_shmctl_(SYS_SITE("shmctl", meaning), id, command, ds)
/* POSIX semaphores: not system calls unless they wait, but as able to fail */
#define sys_sem_open(meaning, out, name, flags, mode, value) sys_sem_open_(SYS_SITE("sem_open", meaning), out, name, flags, mode, value)
#define sys_sem_close(meaning, sem)                          sys_sem_close_(SYS_SITE("sem_close", meaning), sem)
#define sys_sem_unlink(meaning, name)                        sys_sem_unlink_(SYS_SITE("sem_unlink", meaning), name)
#define sys_sem_trywait(meaning, sem)                        SYS_IN_LIBC(sys_sem_trywait_(SYS_SITE("sem_trywait", meaning), sem), sem_trywait(sem))
#define sys_sem_wait(meaning, sem)                           sys_sem_wait_(SYS_SITE("sem_wait", meaning), sem)
#define sys_sem_clockwait(meaning, sem, until)               sys_sem_clockwait_(SYS_SITE("sem_clockwait", meaning), sem, until)
#define sys_sem_post(meaning, sem)                           SYS_IN_LIBC(sys_sem_post_(SYS_SITE("sem_post", meaning), sem), sem_post(sem))
#define sys_sem_getvalue(meaning, sem, value)                sys_sem_getvalue_(SYS_SITE("sem_getvalue", meaning), sem, value)
/* System V semaphores */
#define sys_semget(meaning, key, n, flags) sys_semget_(SYS_SITE("semget", meaning), key, n, flags)
#define sys_semop(meaning, id, ops, n) \
        SYS_IN_PLACE(sys_semop_(SYS_SITE("semop", meaning), id, ops, n), semop(id, ops, n), SYS_semop, id, ops, n)
#define sys_semtimedop(meaning, id, ops, n, left)      sys_semtimedop_(SYS_SITE("semtimedop", meaning), id, ops, n, left)
#define sys_semctl(meaning, id, index, command, value) sys_semctl_(SYS_SITE("semctl", meaning), id, index, command, value)
/* files, pipes and their names */
#define sys_open(meaning, path, flags, mode) sys_open_(SYS_SITE("open", meaning), path, flags, mode)
#define sys_close(meaning, fd)               sys_close_(SYS_SITE("close", meaning), fd)
#define sys_read(meaning, fd, data, size) \
        SYS_IN_PLACE(sys_read_(SYS_SITE("read", meaning), fd, data, size), read(fd, data, size), SYS_read, fd, data, size)
#define sys_write(meaning, fd, data, size) \
        SYS_IN_PLACE(sys_write_(SYS_SITE("write", meaning), fd, data, size), write(fd, data, size), SYS_write, fd, data, size)
#define sys_readv(meaning, fd, iov, n)           sys_readv_(SYS_SITE("readv", meaning), fd, iov, n)
#define sys_writev(meaning, fd, iov, n)          sys_writev_(SYS_SITE("writev", meaning), fd, iov, n)
#define sys_pwritev2(meaning, fd, iov, n, flags) sys_pwritev2_(SYS_SITE("pwritev2", meaning), fd, iov, n, flags)
#define sys_fcntl(meaning, fd, command, value)   sys_fcntl_(SYS_SITE("fcntl", meaning), fd, command, value)
#define sys_pread(meaning, fd, data, size, at)   sys_pread_(SYS_SITE("pread64", meaning), fd, data, size, at)
#define sys_pwrite(meaning, fd, data, size, at)                                                                                          \
        SYS_IN_PLACE(sys_pwrite_(SYS_SITE("pwrite64", meaning), fd, data, size, at), pwrite(fd, data, size, at), SYS_pwrite64, fd, data, \
                     size, at)
#define sys_pwritev(meaning, fd, iov, n, at) sys_pwritev_(SYS_SITE("pwritev", meaning), fd, iov, n, at)
#define sys_fdatasync(meaning, fd)           sys_fdatasync_(SYS_SITE("fdatasync", meaning), fd)
#define sys_lseek(meaning, fd, to)           sys_lseek_(SYS_SITE("lseek", meaning), fd, to) /* -1: where is it? */
#define sys_ftruncate(meaning, fd, size)     sys_ftruncate_(SYS_SITE("ftruncate", meaning), fd, size)
#define sys_fallocate(meaning, fd, at, size) sys_fallocate_(SYS_SITE("fallocate", meaning), fd, at, size) /* extends the file if need be */
#define sys_fsync(meaning, fd)               sys_fsync_(SYS_SITE("fsync", meaning), fd)
#define sys_lock(meaning, fd, command, lock) \
        SYS_IN_PLACE(sys_lock_(SYS_SITE("fcntl", meaning), fd, command, lock), fcntl(fd, command, lock), SYS_fcntl, fd, command, lock)
#define sys_fstat(meaning, fd, st)            sys_fstat_(SYS_SITE("fstat", meaning), fd, st)
#define sys_stat(meaning, path, st)           sys_stat_(SYS_SITE("stat", meaning), path, st)
#define sys_lstat(meaning, path, st)          sys_lstat_(SYS_SITE("lstat", meaning), path, st)
#define sys_chmod(meaning, path, mode)        sys_chmod_(SYS_SITE("chmod", meaning), path, mode)
#define sys_chown(meaning, path, uid, gid)    sys_chown_(SYS_SITE("chown", meaning), path, uid, gid)
#define sys_fchmod(meaning, fd, mode)         sys_fchmod_(SYS_SITE("fchmod", meaning), fd, mode)
#define sys_fchown(meaning, fd, uid, gid)     sys_fchown_(SYS_SITE("fchown", meaning), fd, uid, gid)
#define sys_mkdir(meaning, path, mode)        sys_mkdir_(SYS_SITE("mkdir", meaning), path, mode)
#define sys_rmdir(meaning, path)              sys_rmdir_(SYS_SITE("rmdir", meaning), path)
#define sys_mkfifo(meaning, path, mode)       sys_mkfifo_(SYS_SITE("mkfifo", meaning), path, mode)
#define sys_unlink(meaning, path)             sys_unlink_(SYS_SITE("unlink", meaning), path)
#define sys_openat(meaning, dir, name, flags) sys_openat_(SYS_SITE("openat", meaning), dir, name, flags)
#define sys_create(meaning, dir, name, flags, mode) \
        sys_create_(SYS_SITE("openat", meaning), dir, name, flags, mode)                                     /* O_CREAT|O_EXCL, too */
#define sys_unnamed(meaning, dir, mode)                sys_unnamed_(SYS_SITE("openat", meaning), dir, mode)  /* O_TMPFILE */
#define sys_link(meaning, fd, dir, name)               sys_link_(SYS_SITE("linkat", meaning), fd, dir, name) /* gives what has none a name */
#define sys_linkat(meaning, dir, from, to)             sys_linkat_(SYS_SITE("linkat", meaning), dir, from, to)
#define sys_fstatat(meaning, dir, name, st)            sys_fstatat_(SYS_SITE("newfstatat", meaning), dir, name, st) /* never follows a link */
#define sys_rename(meaning, dir, from, to)             sys_rename_(SYS_SITE("renameat2", meaning), dir, from, to)   /* never replaces */
#define sys_unlinkat(meaning, dir, name)               sys_unlinkat_(SYS_SITE("unlinkat", meaning), dir, name)
#define sys_getdents(meaning, dir, list, size)         sys_getdents_(SYS_SITE("getdents64", meaning), dir, list, size)
#define sys_fstatfs(meaning, fd, st)                   sys_fstatfs_(SYS_SITE("fstatfs", meaning), fd, st)
#define sys_readlinkat(meaning, dir, path, text, size) sys_readlinkat_(SYS_SITE("readlinkat", meaning), dir, path, text, size)
#define sys_statx(meaning, dir, path, flags, st)       sys_statx_(SYS_SITE("statx", meaning), dir, path, flags, st) /* all but the rare */
#define sys_pipe2(meaning, fds, flags)                 sys_pipe2_(SYS_SITE("pipe2", meaning), fds, flags)
#define sys_flock(meaning, fd, operation) \
        SYS_IN_PLACE(sys_flock_(SYS_SITE("flock", meaning), fd, operation), flock(fd, operation), SYS_flock, fd, operation)
#define sys_dup3(meaning, from, to, flags) sys_dup3_(SYS_SITE("dup3", meaning), from, to, flags)
#define sys_unread(meaning, fd, bytes)     sys_unread_(SYS_SITE("ioctl", meaning), fd, bytes) /* FIONREAD */
#define sys_random(meaning, data, size)    sys_random_(SYS_SITE("getrandom", meaning), data, size)
/* signals */
#define sys_sigaction(meaning, number, old)     sys_sigaction_(SYS_SITE("rt_sigaction", meaning), number, old) /* asks only */
#define sys_sigmask(meaning, how, set, old)     sys_sigmask_(SYS_SITE("rt_sigprocmask", meaning), how, set, old)
#define sys_sigpending(meaning, set)            sys_sigpending_(SYS_SITE("rt_sigpending", meaning), set)
#define sys_signalfd(meaning, set)              sys_signalfd_(SYS_SITE("signalfd4", meaning), set) /* non-blocking */
#define sys_sigtimedwait(meaning, set, timeout) sys_sigtimedwait_(SYS_SITE("rt_sigtimedwait", meaning), set, timeout)
/* processes */
#define sys_kill(meaning, pid, number) sys_kill_(SYS_SITE("kill", meaning), pid, number)
#define sys_pidfd_open(meaning, pid)   sys_pidfd_open_(SYS_SITE("pidfd_open", meaning), pid)
#define sys_pidfd_send_signal(meaning, fd, number, info) \
        sys_pidfd_send_signal_(SYS_SITE("pidfd_send_signal", meaning), fd, number, info) /* info NULL: as kill(2) does */
#define sys_vm_read(meaning, pid, data, size, address) \
        sys_vm_read_(SYS_SITE("process_vm_readv", meaning), pid, data, size, address)                      /* of another process */
#define sys_waitid(meaning, fd, info, options) sys_waitid_(SYS_SITE("waitid", meaning), fd, info, options) /* P_PIDFD */
/* sockets */
#define sys_socket(meaning, domain, type, protocol)          sys_socket_(SYS_SITE("socket", meaning), domain, type, protocol)
#define sys_socketpair(meaning, domain, type, protocol, fds) sys_socketpair_(SYS_SITE("socketpair", meaning), domain, type, protocol, fds)
#define sys_bind(meaning, fd, address, size)                 sys_bind_(SYS_SITE("bind", meaning), fd, address, size)
#define sys_listen(meaning, fd, backlog)                     sys_listen_(SYS_SITE("listen", meaning), fd, backlog)
#define sys_accept4(meaning, fd, address, size, flags)       sys_accept4_(SYS_SITE("accept4", meaning), fd, address, size, flags)
#define sys_connect(meaning, fd, address, size)              sys_connect_(SYS_SITE("connect", meaning), fd, address, size)
#define sys_shutdown(meaning, fd, how)                       sys_shutdown_(SYS_SITE("shutdown", meaning), fd, how)
#define sys_send(meaning, fd, data, size, flags)                                                                                           \
        SYS_IN_PLACE(sys_send_(SYS_SITE("send", meaning), fd, data, size, flags), send(fd, data, size, flags), SYS_sendto, fd, data, size, \
                     flags)
#define sys_recv(meaning, fd, data, size, flags)                                                                                       \
        SYS_IN_PLACE(sys_recv_(SYS_SITE("recv", meaning), fd, data, size, flags), recv(fd, data, size, flags), SYS_recvfrom, fd, data, \
                     size, flags)
#define sys_sendmsg(meaning, fd, message, flags) sys_sendmsg_(SYS_SITE("sendmsg", meaning), fd, message, flags)
#define sys_recvmsg(meaning, fd, message, flags)                                                                                   \
        SYS_IN_PLACE(sys_recvmsg_(SYS_SITE("recvmsg", meaning), fd, message, flags), recvmsg(fd, message, flags), SYS_recvmsg, fd, \
                     message, flags)
#define sys_sendmmsg(meaning, fd, messages, n, flags) sys_sendmmsg_(SYS_SITE("sendmmsg", meaning), fd, messages, n, flags)
#define sys_recvmmsg(meaning, fd, messages, n, flags) sys_recvmmsg_(SYS_SITE("recvmmsg", meaning), fd, messages, n, flags)
#define sys_getsockname(meaning, fd, address, size)   sys_getsockname_(SYS_SITE("getsockname", meaning), fd, address, size)
#define sys_getpeername(meaning, fd, address, size)   sys_getpeername_(SYS_SITE("getpeername", meaning), fd, address, size)
#define sys_interface(meaning, wanted, index, loopback) \
        sys_interface_(SYS_SITE("getifaddrs", meaning), wanted, index, loopback) /* by name or address; -ENODEV: there is none */
#define sys_getsockopt(meaning, fd, level, name, value, size) sys_getsockopt_(SYS_SITE("getsockopt", meaning), fd, level, name, value, size)
#define sys_setsockopt(meaning, fd, level, name, value, size) sys_setsockopt_(SYS_SITE("setsockopt", meaning), fd, level, name, value, size)
/* System V message queues */
#define sys_msgget(meaning, key, flags) sys_msgget_(SYS_SITE("msgget", meaning), key, flags)
#define sys_msgsnd(meaning, id, message, size, flags)                                                                                      \
        SYS_IN_PLACE(sys_msgsnd_(SYS_SITE("msgsnd", meaning), id, message, size, flags), msgsnd(id, message, size, flags), SYS_msgsnd, id, \
                     message, size, flags)
#define sys_msgrcv(meaning, id, message, size, type, flags)                                                                            \
        SYS_IN_PLACE(sys_msgrcv_(SYS_SITE("msgrcv", meaning), id, message, size, type, flags), msgrcv(id, message, size, type, flags), \
                     SYS_msgrcv, id, message, size, type, flags)
#define sys_msgctl(meaning, id, command, ds) sys_msgctl_(SYS_SITE("msgctl", meaning), id, command, ds)
/* Sleeps. The one place where pthread_cancel(3) can strike in a thread that has it disabled. */
#define sys_msgrcv_cancellable(meaning, id, message, size, type) \
        sys_msgrcv_cancellable_(SYS_SITE("msgrcv", meaning), id, message, size, type)
/* POSIX message queues */
#define sys_mq_open(meaning, name, flags, mode, attr) sys_mq_open_(SYS_SITE("mq_open", meaning), name, flags, mode, attr)
#define sys_mq_unlink(meaning, name)                  sys_mq_unlink_(SYS_SITE("mq_unlink", meaning), name)
#define sys_mq_getattr(meaning, fd, attr)             sys_mq_getattr_(SYS_SITE("mq_getsetattr", meaning), fd, attr)
#define sys_mq_send(meaning, fd, data, size, priority)                                                     \
        SYS_IN_PLACE(sys_mq_timedsend_(SYS_SITE("mq_timedsend", meaning), fd, data, size, priority, NULL), \
                     mq_send(fd, data, size, priority), SYS_mq_timedsend, fd, data, size, priority, NULL)
#define sys_mq_timedsend(meaning, fd, data, size, priority, until)                                          \
        SYS_IN_PLACE(sys_mq_timedsend_(SYS_SITE("mq_timedsend", meaning), fd, data, size, priority, until), \
                     mq_timedsend(fd, data, size, priority, until), SYS_mq_timedsend, fd, data, size, priority, until)
#define sys_mq_receive(meaning, fd, data, size, priority)                                                        \
        SYS_IN_PLACE(sys_mq_timedreceive_(SYS_SITE("mq_timedreceive", meaning), fd, data, size, priority, NULL), \
                     mq_receive(fd, data, size, priority), SYS_mq_timedreceive, fd, data, size, priority, NULL)
#define sys_mq_timedreceive(meaning, fd, data, size, priority, until)                                             \
        SYS_IN_PLACE(sys_mq_timedreceive_(SYS_SITE("mq_timedreceive", meaning), fd, data, size, priority, until), \
                     mq_timedreceive(fd, data, size, priority, until), SYS_mq_timedreceive, fd, data, size, priority, until)
/* this process */
#define sys_getrlimit(meaning, resource, limit) sys_getrlimit_(SYS_SITE("getrlimit", meaning), resource, limit)
#define sys_capable(meaning, capability)        sys_capable_(SYS_SITE("capget", meaning), capability)  /* 1, 0 */
#define sys_group(meaning, name, gid)           sys_group_(SYS_SITE("getgrnam_r", meaning), name, gid) /* -ENOENT: no such group */
#define sys_getaddrinfo(meaning, host, wanted, out) \
        sys_getaddrinfo_(SYS_SITE("getaddrinfo", meaning), host, wanted, out) /* -ENOENT: no such host; -EAGAIN: not now */
/* waiting */
#define sys_ppoll(meaning, fds, n, left)              sys_ppoll_(SYS_SITE("ppoll", meaning), fds, n, left)
#define sys_epoll_create(meaning)                     sys_epoll_create_(SYS_SITE("epoll_create1", meaning))
#define sys_epoll_ctl(meaning, epoll, op, fd, event)  sys_epoll_ctl_(SYS_SITE("epoll_ctl", meaning), epoll, op, fd, event)
#define sys_epoll_wait(meaning, epoll, events, n, ms) sys_epoll_wait_(SYS_SITE("epoll_wait", meaning), epoll, events, n, ms)
#define sys_inotify_init(meaning)                     sys_inotify_init_(SYS_SITE("inotify_init1", meaning)) /* non-blocking */
#define sys_inotify_add(meaning, fd, path, events)    sys_inotify_add_(SYS_SITE("inotify_add_watch", meaning), fd, path, events)
#define sys_eventfd(meaning, flags)                   sys_eventfd_(SYS_SITE("eventfd2", meaning), flags)
#define sys_timerfd_create(meaning)                   sys_timerfd_create_(SYS_SITE("timerfd_create", meaning))
#define sys_timerfd_settime(meaning, fd, when)        sys_timerfd_settime_(SYS_SITE("timerfd_settime", meaning), fd, when)
#define sys_sleep(meaning, nanoseconds)               sys_sleep_(SYS_SITE("clock_nanosleep", meaning), nanoseconds)
#define sys_yield(meaning)                            sys_yield_(SYS_SITE("sched_yield", meaning))
/* between processes that share memory; `bits` say who of those that sleep on a word is meant */
#define sys_futex_wait(meaning, word, seen, bits, until) \
        sys_futex_wait_(SYS_SITE("futex", meaning), word, seen, bits, until) /* until a point on CLOCK_MONOTONIC */
#define sys_futex_wake(meaning, word, bits)     sys_futex_wake_(SYS_SITE("futex", meaning), word, bits)
#define sys_futex_wake_one(meaning, word, bits) sys_futex_wake_one_(SYS_SITE("futex", meaning), word, bits)
#define sys_membarrier(meaning, command)        sys_membarrier_(SYS_SITE("membarrier", meaning), command)
#define sys_touch(meaning, fd)                  sys_touch_(SYS_SITE("utimensat", meaning), fd) /* its times become now */
/* threads and users */
#define sys_thread(meaning, thread, function, argument) sys_thread_(SYS_SITE("pthread_create", meaning), thread, function, argument)
#define sys_is_member(meaning, uid, gid)                sys_is_member_(SYS_SITE("getgrouplist", meaning), uid, gid)

void *sys_alloc_(struct sys_site *, size_t size);
void *sys_realloc_(struct sys_site *, void *old, size_t size);
int sys_mmap_(struct sys_site *, void **out, size_t size, int prot, int flags, int fd, off_t at);
int sys_munmap_(struct sys_site *, void *address, size_t size);
int sys_madvise_(struct sys_site *, void *address, size_t size, int advice);
int sys_mremap_(struct sys_site *, void **out, void *old, size_t from, size_t to);
int sys_msync_(struct sys_site *, void *address, size_t size);
int sys_memfd_(struct sys_site *, const char *name, unsigned flags);
struct shmid_ds;
int sys_shmget_(struct sys_site *, key_t key, size_t size, int flags);
int sys_shmat_(struct sys_site *, void **out, int id, int flags);
int sys_shmdt_(struct sys_site *, const void *address);
int sys_shmctl_(struct sys_site *, int id, int command, struct shmid_ds *);
int sys_open_(struct sys_site *, const char *path, int flags, mode_t mode);
int sys_close_(struct sys_site *, int fd);
ssize_t sys_read_(struct sys_site *, int fd, void *data, size_t size);
ssize_t sys_write_(struct sys_site *, int fd, const void *data, size_t size);
ssize_t sys_readv_(struct sys_site *, int fd, const struct iovec *, int n);
ssize_t sys_writev_(struct sys_site *, int fd, const struct iovec *, int n);
ssize_t sys_pwritev2_(struct sys_site *, int fd, const struct iovec *, int n, int flags);
int sys_fcntl_(struct sys_site *, int fd, int command, long value);
ssize_t sys_pread_(struct sys_site *, int fd, void *data, size_t size, off_t at);
ssize_t sys_pwrite_(struct sys_site *, int fd, const void *data, size_t size, off_t at);
off_t sys_lseek_(struct sys_site *, int fd, off_t to);
ssize_t sys_pwritev_(struct sys_site *, int fd, const struct iovec *, int n, off_t at);
int sys_fdatasync_(struct sys_site *, int fd);
int sys_ftruncate_(struct sys_site *, int fd, off_t size);
int sys_fallocate_(struct sys_site *, int fd, off_t at, off_t size);
int sys_fsync_(struct sys_site *, int fd);
int sys_lock_(struct sys_site *, int fd, int command, struct flock *lock);
ssize_t sys_readlinkat_(struct sys_site *, int dir, const char *path, char *text, size_t size);
struct statx;
int sys_statx_(struct sys_site *, int dir, const char *path, int flags, struct statx *);
ssize_t sys_vm_read_(struct sys_site *, pid_t pid, void *data, size_t size, uint64_t address);
int sys_flock_(struct sys_site *, int fd, int operation);
int sys_sem_open_(struct sys_site *, sem_t **, const char *name, int flags, mode_t mode, unsigned value);
int sys_sem_close_(struct sys_site *, sem_t *);
int sys_sem_unlink_(struct sys_site *, const char *name);
int sys_sem_trywait_(struct sys_site *, sem_t *);
int sys_sem_wait_(struct sys_site *, sem_t *);
int sys_sem_clockwait_(struct sys_site *, sem_t *, const struct timespec *until); /* on CLOCK_MONOTONIC */
int sys_sem_post_(struct sys_site *, sem_t *);
int sys_sem_getvalue_(struct sys_site *, sem_t *, int *value);
int sys_semget_(struct sys_site *, key_t key, int n, int flags);
int sys_semop_(struct sys_site *, int id, struct sembuf *, size_t n);
int sys_semtimedop_(struct sys_site *, int id, struct sembuf *, size_t n, const struct timespec *left);
int sys_semctl_(struct sys_site *, int id, int index, int command,
                void *value); /* value: by the union of semctl(2), a pointer or (void *)(long)number */
int sys_fstat_(struct sys_site *, int fd, struct stat *);
int sys_stat_(struct sys_site *, const char *path, struct stat *);
int sys_lstat_(struct sys_site *, const char *path, struct stat *);
int sys_chmod_(struct sys_site *, const char *path, mode_t mode);
int sys_chown_(struct sys_site *, const char *path, uid_t uid, gid_t gid);
int sys_fchmod_(struct sys_site *, int fd, mode_t mode);
int sys_fchown_(struct sys_site *, int fd, uid_t uid, gid_t gid);
int sys_mkdir_(struct sys_site *, const char *path, mode_t mode);
int sys_rmdir_(struct sys_site *, const char *path);
int sys_mkfifo_(struct sys_site *, const char *path, mode_t mode);
int sys_unlink_(struct sys_site *, const char *path);
int sys_openat_(struct sys_site *, int dir, const char *name, int flags);
int sys_create_(struct sys_site *, int dir, const char *name, int flags, mode_t mode);
int sys_unnamed_(struct sys_site *, int dir, mode_t mode);
int sys_link_(struct sys_site *, int fd, int dir, const char *name);
int sys_linkat_(struct sys_site *, int dir, const char *from, const char *to);
int sys_fstatat_(struct sys_site *, int dir, const char *name, struct stat *);
int sys_rename_(struct sys_site *, int dir, const char *from, const char *to);
int sys_unlinkat_(struct sys_site *, int dir, const char *name);
struct sys_entry { /* as getdents64(2) fills it in; the next one begins `length` bytes behind it */
        uint64_t inode;
        int64_t offset;
        uint16_t length;
        unsigned char kind;
        char name[];
};
ssize_t sys_getdents_(struct sys_site *, int dir, void *list, size_t size);
struct statfs;
int sys_fstatfs_(struct sys_site *, int fd, struct statfs *);
int sys_pipe2_(struct sys_site *, int fds[2], int flags);
int sys_dup3_(struct sys_site *, int from, int to, int flags);
int sys_unread_(struct sys_site *, int fd, int *bytes);
ssize_t sys_random_(struct sys_site *, void *data, size_t size);
int sys_sigaction_(struct sys_site *, int number, struct sigaction *old);
int sys_sigmask_(struct sys_site *, int how, const sigset_t *set, sigset_t *old);
int sys_sigpending_(struct sys_site *, sigset_t *set);
int sys_signalfd_(struct sys_site *, const sigset_t *set);
int sys_sigtimedwait_(struct sys_site *, const sigset_t *set, const struct timespec *timeout);
int sys_kill_(struct sys_site *, pid_t pid, int number);
int sys_pidfd_open_(struct sys_site *, pid_t pid);
int sys_pidfd_send_signal_(struct sys_site *, int fd, int number, siginfo_t *info);
int sys_waitid_(struct sys_site *, int fd, siginfo_t *info, int options);
int sys_socket_(struct sys_site *, int domain, int type, int protocol);
int sys_socketpair_(struct sys_site *, int domain, int type, int protocol, int fds[2]);
int sys_bind_(struct sys_site *, int fd, const struct sockaddr *, socklen_t size);
int sys_listen_(struct sys_site *, int fd, int backlog);
int sys_accept4_(struct sys_site *, int fd, struct sockaddr *, socklen_t *size, int flags);
int sys_connect_(struct sys_site *, int fd, const struct sockaddr *, socklen_t size);
int sys_shutdown_(struct sys_site *, int fd, int how);
ssize_t sys_send_(struct sys_site *, int fd, const void *data, size_t size, int flags);
ssize_t sys_recv_(struct sys_site *, int fd, void *data, size_t size, int flags);
ssize_t sys_sendmsg_(struct sys_site *, int fd, const struct msghdr *, int flags);
ssize_t sys_recvmsg_(struct sys_site *, int fd, struct msghdr *, int flags);
struct mmsghdr;
int sys_sendmmsg_(struct sys_site *, int fd, struct mmsghdr *, unsigned n, int flags);
int sys_recvmmsg_(struct sys_site *, int fd, struct mmsghdr *, unsigned n, int flags);
int sys_getsockname_(struct sys_site *, int fd, struct sockaddr *, socklen_t *size);
int sys_getpeername_(struct sys_site *, int fd, struct sockaddr *, socklen_t *size);
int sys_interface_(struct sys_site *, const char *wanted, unsigned *index, int *loopback);
int sys_getsockopt_(struct sys_site *, int fd, int level, int name, void *value, socklen_t *size);
int sys_setsockopt_(struct sys_site *, int fd, int level, int name, const void *value, socklen_t size);
int sys_msgget_(struct sys_site *, key_t key, int flags);
int sys_msgsnd_(struct sys_site *, int id, const void *message, size_t size, int flags);
ssize_t sys_msgrcv_(struct sys_site *, int id, void *message, size_t size, long type, int flags);
int sys_msgctl_(struct sys_site *, int id, int command, struct msqid_ds *);
ssize_t sys_msgrcv_cancellable_(struct sys_site *, int id, void *message, size_t size, long type);
struct mq_attr;
int sys_mq_open_(struct sys_site *, const char *name, int flags, mode_t mode, struct mq_attr *);
int sys_mq_unlink_(struct sys_site *, const char *name);
int sys_mq_getattr_(struct sys_site *, int fd, struct mq_attr *);
int sys_mq_timedsend_(struct sys_site *, int fd, const void *data, size_t size, unsigned priority, const struct timespec *until);
ssize_t sys_mq_timedreceive_(struct sys_site *, int fd, void *data, size_t size, unsigned *priority, const struct timespec *until);
struct rlimit;
int sys_getrlimit_(struct sys_site *, int resource, struct rlimit *);
int sys_capable_(struct sys_site *, int capability);
int sys_group_(struct sys_site *, const char *name, gid_t *gid);
struct addrinfo;
int sys_getaddrinfo_(struct sys_site *, const char *host, const struct addrinfo *wanted, struct addrinfo **out);
uid_t sys_euid(void);
uid_t sys_uid(void);
pid_t sys_pid(void);
int sys_ppoll_(struct sys_site *, struct pollfd *, nfds_t n, const struct timespec *left);
int sys_epoll_create_(struct sys_site *);
int sys_epoll_ctl_(struct sys_site *, int epoll, int op, int fd, struct epoll_event *);
int sys_epoll_wait_(struct sys_site *, int epoll, struct epoll_event *, int n, int ms);
int sys_inotify_init_(struct sys_site *);
int sys_inotify_add_(struct sys_site *, int fd, const char *path, uint32_t events);
int sys_eventfd_(struct sys_site *, int flags);
int sys_timerfd_create_(struct sys_site *); /* monotonic, non-blocking */
int sys_timerfd_settime_(struct sys_site *, int fd, const struct itimerspec *when);
int sys_sleep_(struct sys_site *, int64_t nanoseconds);
int sys_yield_(struct sys_site *);
int sys_futex_wait_(struct sys_site *, void *word, uint32_t seen, uint32_t bits, int64_t until);
int sys_futex_wake_(struct sys_site *, void *word, uint32_t bits);
int sys_futex_wake_one_(struct sys_site *, void *word, uint32_t bits);
int sys_membarrier_(struct sys_site *, int command);
int sys_touch_(struct sys_site *, int fd);
int sys_thread_(struct sys_site *, pthread_t *, void *(*function)(void *), void *argument); /* with all signals blocked */
int sys_is_member_(struct sys_site *, uid_t uid, gid_t gid);                                /* of the group: 1, 0 */

/* For _cleanup_: closes what is open. */
void sys_closep(int *fd);

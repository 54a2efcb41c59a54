/* SPDX-License-Identifier: MIT */
/*
 * The name of a Unix socket outlives the process that listened there, and connecting to a name follows symbolic links and asks nobody who listens.
 *
 * Dialling opens the name as a path only (O_PATH, no link followed), looks at what it is and whose, and connects through /proc/self/fd: to exactly the
 * file looked at, however long its path. Then it asks the kernel who listens.
 *
 * Binding to a name that exists: the refusal of a connection proves nothing, for a process that has bound and not yet listened refuses too. Dead is what the
 * kernel's list of sockets does not have and what refuses. Between the proof and the removal nobody else of this user may do the same, so both happen
 * under a lock: one byte per name in one file in the user's runtime folder. Where the kernel does not show its list, nothing is removed.
 *
 * The kernel's list is that of this network namespace: a listener in another one that shares the folder is seen only once it listens.
 */
#include "unix_path.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "bytes.h"
#include "cleanup.h"
#include "owner.h"
#include "runtime.h"
#include "sys.h"
#include "unix_diag.h"
#include "why.h"

struct place {
        int directory;
        char name[NAME_MAX + 1];
};

static void place_drop(struct place *p)
{
        sys_closep(&p->directory);
}

static int is_abstract(const char *path)
{
        return path[0] == '@';
}

/* The kernel's form of a name. Without one it is as "/proc/self/fd/N/NAME". */
static int to_address(const char *path, const struct place *place, struct sockaddr_un *address, socklen_t *size, struct ipw_why *why)
{
        int n = (int)strlen(path);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (is_abstract(path)) {
                memcpy(address->sun_path + 1, path + 1, (size_t)n - 1);
                *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
                return 0;
        }
        *size = sizeof(*address);
        if ((size_t)n < sizeof(address->sun_path)) {
                memcpy(address->sun_path, path, (size_t)n);
                return 0;
        }
        n = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", place->directory, place->name);
        if ((size_t)n >= sizeof(address->sun_path))
                return why_set(why, ENAMETOOLONG,
                               "%s: a path of more than %zu bytes can be bound only if its last part has no more than about 85", path,
                               sizeof(address->sun_path) - 1);
        return 0;
}

static int split(const char *path, struct place *place, struct ipw_why *why)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char folder[PATH_MAX];
        int fd;

        if (slash && (size_t)(slash - path) >= sizeof(folder))
                return why_set(why, ENAMETOOLONG, "the path is longer than %d bytes", PATH_MAX - 1);
        if (!slash)
                strcpy(folder, ".");
        else
                (void)snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
        fd = sys_open("the folder, so that it stays the same one", folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (fd < 0)
                return why_call(why, fd, folder, "cannot open the folder of the socket");
        (void)snprintf(place->name, sizeof(place->name), "%s", name);
        place->directory = fd;
        return 0;
}

int unix_path_check(const char *path, struct ipw_why *why)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        if (is_abstract(path)) {
                if (!path[1])
                        return why_set(why, EINVAL, "an abstract socket needs a name behind the '@'");
                if (strlen(path) > UNIX_ABSTRACT_MAX)
                        return why_set(why, ENAMETOOLONG, "%s: an abstract name has at most %d bytes", path, UNIX_ABSTRACT_MAX - 1);
                return 0;
        }
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return why_set(why, EINVAL, "%s: names a folder; a socket needs a name in it", path);
        if (strlen(name) > NAME_MAX || strlen(path) >= PATH_MAX)
                return why_set(why, ENAMETOOLONG, "%.80s...: the path is too long (%d bytes, %d in one part)", path, PATH_MAX - 1,
                               NAME_MAX);
        return 0;
}

/* ---- is anybody there ---------------------------------------------------------------------------------------------------------------- */

static const char *kind_of(mode_t mode)
{
        return S_ISREG(mode)    ? "a regular file"
               : S_ISDIR(mode)  ? "a folder"
               : S_ISFIFO(mode) ? "a FIFO"
               : S_ISLNK(mode)  ? "a symbolic link"
                                : "a device";
}

static int check_kind(const char *path, mode_t mode, struct ipw_why *why)
{
        if (S_ISLNK(mode))
                return why_set(why, ELOOP, "%s: is a symbolic link, which could lead anywhere; name the socket itself", path);
        if (!S_ISSOCK(mode))
                return why_set(why, ENOTSOCK, "%s: is %s, not a socket; choose another name", path, kind_of(mode));
        return 0;
}

static int check_owner(const char *path, const struct stat *st, const char *peer, struct ipw_why *why)
{
        int r = owner_trusted(st->st_uid, st->st_gid, peer, why);

        if (r == 0)
                return why_set(why, EPERM, "%s: belongs to user %u, neither this user nor root; peer=uid:%u admits it", path, st->st_uid,
                               st->st_uid);
        return MIN(r, 0);
}

/* Connects through a descriptor of the file itself. */
static int connect_to(int fd, int file)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
        return sys_connect("to the file looked at, and no other", fd, (struct sockaddr *)&address, sizeof(address));
}

/* Does a connection get through to somebody? 1, 0, -errno. */
static int answers(const struct place *place, int type)
{
        _cleanup_(sys_closep)
        int file = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        int r;

        file = sys_openat("the socket's file", place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0)
                return file;
        fd = sys_socket("to see whether anybody answers", AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fd;
        r = connect_to(fd, file);
        if (r == 0 || r == -EAGAIN || r == -EPROTOTYPE)
                return 1;
        return r == -ECONNREFUSED ? 0 : r;
}

int unix_path_lock(int directory, const char *name, struct ipw_why *why)
{
        char path[PATH_MAX];
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
        uint64_t hash = 14695981039346656037u; /* FNV-1a: any hash will do, two names on one byte only wait for each other */
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        r = sys_fstat("which folder is it", directory, &st);
        if (r < 0)
                return why_call(why, r, name, "cannot look at its folder");
        for (size_t i = 0; i < sizeof(st.st_dev); i++)
                hash = (hash ^ ((unsigned char *)&st.st_dev)[i]) * 1099511628211u;
        for (size_t i = 0; i < sizeof(st.st_ino); i++)
                hash = (hash ^ ((unsigned char *)&st.st_ino)[i]) * 1099511628211u;
        for (const char *c = name; *c; c++)
                hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        r = runtime_directory(path, sizeof(path) - sizeof("/names"), why);
        if (r < 0)
                return r;
        strcat(path, "/names");
        fd = sys_open("the lock over names of sockets", path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return why_call(why, fd, path, "cannot open");
        lock.l_start = (off_t)(hash >> 2);
        r = sys_lock("nobody else decides about this name meanwhile", fd, F_OFD_SETLK, &lock);
        if (r == -EAGAIN || r == -EACCES)
                return why_set(why, EAGAIN, "%s: another process is deciding about this name; try again", name);
        if (r < 0)
                return why_call(why, r, path, "cannot lock");
        return steal_fd(&fd);
}

/* ---- binding ----------------------------------------------------------------------------------------------------------------------- */

/* Under the lock: is it certain that nobody has this name? 0, -EADDRINUSE. */
static int prove_dead(const char *path, const struct place *place, const struct stat *st, int type, struct ipw_why *why)
{
        int bound = unix_diag_bound(place->directory, place->name, st);
        int r;

        if (bound > 0)
                return why_set(why, EADDRINUSE, "%s: somebody has this name (ss -xlp shows who); choose another or end that program", path);
        r = answers(place, type);
        if (r > 0)
                return why_set(why, EADDRINUSE, "%s: somebody listens there; choose another name or end that program", path);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return why_call(why, r, path, "cannot see whether anybody listens there");
        if (bound < 0)
                return why_set(
                        why, EADDRINUSE,
                        "%s: nobody answers there, but the kernel does not list its sockets (%s), so it may belong to a program that is just starting; if "
                        "not, `ipcway remove` removes it",
                        path, why_name(bound));
        return 0;
}

static int replace_dead(int fd, const char *path, const struct place *place, const struct sockaddr_un *address, socklen_t size,
                        const struct unix_access *access, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int lock = -1;
        struct stat st, again;
        int type;
        socklen_t type_size = sizeof(type);
        int r;

        lock = unix_path_lock(place->directory, place->name, why);
        if (lock < 0)
                return lock;
        r = sys_fstatat("what has this name", place->directory, place->name, &st);
        if (r == 0) {
                r = check_kind(path, st.st_mode, why);
                if (r == 0)
                        r = check_owner(path, &st, access->peer, why);
                if (r < 0)
                        return r;
                r = sys_getsockopt("which kind of socket is ours", fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
                if (r < 0)
                        return why_call(why, r, path, "cannot tell the kind of the new socket");
                r = prove_dead(path, place, &st, type, why);
                if (r < 0)
                        return r;
                r = sys_fstatat("is it still the same", place->directory, place->name, &again);
                if (r == 0 && (again.st_ino != st.st_ino || again.st_dev != st.st_dev))
                        return why_set(why, EADDRINUSE, "%s: somebody else has just taken this name", path);
                if (r == 0)
                        r = sys_unlinkat("its listener is dead", place->directory, place->name);
        }
        if (r < 0 && r != -ENOENT)
                return why_call(why, r, path, "cannot replace the name of a dead listener");
        r = sys_bind("the name is free", fd, (const struct sockaddr *)address, size);
        return r < 0 ? why_call(why, r, path, "cannot bind") : 0;
}

/* After binding and before listening, so that nobody can connect yet: group and mode, whatever the umask took away. */
static int settle_access(const struct place *place, const struct unix_access *access, struct unix_name *made, struct ipw_why *why)
{
        char through[32];
        _cleanup_(sys_closep)
        int file = -1;
        struct stat st;
        gid_t gid;
        int r;

        file = sys_openat("the file just made", place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = file < 0 ? file : sys_fstat("which one is it", file, &st);
        if (r < 0)
                return why_call(why, r, place->name, "cannot look at the socket just bound");
        if (!S_ISSOCK(st.st_mode) || st.st_uid != sys_euid())
                return why_set(why, EADDRINUSE, "%s: somebody else has just taken this name", place->name);
        made->device = st.st_dev;
        made->inode = st.st_ino;
        (void)snprintf(through, sizeof(through), "/proc/self/fd/%d", file);
        if (*access->group) {
                r = owner_group(access->group, &gid, why);
                if (r < 0)
                        return r;
                r = st.st_gid == gid ? 0 : sys_chown("the group asked for", through, (uid_t)-1, gid);
                if (r < 0)
                        return why_set(why, -r, "%s: cannot give it to group %s: %s; this user must be in that group", place->name,
                                       access->group, why_name(r));
        }
        r = (st.st_mode & 0777) == access->mode ? 0 : sys_chmod("the mode asked for, whatever the umask", through, access->mode);
        return r < 0 ? why_call(why, r, place->name, "cannot set its mode") : 0;
}

static int bind_path(int fd, const char *path, const struct unix_access *access, struct unix_name *out, struct ipw_why *why)
{
        _cleanup_(place_drop)
        struct place place = { .directory = -1 };
        struct unix_name made = { 0 };
        struct sockaddr_un address;
        socklen_t size;
        int r;

        r = split(path, &place, why);
        if (r == 0)
                r = to_address(path, &place, &address, &size, why);
        if (r < 0)
                return r;
        r = sys_fchmod("never open wider than asked for, not for a moment", fd, access->mode);
        if (r < 0)
                return why_call(why, r, path, "cannot set the mode of the socket");
        r = sys_bind("take the name", fd, (struct sockaddr *)&address, size);
        if (r == -EADDRINUSE && access->fresh)
                return why_set(why, EEXIST, "%s: exists, and a fresh one was asked for", path);
        if (r == -EADDRINUSE)
                r = replace_dead(fd, path, &place, &address, size, access, why);
        else if (r < 0)
                r = why_call(why, r, path, "cannot bind");
        if (r < 0)
                return r;
        memcpy(made.name, place.name, sizeof(made.name));
        r = settle_access(&place, access, &made, why);
        if (r < 0) {
                if (r != -EADDRINUSE)
                        (void)sys_unlinkat("it was made a moment ago", place.directory, place.name);
                return r;
        }
        made.directory = steal_fd(&place.directory);
        *out = made;
        return 0;
}

int unix_path_bind(int fd, const char *path, const struct unix_access *access, struct unix_name *out, struct ipw_why *why)
{
        struct sockaddr_un address;
        socklen_t size;
        int r;

        if (!is_abstract(path))
                return bind_path(fd, path, access, out, why);
        (void)to_address(path, NULL, &address, &size, why);
        r = sys_bind("take the name", fd, (struct sockaddr *)&address, size);
        if (r == -EADDRINUSE)
                return why_set(why, access->fresh ? EEXIST : EADDRINUSE,
                               "%s: somebody has this name (ss -xlp shows who); choose another or end that program", path);
        return r < 0 ? why_call(why, r, path, "cannot bind") : 0;
}

void unix_path_unbind(struct unix_name *n)
{
        struct stat st;

        if (n->directory >= 0 && n->inode && sys_fstatat("is the name still ours", n->directory, n->name, &st) == 0 &&
            st.st_dev == n->device && st.st_ino == n->inode)
                (void)sys_unlinkat("the name goes with its listener", n->directory, n->name);
        unix_path_drop(n);
}

void unix_path_drop(struct unix_name *n)
{
        sys_closep(&n->directory);
        n->directory = -1;
}

/* ---- the process on the other side ---------------------------------------------------------------------------------------------------- */

/* Is the process at the other end in the group by its supplementary groups? 1, 0, -errno. */
static int in_groups(int fd, gid_t wanted)
{
        _cleanup_(freep)
        gid_t *groups = NULL;
        socklen_t size = 0;
        int r;

        r = sys_getsockopt("how many groups has the peer", fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size);
        if (r != -ERANGE)
                return r;
        groups = sys_alloc("the peer's groups", size);
        if (!groups)
                return -ENOMEM;
        r = sys_getsockopt("which groups has the peer", fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
        for (size_t i = 0; r == 0 && i < size / sizeof(*groups); i++)
                if (groups[i] == wanted)
                        return 1;
        return r;
}

int unix_path_check_peer(int fd, const char *object, const char *peer, struct ipw_why *why)
{
        struct ucred who;
        socklen_t size = sizeof(who);
        gid_t wanted;
        int r;

        r = sys_getsockopt("who is on the other side", fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        if (r < 0)
                return why_call(why, r, object, "cannot ask who is on the other side");
        r = owner_trusted(who.uid, who.gid, peer, why);
        if (r == 0 && strncmp(peer, "group:", 6) == 0) {
                r = owner_group(peer + 6, &wanted, why);
                if (r == 0)
                        r = in_groups(fd, wanted);
                if (r < 0 && r != -ENOENT)
                        return why_call(why, r, object, "cannot ask for the peer's groups");
        }
        if (r == 0)
                return why_set(why, EPERM, "%s: the other side is user %u, neither this user nor root; peer=uid:%u admits it", object,
                               who.uid, who.uid);
        return MIN(r, 0);
}

/* ---- dialling and removing ----------------------------------------------------------------------------------------------------------- */

static int connected(int r, const char *path, struct ipw_why *why)
{
        switch (-r) {
        case ECONNREFUSED:
                return why_set(why, EAGAIN, "%s: nobody listens there yet", path);
        case EAGAIN:
                return why_set(why, EAGAIN, "%s: as many wait there already as its listener lets wait", path);
        case EPROTOTYPE:
                return why_set(why, EPROTOTYPE, "%s: a socket of another type listens there (stream, seqpacket and dgram do not mix)",
                               path);
        case EACCES:
                return why_set(why, EACCES,
                               "%s: this user may not connect: it needs write permission on the socket (mode=, group= of its listener)",
                               path);
        }
        return r < 0 ? why_call(why, r, path, "cannot connect") : 0;
}

static int dial_path(int fd, const char *path, const char *peer, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int file = -1;
        struct stat st;
        int r;

        file = sys_open("look before connecting", path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
        if (file == -ENOENT)
                return why_set(why, EAGAIN, "%s: does not exist: nobody listens there yet", path);
        r = file < 0 ? file : sys_fstat("what is it, and whose", file, &st);
        if (r < 0)
                return why_call(why, r, path, "cannot open");
        r = check_kind(path, st.st_mode, why);
        if (r == 0)
                r = check_owner(path, &st, peer, why);
        return r < 0 ? r : connected(connect_to(fd, file), path, why);
}

/* A datagram socket that somebody connects to does not hear of it, so the kernel keeps no word of who it was. Its list of sockets has whose it is. */
static int check_receiver(int fd, const char *path, const char *peer, struct ipw_why *why)
{
        uid_t uid;
        int r = unix_diag_peer(fd, &uid);

        if (r == -ENOENT)
                return why_set(why, EAGAIN, "%s: who received there has just gone", path);
        if (r < 0)
                return why_set(
                        why, EPERM,
                        "%s: the kernel does not tell whose socket has this abstract name (%s; it needs the module unix_diag); use a path",
                        path, why_name(r));
        r = owner_trusted_member(uid, (gid_t)-1, peer, why);
        if (r == 0)
                return why_set(why, EPERM, "%s: the other side is user %u, neither this user nor root; peer=uid:%u admits it", path, uid,
                               uid);
        return MIN(r, 0);
}

int unix_path_dial(int fd, const char *path, const char *peer, struct ipw_why *why)
{
        struct sockaddr_un address;
        socklen_t size = sizeof(int);
        int type, r;

        r = sys_getsockopt("is there to be a connection", fd, SOL_SOCKET, SO_TYPE, &type, &size);
        if (r < 0)
                return why_call(why, r, path, "cannot connect");

        if (is_abstract(path)) {
                (void)to_address(path, NULL, &address, &size, why);
                r = connected(sys_connect("to the abstract name", fd, (struct sockaddr *)&address, size), path, why);
        } else {
                r = dial_path(fd, path, peer, why);
        }
        if (r < 0 || (type == SOCK_DGRAM && !is_abstract(path)))
                return r;
        return type == SOCK_DGRAM ? check_receiver(fd, path, peer, why) : unix_path_check_peer(fd, path, peer, why);
}

int unix_path_remove(const char *path, int type, struct ipw_why *why)
{
        _cleanup_(place_drop)
        struct place place = { .directory = -1 };
        _cleanup_(sys_closep)
        int lock = -1;
        struct stat st;
        int r;

        if (is_abstract(path))
                return why_set(why, EOPNOTSUPP, "%s: an abstract name goes by itself with the last program that has it", path);
        r = split(path, &place, why);
        if (r < 0)
                return r;
        r = sys_fstatat("what has this name", place.directory, place.name, &st);
        if (r < 0)
                return why_call(why, r, path, "cannot remove");
        r = check_kind(path, st.st_mode, why);
        if (r < 0)
                return r;
        lock = unix_path_lock(place.directory, place.name, why);
        if (lock < 0)
                return lock == -EAGAIN ? why_set(why, EBUSY, "%s: another process is just starting or removing it", path) : lock;
        if (unix_diag_bound(place.directory, place.name, &st) > 0 || answers(&place, type) > 0)
                return why_set(why, EBUSY, "%s: somebody has this name (ss -xlp shows who); end that program first", path);
        r = sys_unlinkat("nobody uses it", place.directory, place.name);
        return r < 0 ? why_call(why, r, path, "cannot remove") : 0;
}

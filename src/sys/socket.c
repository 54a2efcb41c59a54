/* SPDX-License-Identifier: MIT */
/* Sockets. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "through.h"

int sys_socket_(struct sys_site *site, int domain, int type, int protocol)
{
        THROUGH(socket(domain, type, protocol), "%d, %d, %d", domain, type, protocol);
}

int sys_socketpair_(struct sys_site *site, int domain, int type, int protocol, int fds[2])
{
        THROUGH(socketpair(domain, type, protocol, fds), "%d, %d, %d, [2]", domain, type, protocol);
}

int sys_bind_(struct sys_site *site, int fd, const struct sockaddr *address, socklen_t size)
{
        THROUGH(bind(fd, address, size), "%d, {family %d}, %u", fd, address->sa_family, size);
}

int sys_listen_(struct sys_site *site, int fd, int backlog)
{
        THROUGH(listen(fd, backlog), "%d, %d", fd, backlog);
}

int sys_accept4_(struct sys_site *site, int fd, struct sockaddr *address, socklen_t *size, int flags)
{
        THROUGH(accept4(fd, address, size, flags), "%d, ..., 0x%x", fd, flags);
}

int sys_connect_(struct sys_site *site, int fd, const struct sockaddr *address, socklen_t size)
{
        THROUGH(connect(fd, address, size), "%d, {family %d}, %u", fd, address->sa_family, size);
}

int sys_shutdown_(struct sys_site *site, int fd, int how)
{
        THROUGH(shutdown(fd, how), "%d, %s", fd, how == SHUT_RD ? "SHUT_RD" : how == SHUT_WR ? "SHUT_WR" : "SHUT_RDWR");
}

ssize_t sys_send_(struct sys_site *site, int fd, const void *data, size_t size, int flags)
{
        THROUGH(send(fd, data, size, flags), "%d, ..., %zu, 0x%x", fd, size, flags);
}

ssize_t sys_recv_(struct sys_site *site, int fd, void *data, size_t size, int flags)
{
        THROUGH(recv(fd, data, size, flags), "%d, ..., %zu, 0x%x", fd, size, flags);
}

ssize_t sys_sendmsg_(struct sys_site *site, int fd, const struct msghdr *message, int flags)
{
        THROUGH(sendmsg(fd, message, flags), "%d, {%zu parts}, 0x%x", fd, message->msg_iovlen, flags);
}

ssize_t sys_recvmsg_(struct sys_site *site, int fd, struct msghdr *message, int flags)
{
        THROUGH(recvmsg(fd, message, flags), "%d, {%zu parts}, 0x%x", fd, message->msg_iovlen, flags);
}

int sys_sendmmsg_(struct sys_site *site, int fd, struct mmsghdr *messages, unsigned n, int flags)
{
        THROUGH(sendmmsg(fd, messages, n, flags), "%d, [%u messages], 0x%x", fd, n, flags);
}

int sys_recvmmsg_(struct sys_site *site, int fd, struct mmsghdr *messages, unsigned n, int flags)
{
        THROUGH(recvmmsg(fd, messages, n, flags, NULL), "%d, [%u messages], 0x%x", fd, n, flags);
}

int sys_getsockname_(struct sys_site *site, int fd, struct sockaddr *address, socklen_t *size)
{
        THROUGH(getsockname(fd, address, size), "%d, ..., %u", fd, *size);
}

int sys_getpeername_(struct sys_site *site, int fd, struct sockaddr *address, socklen_t *size)
{
        THROUGH(getpeername(fd, address, size), "%d, ..., %u", fd, *size);
}

/* Is `wanted` an address of this interface? */
static int has_address(const struct ifaddrs *i, const char *wanted)
{
        struct in6_addr address;

        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
                return 0;
        if (inet_pton(i->ifa_addr->sa_family, wanted, &address) != 1)
                return 0;
        if (i->ifa_addr->sa_family == AF_INET)
                return memcmp(&address, &((const struct sockaddr_in *)i->ifa_addr)->sin_addr, sizeof(struct in_addr)) == 0;
        return IN6_ARE_ADDR_EQUAL(&address, &((const struct sockaddr_in6 *)i->ifa_addr)->sin6_addr);
}

/* 0, or -1 with errno. */
static int look_for_interface(const char *wanted, unsigned *index, int *loopback)
{
        struct ifaddrs *list, *i;
        unsigned found = 0;

        if (getifaddrs(&list) < 0)
                return -1;
        for (i = list; i && !found; i = i->ifa_next)
                if (strcmp(i->ifa_name, wanted) == 0 || has_address(i, wanted)) {
                        found = if_nametoindex(i->ifa_name);
                        *loopback = !!(i->ifa_flags & IFF_LOOPBACK);
                }
        freeifaddrs(list);
        errno = ENODEV;
        *index = found;
        return found ? 0 : -1;
}

int sys_interface_(struct sys_site *site, const char *wanted, unsigned *index, int *loopback)
{
        THROUGH(look_for_interface(wanted, index, loopback), "\"%s\"", wanted);
}

int sys_getsockopt_(struct sys_site *site, int fd, int level, int name, void *value, socklen_t *size)
{
        THROUGH(getsockopt(fd, level, name, value, size), "%d, %d, %d", fd, level, name);
}

int sys_setsockopt_(struct sys_site *site, int fd, int level, int name, const void *value, socklen_t size)
{
        THROUGH(setsockopt(fd, level, name, value, size), "%d, %d, %d", fd, level, name);
}

/* SPDX-License-Identifier: MIT */
/*
 * Names and owners of System V objects.
 *
 * PROJ is what most programs mean by it: "#65" and '#A' are the same project, digits are a number. 0 is refused because ftok(3) leaves it
 * undefined, and a file that is missing because ftok(3) then says -1, which careless programs take for a key and meet at.
 *
 * Owners. Whoever has a key's number may make the object first and let others in, to read or to feed them. So both owner and creator must be
 * this user or root, or be admitted by `peer=`. For `peer=group:G` it is the users' membership that counts: the object's
 * own group is no proof, since its owner can set it to any.
 */
#include "sysv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "number.h"
#include "owner.h"
#include "sys.h"
#include "why.h"

#define DIGITS "0123456789"

/* A number and nothing else: no sign, no unit. */
static int parse_plain(const char *text, int64_t most, int64_t *value)
{
        const char *digits = text, *allowed = DIGITS;

        if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
                digits = text + 2;
                allowed = DIGITS "abcdefABCDEF";
        }
        if (!*digits || digits[strspn(digits, allowed)])
                return -EINVAL;
        return number_parse(text, value) < 0 || *value > most ? -ERANGE : 0;
}

static int parse_path(struct sysv_name *name, const struct ipw_address *a, struct ipw_why *why)
{
        const char *project = a->fragment;
        int64_t number = 0;

        if (!*a->rest)
                return why_set(why, EINVAL, "%s: the path of a file must stand before #%s, as for ftok(3)", name->text, project);
        if (*project && !project[strspn(project, DIGITS)]) {
                if (parse_plain(project, 255, &number) < 0 || number == 0)
                        return why_set(why, EINVAL, "%s: project %s is out of range: a number from 1 to 255, or one character", name->text,
                                       project);
        } else if (*project && !project[1]) {
                number = (unsigned char)*project;
        } else {
                return why_set(why, EINVAL, "%s: the project behind # is a number from 1 to 255 or exactly one character of one byte",
                               name->text);
        }
        name->path = a->rest;
        name->project = (int)number;
        return 0;
}

static int parse_id(struct sysv_name *name, const char *text, struct ipw_why *why)
{
        int64_t number;

        if (parse_plain(text, INT32_MAX, &number) < 0)
                return why_set(why, EINVAL, "%s: the id of an object is a number from 0 to %d, as ipcs(1) shows it", name->text, INT32_MAX);
        name->id = (int)number;
        return 0;
}

static int parse_key(struct sysv_name *name, const char *text, struct ipw_why *why)
{
        int64_t number;
        int r;

        r = parse_plain(text, UINT32_MAX, &number);
        if (r == -ERANGE)
                return why_set(why, EINVAL, "%s: a key has 32 bits: from 0x1 to 0xffffffff", name->text);
        if (r < 0)
                return why_set(
                        why, EINVAL,
                        "%s: not a name of System V: write PATH#PROJ as for ftok(3) (PROJ is 1..255 or one character: %.40s#A), a key "
                        "(0x1234 or decimal), or id=N of one that exists",
                        name->text, *text ? text : "/etc/hostname");
        if (number == 0)
                return why_set(why, EINVAL, "%s: key 0 is IPC_PRIVATE: it makes a new object that nobody else can find; take another key",
                               name->text);
        name->key = (key_t)(uint32_t)number;
        return 0;
}

int sysv_parse(struct sysv_name *name, const struct ipw_address *a, struct ipw_why *why)
{
        *name = (struct sysv_name){ .id = -1 };
        (void)snprintf(name->text, sizeof(name->text), "%s:%.100s%s%.20s", a->mechanism->scheme, a->rest, a->fragment ? "#" : "",
                       a->fragment ? a->fragment : "");
        if (a->fragment)
                return parse_path(name, a, why);
        if (strncmp(a->rest, "id=", 3) == 0)
                return parse_id(name, a->rest + 3, why);
        return parse_key(name, a->rest, why);
}

int sysv_find_key(struct sysv_name *name, struct ipw_why *why)
{
        struct stat st;
        int r;

        if (!name->path)
                return 0;
        r = sys_stat("ftok(3): the key is made of the file's inode and device", name->path, &st);
        if (r == -ENOENT)
                return why_set(why, ENOENT,
                               "%s: the file %.200s does not exist, and the key is made from it; create it first (touch %.100s)",
                               name->text, name->path, name->path);
        if (r < 0)
                return why_set(why, -r, "%s: cannot look at the file %.200s, which the key is made from: %s", name->text, name->path,
                               why_name(r));
        name->key = (key_t)((uint32_t)(st.st_ino & 0xffff) | (uint32_t)(st.st_dev & 0xff) << 16 | (uint32_t)name->project << 24);
        return 0;
}

/* 1, 0; an error has a text. */
static int trusted(uid_t uid, const struct ipw_address *a, struct ipw_why *why)
{
        const char *peer = address_text(a, "peer");
        gid_t gid;
        int r;

        if (strncmp(peer, "group:", 6) != 0)
                return owner_trusted(uid, (gid_t)-1, peer, why);
        r = owner_trusted(uid, (gid_t)-1, "", why);
        if (r)
                return r;
        r = owner_group(peer + 6, &gid, why);
        if (r < 0)
                return r;
        r = sys_is_member("is the owner in the group of peer=", uid, gid);
        return r < 0 ? why_call(why, r, peer, "cannot find out the groups of the owner") : r;
}

int sysv_check_owner(const struct sysv_name *name, const char *object, const struct ipc_perm *perm, const struct ipw_address *a,
                     struct ipw_why *why)
{
        const uid_t users[] = { perm->uid, perm->cuid };

        for (size_t i = 0; i < COUNT_OF(users); i++) {
                int r = trusted(users[i], a, why);

                if (r < 0)
                        return r;
                if (!r)
                        return why_set(why, EPERM,
                                       "%s: the %s belongs to uid %u and was made by uid %u, not by this user (uid %u) or root; if you "
                                       "trust uid %u, add peer=uid:%u",
                                       name->text, object, perm->uid, perm->cuid, sys_euid(), users[i], users[i]);
        }
        return 0;
}

int sysv_set_owner(struct ipc_perm *perm, const struct ipw_address *a, struct ipw_why *why)
{
        perm->mode = (__typeof__(perm->mode))address_number(a, "mode");
        return address_is_given(a, "group") ? owner_group(address_text(a, "group"), &perm->gid, why) : 0;
}

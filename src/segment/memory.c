/* SPDX-License-Identifier: MIT */
/*
 * Raw bytes: an object as it is, with nothing of ours in it.
 *
 * To be on the disk means for a file that was just made that its name is there, too. So the first sync of one also writes its folder.
 */
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/shm.h>

#include "bytes.h"
#include "cleanup.h"
#include "image.h"
#include "sys.h"
#include "why.h"

struct memory {
        struct segment segment;
        struct object object;
        char *folder; /* of a file made here that is not known to be on the disk; else NULL */
};

static void update(struct memory *m)
{
        m->segment.data = m->object.data;
        m->segment.size = m->object.size;
}

static int memory_resize(struct segment *s, size_t size, struct ipw_why *why)
{
        struct memory *m = container_of(s, struct memory, segment);
        int r = object_resize(&m->object, size, why);

        update(m);
        return r;
}

static int sync_folder(struct memory *m)
{
        _cleanup_(sys_closep)
        int fd = sys_open("its folder, which has the name", m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        int r = fd < 0 ? fd : sys_fsync("the name, to the disk", fd);

        if (r < 0)
                return r;
        free(steal(&m->folder));
        return 0;
}

static int memory_sync(struct segment *s, struct ipw_why *why)
{
        struct memory *m = container_of(s, struct memory, segment);
        int r;

        r = sys_msync("the bytes, to the disk", s->data, s->size);
        if (r == 0 && m->folder)
                r = sync_folder(m);
        return r < 0 ? why_call(why, r, m->object.text, "cannot be written to the disk") : 0;
}

static int facts_of_file(const struct object *o, struct ipw_segment_facts *out)
{
        struct stat st;
        int r = sys_fstat("what is known of it", o->fd, &st);

        if (r < 0)
                return r;
        *out = (struct ipw_segment_facts){ .size = (size_t)st.st_size,
                                           .uid = st.st_uid,
                                           .gid = st.st_gid,
                                           .mode = st.st_mode & 0777,
                                           .id = -1,
                                           .users = -1,
                                           .removed = st.st_nlink == 0 && o->kind != OBJECT_ANONYMOUS };
        return 0;
}

static int facts_of_sysv(const struct object *o, struct ipw_segment_facts *out)
{
        struct shmid_ds ds;
        int r = sys_shmctl("what is known of it", o->id, IPC_STAT, &ds);

        if (r < 0)
                return r;
        *out = (struct ipw_segment_facts){ .size = ds.shm_segsz,
                                           .uid = ds.shm_perm.uid,
                                           .gid = ds.shm_perm.gid,
                                           .mode = ds.shm_perm.mode & 0777,
                                           .id = o->id,
                                           .users = (int64_t)ds.shm_nattch,
                                           .removed = (ds.shm_perm.mode & SHM_DEST) != 0 };
        return 0;
}

static int memory_facts(struct segment *s, struct ipw_segment_facts *out, struct ipw_why *why)
{
        const struct object *o = &container_of(s, struct memory, segment)->object;
        int r = o->id >= 0 ? facts_of_sysv(o, out) : facts_of_file(o, out);

        if (r < 0)
                return why_call(why, r, o->text, "cannot look at it");
        out->ring = MIN(out->size, o->size) >= sizeof(IMAGE_MAGIC) - 1 && memcmp(o->data, IMAGE_MAGIC, sizeof(IMAGE_MAGIC) - 1) == 0;
        return 0;
}

static void memory_close(struct segment *s)
{
        struct memory *m = container_of(s, struct memory, segment);

        object_close(&m->object);
        free(m->folder);
        free(m);
}

static const struct segment_ops ops_of_files = {
        .resize = memory_resize, .sync = memory_sync, .facts = memory_facts, .close = memory_close
};
static const struct segment_ops ops_of_memory = { .resize = memory_resize, .facts = memory_facts, .close = memory_close };

static void memory_freep(struct memory **m)
{
        if (*m)
                memory_close(&(*m)->segment);
}

static struct memory *memory_new(void)
{
        struct memory *m = sys_alloc("a segment", sizeof(*m));

        if (m)
                m->object.fd = m->object.id = -1;
        return m;
}

static struct segment *finish(struct memory *m)
{
        m->segment.ops = m->object.kind == OBJECT_FILE ? &ops_of_files : &ops_of_memory;
        m->segment.fd = m->object.fd;
        m->segment.created = m->object.created;
        m->segment.read_only = m->object.read_only;
        update(m);
        return &m->segment;
}

/* All that needs memory comes first, so that nothing can fail once a name stands. */
int memory_open(const struct object_plan *plan, struct segment **out, struct ipw_why *why)
{
        const char *path = plan->address->rest, *slash = strrchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) + 1 : 1;
        _cleanup_(memory_freep)
        struct memory *m = memory_new();
        int r;

        if (m)
                m->folder = sys_alloc("the path of its folder", length + 1);
        if (!m || !m->folder)
                return why_call(why, ENOMEM, plan->address->mechanism->scheme, "cannot be opened");
        memcpy(m->folder, slash ? path : ".", length);
        r = object_open(plan, &m->object, why);
        if (r < 0)
                return r;
        if (!m->object.created)
                free(steal(&m->folder));
        *out = finish(steal(&m));
        return 0;
}

int memory_adopt(int given, bool read_only, struct segment **out, struct ipw_why *why)
{
        _cleanup_(memory_freep)
        struct memory *m = memory_new();
        int r;

        if (!m)
                return why_set(why, ENOMEM, "fd:%d: no memory to open it", given);
        r = object_adopt(given, read_only, &m->object, why);
        if (r < 0)
                return r;
        *out = finish(steal(&m));
        return 0;
}
